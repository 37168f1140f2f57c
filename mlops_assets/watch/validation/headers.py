"""The header of a landed file: what its columns are called here, and how they differ from the declared ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlops_assets.contract.anomalies import Anomaly, Code, anomaly
from mlops_assets.contract.columns import SOURCE_ROW
from mlops_assets.watch.validation.written_values import is_value


def unnamed_columns(many: int) -> tuple[str, ...]:
    """What the columns of a file without a header are called where nobody has declared them."""
    return tuple(f"column_{number}" for number in range(1, many + 1))


def distinct_names(header: Sequence[str]) -> tuple[str, ...]:
    """``header`` with a number behind each name that is taken: ``score, score`` become ``score, score.1``.

    SQL tells upper from lower case nowhere, so ``Score`` takes ``score``; ``source_row`` is the lake's own. A column
    without a name is called ``unnamed``.
    """
    taken, names = {SOURCE_ROW, *(name.lower() for name in header)}, []
    seen = {SOURCE_ROW}
    for name in (written or "unnamed" for written in header):
        distinct, number = name, 0
        while distinct.lower() in (seen if not number else taken):
            number += 1
            distinct = f"{name}.{number}"
        seen.add(distinct.lower())
        taken.add(distinct.lower())
        names.append(distinct)
    return tuple(names)


def header_faults(
    header: Sequence[str], *, expected: Sequence[str], ordered: bool = True, strict: bool = True
) -> tuple[Anomaly, ...]:
    """How ``header`` differs from the ``expected`` columns: missing, unknown, repeated, in another order.

    A name that repeats another is expected with its number, as ``distinct_names`` gives it; otherwise it is a fault,
    also without ``strict``.
    """
    names = distinct_names(header)
    if names == tuple(expected):
        return ()
    if fault := _no_header(header, expected=expected):
        return (fault,)
    if len(header) == 1 and len(expected) > 1:
        message = f"The header has one column only, '{header[0][:80]}': is the delimiter another one?"
        return (anomaly(Code.WRONG_DELIMITER, message, found=header[0][:80]),)
    repeated = _repeated(header, expected=expected)
    differing = {
        Code.MISSING_COLUMNS: [name for name in expected if name not in names],
        Code.UNKNOWN_COLUMNS: [
            written or name
            for name, written in zip(names, header, strict=True)
            if strict and name not in expected and name not in repeated
        ],
        Code.REPEATED_COLUMNS: list(dict.fromkeys(repeated.values())),
    }
    both: dict[str, Any] = {"expected": ", ".join(expected), "found": ", ".join(header)}
    faults = [
        anomaly(code, f"{code.replace('_', ' ').capitalize()}: {', '.join(named)}.", column=named[0], **both)
        for code, named in differing.items()
        if named
    ]
    if ordered and not faults and [name for name in names if name in expected] != list(expected):
        message = "Columns are in another order: expected {expected}; found {found}.".format(**both)
        faults.append(anomaly(Code.COLUMN_ORDER, message, **both))
    return tuple(faults)


def _no_header(header: Sequence[str], *, expected: Sequence[str]) -> Anomaly | None:
    """That there seems to be none: the first line has no expected name, but values."""
    known = {name.lower() for name in expected}
    values = [text.strip() for text in header if is_value(text.strip())]
    if not values or any(text.strip().lower() in known for text in header):
        return None
    shown = ", ".join(repr(text.strip()[:20]) for text in header[:4])
    message = (
        f"No header? The first line has values, {shown}, where the columns {', '.join(expected[:4])}, … are expected. "
        "If the files have none, declare header=False of the source."
    )
    return anomaly(Code.NO_HEADER, message, expected=", ".join(expected), found=", ".join(header))


def _repeated(header: Sequence[str], *, expected: Sequence[str]) -> dict[str, str]:
    """The columns that repeat an earlier one and are not declared: by their name here, both names as written."""
    found = {}
    for place, (name, written) in enumerate(zip(distinct_names(header), header, strict=True)):
        earlier = [other for other in header[:place] if other.lower() == written.lower()]
        if earlier and name not in expected:
            found[name] = (written or name) if earlier[0] == written else f"{earlier[0]} and {written}"
    return found

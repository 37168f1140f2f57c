"""What the columns of files show, and what is said of them: empty, constant, names of rows, repeated rows, dates.

The label is looked at in ``labels.py``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops_assets.contract.arrays import Floats
from mlops_assets.watch.drafting.findings import Finding, look, percent, said
from mlops_assets.watch.validation.schema_draft import DraftedColumn, LandedText, draft_columns

NEAR_EMPTY = 0.95
"""Share of missing values from which a column says next to nothing."""
NEARLY_UNIQUE = 0.5
"""Share of different texts among all from which a column names its rows more than it describes them."""
ENOUGH = 20
"""Rows from which this can be said."""
_NAME = "id|ids|uuid|guid|key|nr|no|num|number|index|idx|code|name|row"
_NAME_LIKE = re.compile(
    rf"(?i:(.*[_\W])?({_NAME})|({_NAME})[_\W].*|unnamed.*|rownames)|.*[a-z](Id|ID|Nr|No|Key|Number)"
)
_WEIGHT_LIKE = re.compile(r"fnl?wgt|(.*_)?(wgt|weights?)|.+_wt|(p|sample|survey)(weight|wt)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Look:
    """The rows of some files and what each column is drafted as.

    ``distinct`` and ``missing`` count a column's different values and the rows without one.
    """

    landed: LandedText
    columns: Mapping[str, DraftedColumn]
    distinct: Mapping[str, int]
    missing: Mapping[str, int]

    @property
    def count(self) -> int:
        """Rows."""
        return int(self.landed.text.num_rows)

    def is_name(self, column: str) -> bool:
        """Whether it is different in each row, and called like what names rows."""
        return self.is_unique(column) and _NAME_LIKE.fullmatch(column.strip()) is not None

    def is_unique(self, column: str) -> bool:
        """Whether each of enough rows has another value, and that is no measure."""
        kind = self.columns[column].kind
        return self.count >= ENOUGH and kind in ("int", "str") and self.distinct[column] == self.count

    def is_prose(self, column: str) -> bool:
        """Whether it is text that hardly ever says the same again."""
        present = self.count - self.missing[column]
        is_text = self.columns[column].kind == "str" and not self.columns[column].dates
        return is_text and present >= ENOUGH and self.distinct[column] >= NEARLY_UNIQUE * present

    def is_empty(self, column: str) -> bool:
        """Whether it has no value at all."""
        return self.missing[column] == self.count

    def is_constant(self, column: str) -> bool:
        """Whether it has the same value in every row."""
        return self.distinct[column] == 1 and not self.missing[column]

    def words(self, column: str) -> pa.ChunkedArray:
        """The values as text, null where they are missing."""
        return pc.if_else(self.landed.is_present(column), self.landed.text[column], None)

    def numbers(self, column: str) -> Floats:
        """The values of a column of numbers or truth values, NaN where they are missing."""
        words = self.landed.plain(self.words(column))
        if self.columns[column].kind == "bool":
            words = pc.cast(pc.cast(pc.utf8_lower(words), pa.bool_()), pa.int8())
        else:
            words = pc.replace_substring_regex(words, r"^\+", "")
        return np.asarray(pc.cast(words, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)

    def has_numbers(self, column: str) -> bool:
        """Whether it holds numbers or truth values."""
        return self.columns[column].kind in ("int", "float", "bool")

    def months(self, column: str) -> NDArray[np.str_]:
        """The month of each row by a column of ISO 8601 dates or times, such as ``2013-05``."""
        return np.asarray(pc.utf8_slice_codeunits(self.landed.text[column], 0, 7).to_numpy(zero_copy_only=False))


def look_at(landed: LandedText) -> Look:
    """What there is to see in these rows."""
    drafted = draft_columns(landed)
    present = {name: landed.present(name) for name in landed.text.column_names}
    return Look(
        landed=landed,
        columns={each.column: each for each in drafted},
        distinct={name: pc.count_distinct(values).as_py() for name, values in present.items()},
        missing={name: landed.text.num_rows - len(values) for name, values in present.items()},
    )


def column_findings(seen: Look, *, but: Collection[str]) -> tuple[Finding, ...]:
    """What is to be said of the columns, ``but`` those that have a part already, and of the rows as a whole."""
    others = [name for name in seen.columns if name not in but]
    return (
        *_written(seen),
        *_hardly_filled(seen, others),
        *_names(seen, others),
        *_dates(seen, others),
        *repeated_rows(seen),
    )


def weight_like(seen: Look, *, label: str) -> tuple[str, ...]:
    """The columns that may say how many of a population a row stands for."""
    return tuple(
        name
        for name, drafted in seen.columns.items()
        if name != label and drafted.kind in ("int", "float") and _WEIGHT_LIKE.fullmatch(name)
    )


def _written(seen: Look) -> Iterator[Finding]:
    landed, sniffed = seen.landed, seen.landed.format
    for argument, reason in sniffed.reasons.items():
        if argument == "header":
            yield look(f"No header: {reason} The columns are called column_1 to column_{len(seen.columns)}.")
        elif not argument.startswith("null_values"):
            yield look(f"{reason} Declared as {argument}={getattr(sniffed.form, argument)!r}.")
    for texts in sorted(set(sniffed.null_values.values())):
        names = [name for name, own in sniffed.null_values.items() if own == texts]
        shown = " or ".join(repr(text) for text in texts if text)
        yield look(f"{shown} is taken for a missing value in {said(names)}.")
    for name, drafted in seen.columns.items():
        if drafted.comments and "again" in drafted.comments[0]:
            written = landed.report.header[list(seen.columns).index(name)]
            yield look(
                f"'{written}' is the name of a second column, but for case: SQL would read both as one, so the second "
                f"is called '{name}' here."
            )


def _hardly_filled(seen: Look, columns: list[str]) -> Iterator[Finding]:
    empty = [name for name in columns if seen.is_empty(name)]
    if empty:
        yield look(f"{said(empty)}: no value in any row; left out of the features.")
    constant = [name for name in columns if seen.is_constant(name)]
    if constant:
        yield look(f"{said(constant)}: the same value in every row, nothing to learn from; left out of the features.")
    for name in columns:
        share = seen.missing[name] / seen.count
        if NEAR_EMPTY <= share < 1:
            yield look(
                f"'{name}' is missing in {percent(share)} of the rows; kept, as that it is there may tell something."
            )


def _names(seen: Look, columns: list[str]) -> Iterator[Finding]:
    for name in columns:
        if seen.is_name(name):
            yield look(
                f"'{name}' is different in each row and called like a name of rows: left out of the features; if it "
                f"names a row in every file, say --key {name}."
            )
        elif seen.is_prose(name):
            yield look(
                f"'{name}' has {seen.distinct[name]:,} different texts in {seen.count:,} rows, too many to learn "
                "each: left out of the features."
            )


def _dates(seen: Look, columns: list[str]) -> Iterator[Finding]:
    for name in columns:
        dates, shown = seen.columns[name].dates, "; ".join(seen.columns[name].dates[:4])
        if seen.columns[name].warning:
            yield look(
                f"'{name}' has dates in {len(dates)} forms ({shown}): left out; write one form, best 2024-01-31."
            )
        elif dates:
            yield look(f"'{name}' has dates ({shown}): left out, as only 2024-01-31 is read as a date.")
        elif seen.columns[name].kind in ("date", "datetime"):
            low, high = pc.min_max(seen.landed.present(name)).as_py().values()
            yield look(
                f"'{name}' has times from {low[:10]} to {high[:10]}: a time by itself is no feature, so it is left "
                f"out; if it is when a row happened, say --time {name}."
            )


def repeated_rows(seen: Look) -> Iterator[Finding]:
    """How many rows say wholly what another one says."""
    repeated = seen.count - _different(seen.landed.text)
    if repeated:
        yield look(
            f"{repeated:,} of {seen.count:,} rows repeat another row wholly: in training and test at once they "
            "flatter the model; without --key they stay."
        )


def _different(text: pa.Table) -> int:
    """How many different rows there are."""
    plain = text.rename_columns([f"c{place}" for place in range(text.num_columns)])
    with duckdb.connect() as connection:
        counted = connection.from_arrow(plain).aggregate(f"count(DISTINCT hash({', '.join(plain.column_names)}))")
        return int(counted.fetchall()[0][0])


def key_findings(seen: Look, *, key: tuple[str, ...]) -> tuple[Finding, ...]:
    """What stands in the way of these columns as the name of a row."""
    if not key:
        return ()
    repeated = seen.count - _different(seen.landed.text.select(list(key)))
    if not repeated:
        return ()
    return (look(f"{repeated:,} of {seen.count:,} rows have the {said(key)} of another row: they will be set aside."),)

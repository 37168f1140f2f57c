"""Is a batch as large as usual, in rows and in bytes? Judged by the same weekday's past.

Rows of the past are known from profiles, bytes from a listing: nothing of the past is read unless a file's size is
unusual, and then to say whether it has other rows or longer ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from scipy.special import stdtrit

from mlops_assets.contract.anomalies import Anomaly, Cause, Code, anomaly, messages
from mlops_assets.contract.checks import CheckResult, Figure
from mlops_assets.contract.severity import Severity

ROW_COUNT_IS_USUAL = "row_count_is_usual"
FILE_SIZE_IS_USUAL = "file_size_is_usual"
WEEKS = 12
"""How many weeks of the same weekday say what is usual."""
LEAST_WEEKS = 6
LEAST_CHANGE = 0.15
"""A batch that is smaller or larger by less is never an anomaly, however regular the past."""
FALSE_ALARM_RATE = 0.002

Explain = Callable[[float], tuple[Cause | None, str]]
"""From the usual size to what explains another one: a cause, if one is evident, and a sentence."""


@dataclass(frozen=True, kw_only=True)
class EarlierFile:
    """The landed file of an earlier batch: its size in bytes, and a way to count its rows, which reads it."""

    size: int
    count_rows: Callable[[], int]


def judge_row_count(rows: int, *, batch: str, past: Mapping[str, int]) -> CheckResult:
    """``ROW_COUNT_IS_USUAL``; ``past`` has rows by batch."""

    def explain(usual: float) -> tuple[Cause | None, str]:
        return _rows_cause(rows / usual), f"That is {rows / usual:.2f} times the usual {usual:.0f}."

    return _judged(rows, "rows", name=ROW_COUNT_IS_USUAL, code=Code.ROW_COUNT, batch=batch, past=past, explain=explain)


def judge_file_size(size: int, *, rows: int, batch: str, past: Mapping[str, EarlierFile]) -> CheckResult:
    """``FILE_SIZE_IS_USUAL`` of a file of ``size`` bytes; ``rows`` is 0 if they could not be read."""
    sizes = {day: file.size for day, file in past.items()}

    def explain(usual: float) -> tuple[Cause | None, str]:
        times = f"That is {size / usual:.2f} times the usual {usual:.0f}"
        if not rows:
            return None, f"{times}."
        before = [past[day].count_rows() for day in same_weekday(batch) if sizes.get(day)]
        many = rows / max(float(np.median(before)), 1.0)
        cause, told = _rows_or_lines(many, size / usual / many)
        return cause, f"{times}: {told}."

    return _judged(
        size, "bytes", name=FILE_SIZE_IS_USUAL, code=Code.FILE_SIZE, batch=batch, past=sizes, explain=explain
    )


def same_weekday(batch: str) -> list[str]:
    """The days of the same weekday that say what is usual, nearest first; none if batches are not days."""
    try:
        day = date.fromisoformat(batch)
    except ValueError:
        return []
    return [(day - timedelta(weeks=back)).isoformat() for back in range(1, WEEKS + 1)]


def _judged(
    size: int, unit: str, *, name: str, code: Code, batch: str, past: Mapping[str, int], explain: Explain
) -> CheckResult:
    sizes = [past[day] for day in same_weekday(batch) if past.get(day)]
    figures: dict[str, Figure] = {unit: size}
    found: tuple[Anomaly, ...] = ()
    if not size:
        figures["verdict"] = f"not judged: other checks say why there are no {unit}"
    elif len(sizes) < LEAST_WEEKS:
        figures["verdict"] = f"insufficient data: {len(sizes)} weeks, needs {LEAST_WEEKS}"
    else:
        low, high = _bounds(sizes)
        figures |= {"low": low, "high": high}
        if not low <= size <= high:
            cause, explanation = explain(float(np.median(sizes)))
            expected = f"{low:.0f} to {high:.0f}"
            message = f"{size} {unit}; the same weekday of the last weeks leads to expect {expected}."
            told = anomaly(code, message, expected=f"{expected} {unit}", found=f"{size} {unit}")
            found = (told.model_copy(update={"cause": cause, "explanation": explanation}),)
    return CheckResult(
        name=name,
        passed=not found,
        severity=Severity.WARN,
        batch=batch,
        figures=figures,
        reasons=messages(found),
        anomalies=found,
    )


def _bounds(sizes: Sequence[int]) -> tuple[float, float]:
    """The prediction interval of one more logarithm of a normal past (G. J. Hahn, W. Q. Meeker, "Statistical
    Intervals", 1991, ch. 4), and at least ``LEAST_CHANGE`` away from its centre.

    Of the logarithms the median and the median absolute deviation count, so that one odd week moves no bound.
    """
    logs = np.log(sizes)
    centre = float(np.median(logs))
    deviation = 1.4826 * float(np.median(np.abs(logs - centre)))
    t = -float(stdtrit(len(sizes) - 1, FALSE_ALARM_RATE / 2))
    reach = max(t * deviation * math.sqrt(1 + 1 / len(sizes)), -math.log1p(-LEAST_CHANGE))
    return math.exp(centre - reach), math.exp(centre + reach)


def _rows_cause(ratio: float) -> Cause | None:
    """What other rows than usual, ``ratio`` times as many, are a sign of."""
    doubled = abs(ratio - round(ratio)) < 0.02 and ratio > 1.5
    return Cause.DUPLICATED_ROWS if doubled else Cause.ROWS_MISSING if ratio < 1 else None


def _rows_or_lines(many: float, long: float) -> tuple[Cause | None, str]:
    """Whether a file has ``many`` times the usual rows, or each is ``long`` times as long, or both."""
    if _alike(many):
        return None, f"rows as usual, each line is {long:.2f} times as long"
    if _alike(long):
        return _rows_cause(many), f"lines as long as usual, {many:.2f} times as many"
    return _rows_cause(many), f"{many:.2f} times as many lines, each {long:.2f} times as long"


def _alike(ratio: float) -> bool:
    return abs(math.log(ratio)) < -math.log1p(-LEAST_CHANGE)

"""Is a batch as large as usual, in rows and in bytes? Judged by the same weekday's past.

Rows of the past are known from profiles, bytes from a listing: nothing of the past is read unless a file's size is
unusual, and then to say whether it has other rows or longer ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

import numpy as np
from scipy.special import stdtrit

from mlops_assets.contract.anomalies import Anomaly, Cause, Code, anomaly, messages
from mlops_assets.contract.checks import CheckResult, Figure
from mlops_assets.contract.file_form import Packing
from mlops_assets.contract.periods import Period
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
    """The landed file of an earlier batch: its size in bytes, and ways to count its rows and to see how it is packed,
    which read it."""

    size: int
    count_rows: Callable[[], int]
    packing: Callable[[], Packing] = lambda: Packing.TEXT


NAMED_TIMES = 10.0
"""Of drops with names, whose sizes are as people cut them, this is unusual while few are known, and its square refused.
"""
LEAST_DROPS, KNOWN_DROPS = 3, 14
LEAST_DAYS = 7
"""While fewer weeks are known, so many days before say what no day has come near; weekdays differ by less."""

_WEEKS_LEAD = "the same weekday of the last weeks leads"

Limits = tuple[float, float, float, float]
"""What refuses below, is unusual below, unusual above, refuses above."""


def judge_row_count(
    rows: int, *, batch: str, past: Mapping[str, int], order: Sequence[str] = (), refused_times: float
) -> CheckResult:
    """``ROW_COUNT_IS_USUAL``; ``past`` has rows by batch, ``order`` is that of batches that are no days.

    ``refused_times`` the usual rows, or so few, and twice as far as what is unusual, refuse the batch.
    """

    def explain(usual: float) -> tuple[Cause | None, str]:
        return _rows_cause(rows / usual), f"That is {rows / usual:.2f} times the usual {usual:.0f}."

    sizes = _sizes_before(batch, past=past, order=order)
    limits = (_drop_limits if order else _limits)(sizes, refused_times=refused_times)
    led = "the drops before lead" if order else _WEEKS_LEAD
    if limits is None and (days := _days_before(batch, past=past)):
        sizes, limits, led = days, _first_limits(days), "the days before lead"
    needed = f"{LEAST_DROPS} drops" if order else f"{LEAST_WEEKS} weeks"
    return _judged(
        rows,
        "rows",
        name=ROW_COUNT_IS_USUAL,
        code=Code.ROW_COUNT,
        batch=batch,
        sizes=sizes,
        limits=limits,
        led=led,
        needed=needed,
        explain=explain,
    )


def judge_file_size(
    size: int,
    *,
    rows: int,
    batch: str,
    past: Mapping[str, EarlierFile],
    refused_times: float,
    packing: Packing = Packing.TEXT,
) -> CheckResult:
    """``FILE_SIZE_IS_USUAL`` of a file of ``size`` bytes; ``rows`` is 0 if they could not be read.

    It is refused as too many or too few rows are. A size that is unusual is compared again, with files that are packed
    alike.
    """
    judge = partial(_judge_file_size, size, rows=rows, batch=batch, refused_times=refused_times)
    judged = judge(past=past)
    if judged.passed:
        return judged
    days = same_weekday(batch)
    alike = {day: file for day, file in past.items() if day in days and file.packing() is packing}
    return judged if len(alike) == sum(day in past for day in days) else judge(past=alike)


def _judge_file_size(
    size: int, *, rows: int, batch: str, past: Mapping[str, EarlierFile], refused_times: float
) -> CheckResult:
    sizes = {day: file.size for day, file in past.items()}

    def explain(usual: float) -> tuple[Cause | None, str]:
        times = f"That is {size / usual:.2f} times the usual {usual:.0f}"
        if not rows:
            return None, f"{times}."
        before = [past[day].count_rows() for day in same_weekday(batch) if sizes.get(day)]
        many = rows / max(float(np.median(before)), 1.0)
        cause, told = _rows_or_lines(many, size / usual / many)
        return cause, f"{times}: {told}."

    before = _sizes_before(batch, past=sizes, order=())
    return _judged(
        size,
        "bytes",
        name=FILE_SIZE_IS_USUAL,
        code=Code.FILE_SIZE,
        batch=batch,
        sizes=before,
        limits=_limits(before, refused_times=refused_times),
        led=_WEEKS_LEAD,
        needed=f"{LEAST_WEEKS} weeks",
        explain=explain,
    )


def same_weekday(batch: str) -> list[str]:
    """The days of the same weekday that say what is usual, nearest first; none if batches are not days."""
    if not Period.DAY.is_name(batch):
        return []
    day = date.fromisoformat(batch)
    return [(day - timedelta(weeks=back)).isoformat() for back in range(1, WEEKS + 1)]


def _sizes_before(batch: str, *, past: Mapping[str, int], order: Sequence[str]) -> list[int]:
    """What is known of the sizes before: of the same weekday, or of the drops before in their order."""
    if batch in order:
        return [past[name] for name in order[: order.index(batch)] if past.get(name)]
    return [past[day] for day in same_weekday(batch) if past.get(day)]


def _days_before(batch: str, *, past: Mapping[str, int]) -> list[int]:
    """The sizes of all days before, if they are at least ``LEAST_DAYS``; none if batches are not days."""
    sizes = [size for day, size in past.items() if size and day < batch] if same_weekday(batch) else []
    return sizes if len(sizes) >= LEAST_DAYS else []


def _judged(
    size: int,
    unit: str,
    *,
    name: str,
    code: Code,
    batch: str,
    sizes: Sequence[int],
    limits: Limits | None,
    led: str,
    needed: str,
    explain: Explain,
) -> CheckResult:
    figures: dict[str, Figure] = {unit: size}
    found: tuple[Anomaly, ...] = ()
    if not size:
        figures["verdict"] = f"not judged: other checks say why there are no {unit}"
    elif limits is None:
        figures["verdict"] = f"insufficient data: {len(sizes)} are known, needs {needed}"
    else:
        refused_low, low, high, refused_high = limits
        figures |= {"low": low, "high": high}
        if not low <= size <= high:
            grave = not refused_low <= size <= refused_high
            cause, explanation = explain(float(np.median(sizes)))
            expected = f"{low:.0f} to {high:.0f}"
            message = f"{size} {unit}; {led} to expect {expected}."
            severity = Severity.ERROR if grave else Severity.WARN
            told = anomaly(code, message, severity=severity, expected=f"{expected} {unit}", found=f"{size} {unit}")
            found = (told.model_copy(update={"cause": cause, "explanation": explanation}),)
    return CheckResult(
        name=name,
        passed=not found,
        severity=found[0].severity if found else Severity.WARN,
        batch=batch,
        figures=figures,
        reasons=messages(found),
        anomalies=found,
    )


def _limits(sizes: Sequence[int], *, refused_times: float) -> Limits | None:
    """The prediction interval of one more logarithm of a normal past (G. J. Hahn, W. Q. Meeker, "Statistical
    Intervals", 1991, ch. 4), and at least ``LEAST_CHANGE`` away from its centre; ``None`` of too short a past.

    Of the logarithms the median and the median absolute deviation count, so that one odd week moves no bound.
    """
    if len(sizes) < LEAST_WEEKS:
        return None
    logs = np.log(sizes)
    centre = float(np.median(logs))
    deviation = 1.4826 * float(np.median(np.abs(logs - centre)))
    t = -float(stdtrit(len(sizes) - 1, FALSE_ALARM_RATE / 2))
    reach = max(t * deviation * math.sqrt(1 + 1 / len(sizes)), -math.log1p(-LEAST_CHANGE))
    return _around(centre, reach=reach, refused=max(2 * reach, math.log(refused_times)))


def _drop_limits(sizes: Sequence[int], *, refused_times: float) -> Limits | None:
    """The same of drops with names: so far from the median while few are known, then as of weeks."""
    if len(sizes) < LEAST_DROPS:
        return None
    if len(sizes) >= KNOWN_DROPS:
        return _limits(sizes[-KNOWN_DROPS:], refused_times=refused_times)
    reach = math.log(NAMED_TIMES)
    return _around(float(np.median(np.log(sizes))), reach=reach, refused=max(2 * reach, math.log(refused_times)))


def _first_limits(sizes: Sequence[int]) -> Limits:
    """Of days of any weekday: so far below the smallest or above the largest of them as a drop from the usual."""
    low, high = min(sizes), max(sizes)
    return low / NAMED_TIMES**2, low / NAMED_TIMES, high * NAMED_TIMES, high * NAMED_TIMES**2


def _around(centre: float, *, reach: float, refused: float) -> Limits:
    low, high = math.exp(centre - reach), math.exp(centre + reach)
    return math.exp(centre - refused), low, high, math.exp(centre + refused)


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

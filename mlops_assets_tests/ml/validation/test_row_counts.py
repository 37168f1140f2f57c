"""A batch's length is judged by the same weekday's past."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from mlops_assets.ml.anomalies import Cause, Code
from mlops_assets.ml.validation.row_counts import FALSE_ALARM_RATE, LEAST_WEEKS, judge_row_count

DAY = date(2013, 6, 3)


def past(counts: list[int]) -> dict[str, int]:
    return {(DAY - timedelta(weeks=back)).isoformat(): count for back, count in enumerate(counts, start=1)}


@pytest.mark.parametrize(
    ("rows", "cause"), [(500, Cause.ROWS_MISSING), (2000, Cause.DUPLICATED_ROWS), (1300, None), (1, Cause.ROWS_MISSING)]
)
def test_unusual_length_is_found_with_its_bounds(rows: int, cause: Cause | None) -> None:
    check = judge_row_count(rows, batch=DAY.isoformat(), past=past([1000, 1010, 990, 1005, 995, 1000]))
    assert not check.passed
    (found,) = check.anomalies
    assert (found.code, found.cause) == (Code.ROW_COUNT, cause)


@pytest.mark.parametrize("rows", [900, 1000, 1100])
def test_small_difference_from_a_regular_past_is_none(rows: int) -> None:
    assert judge_row_count(rows, batch=DAY.isoformat(), past=past([1000] * 8)).passed


def test_one_odd_week_moves_no_bound() -> None:
    counts = [1000, 1010, 990, 1005, 995, 1000, 20, 4000]
    assert not judge_row_count(500, batch=DAY.isoformat(), past=past(counts)).passed


def test_short_past_and_other_weekdays_are_insufficient() -> None:
    few = judge_row_count(1, batch=DAY.isoformat(), past=past([1000] * (LEAST_WEEKS - 1)))
    assert few.passed
    assert "insufficient data" in str(few.figures["verdict"])
    others = {(DAY - timedelta(days=back)).isoformat(): 1000 for back in range(1, 100) if back % 7}
    assert "insufficient data" in str(judge_row_count(1, batch=DAY.isoformat(), past=others).figures["verdict"])


def test_normal_past_alarms_as_rarely_as_said() -> None:
    random = np.random.default_rng(5)
    counts = np.exp(random.normal(7, 0.3, size=(2000, 13))).astype(int)
    alarms = [not judge_row_count(int(c[0]), batch=DAY.isoformat(), past=past(c[1:].tolist())).passed for c in counts]
    assert np.mean(alarms) < 5 * FALSE_ALARM_RATE + 0.01

"""A batch's size, in rows and in bytes, is judged by the same weekday's past."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import partial
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.contract.anomalies import Cause, Code
from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.file_form import Packing
from mlops_assets.contract.severity import Severity
from mlops_assets.watch.validation.batch_sizes import (
    FALSE_ALARM_RATE,
    LEAST_DAYS,
    LEAST_WEEKS,
    WEEKS,
    EarlierFile,
    judge_file_size,
    judge_row_count,
    same_weekday,
)

DAY = date(2013, 6, 3)
BATCH = DAY.isoformat()
LINE = 90
REGULAR = [1000, 1010, 990, 1005, 995, 1000]
Judge = Callable[[int, Mapping[str, int]], CheckResult]


def past(sizes: list[int]) -> dict[str, int]:
    return {(DAY - timedelta(weeks=back)).isoformat(): size for back, size in enumerate(sizes, start=1)}


def files(rows: Mapping[str, int]) -> dict[str, EarlierFile]:
    """Files of lines of the same length."""
    return {day: EarlierFile(size=count * LINE, count_rows=lambda count=count: count) for day, count in rows.items()}


def judge_rows(rows: int, before: Mapping[str, int]) -> CheckResult:
    return judge_row_count(rows, batch=BATCH, past=before, refused_times=5.0)


def judge_bytes(rows: int, before: Mapping[str, int]) -> CheckResult:
    return judge_file_size(rows * LINE, rows=rows, batch=BATCH, past=files(before), refused_times=5.0)


EITHER = pytest.mark.parametrize(
    ("judge", "code"), [(judge_rows, Code.ROW_COUNT), (judge_bytes, Code.FILE_SIZE)], ids=["rows", "bytes"]
)


@EITHER
@pytest.mark.parametrize(
    ("rows", "cause"), [(500, Cause.ROWS_MISSING), (2000, Cause.DUPLICATED_ROWS), (1300, None), (1, Cause.ROWS_MISSING)]
)
def test_unusual_size_is_found_with_its_bounds(judge: Judge, code: Code, rows: int, cause: Cause | None) -> None:
    check = judge(rows, past(REGULAR))
    assert (check.passed, check.severity) == (False, Severity.ERROR if rows == 1 else Severity.WARN)
    (found,) = check.anomalies
    assert (found.code, found.cause) == (code, cause)


@EITHER
@pytest.mark.parametrize("rows", [900, 1000, 1100])
def test_small_difference_from_a_regular_past_is_none(judge: Judge, code: Code, rows: int) -> None:
    check = judge(rows, past([1000] * 8))
    assert check.passed
    assert float(check.figures["low"]) < float(check.figures["high"])


@EITHER
def test_one_odd_week_moves_no_bound(judge: Judge, code: Code) -> None:
    assert not judge(500, past([*REGULAR, 20, 4000])).passed


@EITHER
def test_short_past_and_other_weekdays_are_insufficient(judge: Judge, code: Code) -> None:
    few = judge(1, past([1000] * (LEAST_WEEKS - 1)))
    assert few.passed
    assert "insufficient data" in str(few.figures["verdict"])
    others = {(DAY - timedelta(days=back)).isoformat(): 1000 for back in range(1, LEAST_DAYS)}
    assert "insufficient data" in str(judge(1, others).figures["verdict"])


@EITHER
@pytest.mark.parametrize(("rows", "severity"), [(4_900, Severity.WARN), (5_100, Severity.ERROR), (190, Severity.ERROR)])
def test_five_times_the_usual_is_refused(judge: Judge, code: Code, rows: int, severity: Severity) -> None:
    assert judge(rows, past(REGULAR)).severity is severity
    assert judge(rows, past(REGULAR)).blocks == (severity is Severity.ERROR)


def test_how_many_times_is_refused_can_be_declared() -> None:
    wide = judge_row_count(5_100, batch=BATCH, past=past(REGULAR), refused_times=20.0)
    assert (wide.passed, wide.severity) == (False, Severity.WARN)


@pytest.mark.parametrize(
    ("rows", "verdict"), [(5_000_000, "refused"), (15_000, "warned"), (9_000, "passed"), (1, "warned"), (20, "passed")]
)
def test_in_the_first_weeks_the_days_before_say_what_no_day_has_come_near(rows: int, verdict: str) -> None:
    week = [970, 960, 980, 965, 975, 100, 90]  # Saturdays and Sundays are small
    before = {(DAY - timedelta(days=back)).isoformat(): size for back, size in enumerate(week, start=1)}
    check = judge_rows(rows, before)
    assert ("passed" if check.passed else "refused" if check.blocks else "warned") == verdict
    later = {(DAY + timedelta(days=ahead)).isoformat(): rows for ahead in range(1, 9)}
    assert judge_rows(rows, {**before, **later}).figures == check.figures


@EITHER
def test_an_empty_batch_is_left_to_other_checks(judge: Judge, code: Code) -> None:
    assert "other checks" in str(judge(0, past(REGULAR)).figures["verdict"])


def test_batches_with_names_have_no_weekday() -> None:
    assert same_weekday("census-1994") == []
    assert same_weekday(BATCH)[0] == "2013-05-27"
    assert len(same_weekday(BATCH)) == WEEKS


@pytest.mark.parametrize(
    ("size", "rows", "told"),
    [
        (1.8, 1000, "1.80 times the usual 90000: rows as usual, each line is 1.80 times as long."),
        (0.5, 500, "0.50 times the usual 90000: lines as long as usual, 0.50 times as many."),
        (0.4, 500, "0.40 times the usual 90000: 0.50 times as many lines, each 0.80 times as long."),
        (0.4, 0, "0.40 times the usual 90000."),
    ],
)
def test_rows_and_lines_are_told_apart(size: float, rows: int, told: str) -> None:
    check = judge_file_size(
        round(size * 1000 * LINE), rows=rows, batch=BATCH, past=files(past(REGULAR)), refused_times=5.0
    )
    assert check.anomalies[0].explanation == f"That is {told}"


def test_nothing_of_the_past_is_read_for_a_usual_file() -> None:
    def unread() -> int:
        raise AssertionError("An earlier file was read.")

    before = {day: EarlierFile(size=1000 * LINE, count_rows=unread) for day in past(REGULAR)}
    assert judge_file_size(1000 * LINE, rows=1000, batch=BATCH, past=before, refused_times=5.0).passed


@given(st.lists(st.integers(1, 10**9), min_size=LEAST_WEEKS, max_size=WEEKS), st.integers(1, 10**9), st.randoms())
def test_order_of_weeks_and_other_days_never_matter_and_the_usual_always_passes(
    sizes: list[int], size: int, random: Random
) -> None:
    told = judge_rows(size, past(sizes))
    random.shuffle(sizes)
    noise = {(DAY - timedelta(days=back)).isoformat(): 1 for back in (1, 2, 7 * (WEEKS + 1))}
    assert judge_rows(size, {**past(sizes), **noise}).figures == pytest.approx(told.figures)
    middle = float(np.exp(np.median(np.log(sizes))))
    assert float(told.figures["low"]) < middle < float(told.figures["high"])


@EITHER
def test_normal_past_alarms_as_rarely_as_said(judge: Judge, code: Code) -> None:
    random = np.random.default_rng(5)
    counts = np.exp(random.normal(7, 0.3, size=(2000, 13))).astype(int)
    alarms = [not judge(int(c[0]), past(c[1:].tolist())).passed for c in counts]
    assert np.mean(alarms) < 5 * FALSE_ALARM_RATE + 0.01


def test_size_is_compared_with_files_that_are_packed_alike() -> None:
    judge = partial(judge_file_size, 100 * LINE, rows=1000, batch=BATCH, past=files(past(REGULAR)), refused_times=5.0)
    assert judge().severity is Severity.ERROR
    assert judge(packing=Packing.GZIP).passed
    assert str(judge(packing=Packing.GZIP).figures["verdict"]).startswith("insufficient data: 0 are known")

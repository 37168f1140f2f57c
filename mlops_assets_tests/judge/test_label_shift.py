"""A label that is sampled otherwise from some time on is told, and seasons are not taken for it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2_contingency, kruskal

from mlops_assets.contract.arrays import Floats
from mlops_assets.contract.tasks import BINARY, Multiclass, Regression
from mlops_assets.judge.label_shift import LabelByTime, audit_label_by_time, label_by_time, periods_of

KINDS = Multiclass(classes=("ant", "bee", "cat"))
MONTHS = [f"2014-{month:02}" for month in range(1, 13)]


def outcomes(shares: list[float], *, rows: int = 400, seed: int = 1) -> tuple[Floats, np.ndarray]:
    """Labels of so many rows a period, and their periods."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate([(rng.random(rows) < share).astype(np.float64) for share in shares])
    return labels, np.repeat(np.arange(len(shares)), rows)


def by_month(shares: list[float], **more: int) -> LabelByTime:
    labels, codes = outcomes(shares, **more)
    return label_by_time(labels, codes=codes, names=MONTHS[: len(shares)], by="month", task=BINARY)


def test_half_the_months_sampled_otherwise_are_warned_of_from_where_on() -> None:
    found = by_month([0.5] * 6 + [0.1] * 6)

    check = audit_label_by_time(found, task=BINARY)

    assert not check.passed
    assert not check.blocks
    assert check.reasons[0].startswith("From 2014-07 on the share of positives is 1")
    assert "2,400 rows; before it was" in check.reasons[0]


def test_a_season_is_told_and_not_taken_for_another_sampling() -> None:
    """Months differ far beyond chance, and by as much on either side of any cut."""
    found = by_month([0.2 + 0.12 * np.sin(month) for month in range(12)])

    assert found.p_value is not None
    assert found.p_value < 1e-10
    assert found.dispersion > 5
    assert audit_label_by_time(found, task=BINARY).passed


def test_a_small_change_beyond_chance_warns_of_nothing() -> None:
    found = by_month([0.5] * 6 + [0.4] * 6, rows=2000)
    assert found.change is not None
    assert found.change.p_value < 0.01
    assert not found.change.matters


def test_where_nothing_changes_few_are_warned_of_though_periods_differ() -> None:
    rng = np.random.default_rng(5)
    warned = [by_month(rng.beta(6, 14, 12).tolist(), seed=seed) for seed in range(300)]
    assert sum(found.change is not None and found.change.p_value < 0.01 for found in warned) <= 6


def test_two_drops_are_held_against_chance_alone() -> None:
    labels, codes = outcomes([0.5, 0.1])
    found = label_by_time(labels, codes=codes, names=["june", "july"], by="drop", task=BINARY)
    assert found.change is not None
    assert (found.change.at, found.change.matters) == ("july", True)


def test_few_rows_cannot_tell_and_say_so() -> None:
    found = by_month([0.3] * 8, rows=20)
    assert found.lacking == "160 rows, needs 750"
    assert audit_label_by_time(found, task=BINARY).figures["insufficient_data"] == found.lacking
    assert by_month([0.3]).lacking == "there is one period only"


def test_with_as_many_rows_as_it_asks_for_a_change_that_matters_is_found_in_four_of_five() -> None:
    """Cohen's h of 0.5 in the middle of eight months."""
    before, after = (float(np.square(np.sin(angle))) for angle in (0.6, 0.85))
    found = [by_month([before] * 4 + [after] * 4, rows=94, seed=seed).change for seed in range(200)]
    assert 0.7 < np.mean([each is not None and each.p_value < 0.01 for each in found]) < 0.9


def test_the_test_of_no_difference_is_scipys() -> None:
    labels, codes = outcomes([0.3, 0.35, 0.28, 0.4])
    table = np.array([[np.sum((codes == g) & (labels == k)) for k in (0, 1)] for g in range(4)])
    found = label_by_time(labels, codes=codes, names=MONTHS[:4], by="month", task=BINARY)
    assert found.p_value == pytest.approx(chi2_contingency(table, correction=False).pvalue)

    numbers = np.round(np.random.default_rng(2).normal(size=len(codes)) + 0.05 * codes, 1)
    found = label_by_time(numbers, codes=codes, names=MONTHS[:4], by="month", task=Regression())
    assert found.p_value == pytest.approx(kruskal(*(numbers[codes == g] for g in range(4))).pvalue)

    classes = np.random.default_rng(3).integers(0, 3, len(codes)).astype(np.float64)
    table = np.array([[np.sum((codes == g) & (classes == k)) for k in range(3)] for g in range(4)])
    found = label_by_time(classes, codes=codes, names=MONTHS[:4], by="month", task=KINDS)
    assert found.p_value == pytest.approx(chi2_contingency(table).pvalue)


def test_a_class_that_comes_more_often_and_a_number_that_moves_are_named() -> None:
    rng, codes = np.random.default_rng(4), np.repeat(np.arange(8), 300)
    classes = np.where(rng.random(len(codes)) < np.where(codes < 4, 0.05, 0.6), 2, rng.integers(0, 2, len(codes)))
    found = label_by_time(classes.astype(np.float64), codes=codes, names=MONTHS[:8], by="month", task=KINDS)
    assert audit_label_by_time(found, task=KINDS).reasons[0].startswith("From 2014-05 on the share of 'cat' is")

    numbers = rng.normal(size=len(codes)) + 2 * (codes >= 3)
    found = label_by_time(numbers, codes=codes, names=MONTHS[:8], by="month", task=Regression())
    assert audit_label_by_time(found, task=Regression()).reasons[0].startswith("From 2014-04 on the mean is 2")


def test_a_label_by_time_reads_back() -> None:
    found = by_month([0.5] * 6 + [0.1] * 6)
    assert LabelByTime.from_json(found.to_json()) == found


@pytest.mark.parametrize(
    ("first", "days", "a_day", "by", "names"),
    [
        ("2013-01-15", 120, 10, "month", ["2013-01", "2013-02"]),
        ("2013-01-01", 40, 10, "week", ["2012-12-31", "2013-01-07"]),
        ("2013-01-01", 10, 60, "day", ["2013-01-01", "2013-01-02"]),
        ("2001-01-01", 365 * 9, 0.4, "quarter", ["2001-Q1", "2001-Q2"]),
        ("2001-01-01", 365 * 9, 0.05, "year", ["2001", "2002"]),
    ],
)
def test_periods_are_as_long_as_rows_ask_for(first: str, days: int, a_day: float, by: str, names: list[str]) -> None:
    rows = np.arange(0, days, 1 / a_day).astype(np.int64)
    unit, codes, found = periods_of(np.datetime64(first, "us") + rows * np.timedelta64(1, "D"))
    assert (unit, found[:2]) == (by, names)
    assert codes.max() == len(found) - 1

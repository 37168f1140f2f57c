"""The sums of small shifts: run lengths as they are published, and what correlation does to them."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_assets.watch.served.slow import ALLOWANCE, correlation, cusum, days_between, threshold, whitened


def run_length(shift: float, *, height: float, runs: int, longest: int, rho: float = 0.0, white: bool = False) -> float:
    """Days until either sum of a two-sided CUSUM is above ``height``, on average."""
    draw = np.random.default_rng(0)
    noise = draw.normal(size=(runs, longest))
    for day in range(1, longest):
        noise[:, day] = rho * noise[:, day - 1] + np.sqrt(1 - rho**2) * noise[:, day]
    steps = noise + shift
    if white:
        steps = (steps[:, 1:] - rho * steps[:, :-1]) / np.sqrt(1 - rho**2)
    up = down = np.zeros(runs)
    first = np.full(runs, longest)
    for day in range(steps.shape[1]):
        up, down = np.maximum(up + steps[:, day] - ALLOWANCE, 0), np.maximum(down - steps[:, day] - ALLOWANCE, 0)
        alarm = (np.maximum(up, down) > height) & (first == longest)
        first[alarm] = day + 1
    return float(first.mean())


@pytest.mark.parametrize(
    ("shift", "published", "longest"), [(0.0, 465, 4000), (0.5, 38.0, 600), (1.0, 10.4, 200), (2.0, 4.01, 60)]
)
def test_run_lengths_are_the_published_ones(shift: float, published: float, longest: int) -> None:
    assert run_length(shift, height=5, runs=1500, longest=longest) == pytest.approx(published, rel=0.08)


def test_the_sums_are_those_of_page() -> None:
    fresh = np.random.default_rng(1).normal(0.4, 1, (5, 40))
    for row, run in zip(fresh, cusum(fresh), strict=True):
        up = down = 0.0
        for each in row:
            up, down = max(up + each - ALLOWANCE, 0), max(down - each - ALLOWANCE, 0)
        assert run.high == pytest.approx(max(up, down))
        assert run.side == (1 if up >= down else -1)


def test_a_run_is_dated_to_where_its_sum_left_nothing() -> None:
    (run,) = cusum(np.array([[0.0, -1.0, 0.2, 2.0, 2.0, 2.0]]))
    assert (run.side, run.days, run.high) == (1, 3, 4.5)


@pytest.mark.parametrize("allowance", [0.5, 1.0])
def test_thresholds_are_heights_of_run_lengths(allowance: float) -> None:
    assert days_between(5) == pytest.approx(465, rel=0.02)
    assert days_between(threshold(3000, allowance=allowance), allowance=allowance) == pytest.approx(3000, rel=1e-6)


def test_correlated_days_alarm_too_often_unless_whitened() -> None:
    raw = run_length(0, height=5, runs=400, longest=2500, rho=0.4)
    assert raw == pytest.approx(65, rel=0.15)
    assert run_length(0, height=5, runs=400, longest=2500, rho=0.4, white=True) > 380


def test_correlation_is_found_through_incidents_and_gaps() -> None:
    draw = np.random.default_rng(2)
    days = np.zeros((20, 42))
    for day in range(1, 42):
        days[:, day] = 0.5 * days[:, day - 1] + np.sqrt(0.75) * draw.normal(size=20)
    days[3, 20], days[5, 10] = 40.0, np.nan
    assert correlation(days) == pytest.approx(0.5, abs=0.1)
    white = whitened(days, correlation=0.5)
    assert np.isfinite(white).all()
    assert np.abs(white).max() == 2.0

"""The beta-binomial: against SciPy where SciPy has it, against known truth where it hasn't."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mlops_assets.judge.corrections import discoveries
from mlops_assets.judge.overdispersion import estimate_correlation, judge_count, mean_variance


@pytest.mark.parametrize("correlation", [0.0, 0.02, 0.3])
@pytest.mark.parametrize("weeks", [4, 12])
def test_estimated_correlation_is_unbiased_even_with_few_weeks(correlation: float, weeks: int) -> None:
    """Mean of 60 estimates within a tenth (and 0.004) of the truth; 168 buckets with means of their own."""
    draw = np.random.default_rng(11)
    bucket = np.repeat(np.arange(168), weeks)
    share = np.clip(draw.beta(2, 8, 168), 0.02, 0.98)[bucket]
    found = []
    for _ in range(60):
        rows = draw.integers(5, 60, len(bucket)).astype(float)
        chance = share
        if correlation:
            precision = 1 / correlation - 1
            chance = draw.beta(share * precision, (1 - share) * precision)
        positives = draw.binomial(rows.astype(int), chance).astype(float)
        estimate, freedom = estimate_correlation(rows, positives=positives, bucket=bucket)
        found.append(estimate)
        assert freedom == 168 * (weeks - 1)
    assert np.mean(found) == pytest.approx(correlation, rel=0.1, abs=0.004)


def test_one_day_per_bucket_tells_nothing_about_correlation() -> None:
    rows = np.array([10.0, 20.0])
    assert estimate_correlation(rows, positives=rows / 2, bucket=np.array([0, 1])) == (0.0, 0)


def test_variance_of_the_mean_lies_between_counting_and_days() -> None:
    total, squares = np.array([400.0]), np.array([4 * 100.0**2])
    assert mean_variance(total, rows_squared=squares, correlation=0.0)[0] == pytest.approx(1 / 400)
    assert mean_variance(total, rows_squared=squares, correlation=1.0)[0] == pytest.approx(1 / 4)


@pytest.mark.parametrize("positives", [0, 3, 12, 40])
def test_p_value_is_scipys_mid_p(positives: int) -> None:
    share, correlation = 0.25, 0.05
    precision = 1 / correlation - 1
    known = stats.betabinom(40, share * precision, (1 - share) * precision)
    lower = known.cdf(positives) - known.pmf(positives) / 2
    found = judge_count(positives, rows=40, share=share, correlation=correlation)
    assert found.p_value == pytest.approx(2 * min(lower, 1 - lower), rel=1e-9)
    assert (found.low, found.high) == (known.ppf(0.025) / 40, known.ppf(0.975) / 40)


def test_without_correlation_it_is_the_binomial() -> None:
    found = judge_count(30, rows=100, share=0.2, correlation=0.0)
    known = stats.binom(100, 0.2)
    assert found.p_value == pytest.approx(2 * (known.sf(30) + known.pmf(30) / 2), rel=0.01)


def test_extreme_shares_and_many_rows_stay_finite() -> None:
    for share in (1e-6, 0.5, 1 - 1e-6):
        for correlation in (0.0, 0.99):
            found = judge_count(5_000, rows=10_000, share=share, correlation=correlation)
            assert 0 <= found.p_value <= 1
            assert 0 <= found.low <= found.high <= 1


def test_discoveries_are_those_of_benjamini_and_hochberg() -> None:
    draw = np.random.default_rng(5)
    p_values = np.concatenate([draw.uniform(size=80), draw.uniform(0, 0.002, size=20)])
    known = stats.false_discovery_control(p_values) <= 0.05
    assert discoveries(p_values, rate=0.05).tolist() == known.tolist()
    assert discoveries(np.array([]), rate=0.05).tolist() == []

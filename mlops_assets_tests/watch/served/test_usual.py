"""What is usual: levels and spreads that hold what they say, with old incidents among them."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_assets.watch.served.usual import count_bounds, learn, reach

DAYS = 71


def learnt(y: np.ndarray, *, noise: float = 0.0):  # type: ignore[no-untyped-def, type-arg]
    place = np.arange(y.shape[1])
    return learn(y, noise=np.full(y.shape, noise), bucket=place % 7, past=place < y.shape[1] - 1)


def test_bounds_are_passed_as_often_as_they_say() -> None:
    """Days that move by themselves and by few rows: 2,000 judged days at one in twenty."""
    draw = np.random.default_rng(0)
    y = draw.normal(0, 0.1, (2000, DAYS)) + draw.normal(0, 0.05, (2000, DAYS))
    outside = []
    for each in y.reshape(200, 10, DAYS):
        usual = learnt(each, noise=0.05**2)
        last = (DAYS - 1) % 7
        deviation = np.sqrt(0.05**2 + usual.between + usual.error[:, last])
        far = np.abs(each[:, -1] - usual.level[:, last]) > reach(usual.freedom, chance=0.05) * deviation
        outside.append(far.mean())
    assert np.mean(outside) == pytest.approx(0.05, abs=0.012)


def test_a_week_gone_wrong_moves_the_spread_by_less_than_half() -> None:
    y = np.random.default_rng(1).normal(0, 0.1, (40, DAYS))
    spoilt = y.copy()
    spoilt[:, 30:37] += 5
    before, after = (np.sqrt(np.median(learnt(each).between)) for each in (y, spoilt))
    assert before == pytest.approx(0.1, rel=0.1)
    assert after < 1.5 * before
    assert np.abs(learnt(spoilt).level - learnt(y).level).max() < 0.12


def test_what_is_judged_is_not_learnt_from() -> None:
    y = np.random.default_rng(2).normal(0, 0.1, (1, DAYS))
    moved = y.copy()
    moved[:, -1] = 99
    assert learnt(y).level.tolist() == learnt(moved).level.tolist()


def test_rows_alone_make_no_spread_between_days() -> None:
    y = np.random.default_rng(3).normal(0, 0.05, (1, DAYS))
    assert learnt(y, noise=0.05**2).between[0] < 0.03**2


def test_counts_hold_their_rate() -> None:
    """Negative binomial counts, of which the mean is estimated from eight weeks."""
    draw = np.random.default_rng(4)
    mean, between, weeks = 40.0, 0.02, 8
    shape = 1 / between
    counts = draw.poisson(draw.gamma(shape, mean / shape, (4000, weeks + 1)))
    outside = 0
    for *past, count in counts.tolist():
        at = float(np.mean(past))
        made = count_bounds(count, mean=at, between=between, error=(at + between * at**2) / weeks, chance=0.02)
        outside += count < made.low or count > made.high
    assert outside / len(counts) == pytest.approx(0.02, abs=0.007)


def test_of_few_a_drop_has_no_bound() -> None:
    assert count_bounds(0, mean=3.0, between=0.0, error=0.0, chance=0.001).low == 0


def test_a_past_figure_looks_like_the_others_only_as_far_as_a_new_one_does() -> None:
    """Two weeks of noise: levels that a figure is part of lie half way to it, those without it anywhere."""
    y, bucket = np.random.default_rng(2).normal(0, 0.1, (200, 15)), np.arange(15) % 7
    told = {"noise": np.full(y.shape, 0.01), "bucket": bucket, "past": np.arange(15) < 14}
    usual = learn(y, **told)

    others = usual.without_own(y, **told)

    past, last = (slice(None), slice(0, 14)), (slice(None), 14)
    assert np.corrcoef(y[past].ravel(), usual.level[:, bucket][past].ravel())[0, 1] > 0.6
    assert abs(np.corrcoef(y[past].ravel(), others[past].ravel())[0, 1]) < 0.05
    np.testing.assert_array_equal(others[last], usual.level[:, bucket[14]])


def test_a_figure_without_others_in_its_bucket_has_nothing_to_be_compared_with() -> None:
    told = {"noise": np.full((1, 3), 0.01), "bucket": np.array([0, 1, 1]), "past": np.array([True, True, True])}
    y = np.array([[0.5, 0.1, 0.3]])

    others = learn(y, **told).without_own(y, **told)

    assert np.isnan(others[0, 0])
    assert np.isfinite(others[0, 1:]).all()

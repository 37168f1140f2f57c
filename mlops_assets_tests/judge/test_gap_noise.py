"""What is known of the noise of calibration gaps, against what it is by construction."""

from __future__ import annotations

import numpy as np
import pytest
from mlops_assets.judge.bootstrap import resampled_gaps
from mlops_assets.judge.gap_noise import (
    Bins,
    freedom_of,
    gap_covariance,
    score_covariance,
    without_chance,
)

from mlops_assets.contract.arrays import Floats
from mlops_assets.judge.families import CALIBRATION_BINS, calibration_gaps
from mlops_assets_tests.judge.test_intervals import make_grouped


def equally_correlated(correlation: float) -> Floats:
    size = CALIBRATION_BINS
    return (np.full((size, size), correlation) + (1 - correlation) * np.eye(size))[None]


def covariance_of(labels: Floats, scores: Floats) -> Floats:
    grouped = make_grouped(labels, scores)
    (gaps,) = resampled_gaps([grouped], resamples=400, seed=0)
    unseen = Bins.of(grouped).unseen_variance()
    return gap_covariance(grouped, found=calibration_gaps(grouped), gaps=gaps, unseen=unseen)[0]


def test_the_noise_of_independent_rows_is_that_of_shares() -> None:
    scores = np.repeat(np.arange(1, 11) / 11, 400)
    labels = np.random.default_rng(1).binomial(1, scores).astype(float)

    covariance = covariance_of(labels, scores)

    share = labels.reshape(10, 400).mean(axis=1)
    assert np.diag(covariance) == pytest.approx(share * (1 - share) / 400 / 10**2, rel=0.2)
    assert np.count_nonzero(covariance - np.diag(np.diag(covariance))) == 0


def test_a_bin_without_a_positive_is_as_uncertain_as_jeffreys_prior_says() -> None:
    scores = np.repeat(np.arange(1, 11) / 100, 30) + np.tile(np.arange(30), 10) / 1e6
    labels = np.zeros(300)
    labels[-20:] = 1

    covariance = covariance_of(labels, scores)

    assert covariance[0, 0] == pytest.approx((0.5 / 31) * (1 - 0.5 / 31) / 30 / 10**2, rel=0.01)


def test_what_is_tried_says_how_much_labels_vary() -> None:
    scores = np.repeat(np.arange(1, 11) / 20, 1000)
    labels = (np.arange(10_000) % 1000 < 500 * (np.arange(10_000) // 1000 >= 5)).astype(float)
    bins = Bins.of(make_grouped(labels, scores))

    as_found = bins.noise_under((bins.score - bins.share) / 10)
    if_right = bins.noise_under(np.zeros((1, 10)))

    assert as_found == pytest.approx(np.ones((1, 10)), rel=0.001)
    assert if_right[0, 5] == pytest.approx(np.sqrt(0.3 * 0.7 / 0.25), rel=0.01)
    assert if_right[0, 0] > 5


def test_labels_of_a_bin_without_a_positive_vary_as_its_scores_say_if_those_are_right() -> None:
    scores = np.repeat(np.arange(1, 11) / 1000, 30) + np.tile(np.arange(30), 10) / 1e7
    labels = np.zeros(300)
    labels[-3:] = 1
    bins = Bins.of(make_grouped(labels, scores))

    if_right = bins.noise_under(np.zeros((1, 10)))

    right, seen = bins.score * (1 - bins.score), bins.variance
    assert if_right[:, :9] == pytest.approx(np.sqrt(right / seen)[:, :9], rel=1e-4)


def test_gaps_that_grow_with_scores_move_with_the_scores_that_other_rows_would_have() -> None:
    """Without a positive a gap is the mean score of its bin: nothing but the rows drawn moves it."""
    slices, rows = 3000, 300
    scores = np.random.default_rng(3).beta(1, 3, slices * rows)
    grouped = make_grouped(np.zeros(len(scores)), scores, codes=np.repeat(np.arange(slices), rows))
    found = calibration_gaps(grouped)

    (gaps,) = resampled_gaps([grouped], resamples=100, seed=0)
    within = gap_covariance(grouped, found=found, gaps=gaps, unseen=np.zeros_like(found))
    between = score_covariance(Bins.of(grouped), found=found, rows=grouped.counts)

    moved = np.cov(found.T)
    assert (within + between).mean(axis=0) == pytest.approx(moved, abs=0.05 * moved.max())
    assert between.mean(axis=0).sum() > 0.8 * moved.sum()


def test_gaps_that_do_not_grow_with_scores_do_not_move_with_them() -> None:
    scores = np.repeat(np.arange(1, 11) / 20, 100)
    labels = (np.arange(1000) % 100 < np.repeat(np.arange(1, 11), 100) * 5).astype(float)
    grouped = make_grouped(labels, scores)

    told = score_covariance(Bins.of(grouped), found=calibration_gaps(grouped) + 0.01, rows=grouped.counts)

    assert told == pytest.approx(np.zeros((1, 10, 10)), abs=1e-12)


def test_scores_that_are_all_the_same_have_no_span_to_move_by() -> None:
    grouped = make_grouped(np.arange(50) % 2, np.full(50, 0.4))

    told = score_covariance(Bins.of(grouped), found=calibration_gaps(grouped), rows=grouped.counts)

    assert (told == 0).all()


@pytest.mark.parametrize(
    ("correlation", "freedom"), [(0.0, 27 * CALIBRATION_BINS), (0.5, 27), (1.0, 27), (-0.05, 27 * CALIBRATION_BINS)]
)
def test_bins_that_move_together_tell_no_more_of_their_noise_than_one(correlation: float, freedom: float) -> None:
    found = freedom_of(equally_correlated(correlation), units=np.array([28]), resamples=1_000_000)

    assert found == pytest.approx([freedom], rel=0.001)


def test_few_resamples_tell_less_of_the_noise_than_all_units_could() -> None:
    found = freedom_of(equally_correlated(0.5), units=np.array([101]), resamples=101)

    assert found == pytest.approx([50])


@pytest.mark.parametrize("correlation", [0.0, 0.4])
def test_chance_correlations_are_shrunk_to_what_bins_have_in_common(correlation: float) -> None:
    truth = equally_correlated(correlation)
    drawn = np.random.default_rng(2).multivariate_normal(np.zeros(10), truth[0], size=(200, 28))
    seen = np.stack([np.cov(each.T) for each in drawn])

    shrunk = without_chance(seen, chance=np.full(200, 1 / 27))

    def off(found: Floats) -> float:
        spread = np.sqrt(np.diagonal(found, axis1=1, axis2=2))
        return float(np.square(found / spread[:, :, None] / spread[:, None, :] - truth).mean())

    assert off(shrunk) < off(seen) / 2
    assert (np.linalg.eigvalsh(shrunk) > -1e-9).all()

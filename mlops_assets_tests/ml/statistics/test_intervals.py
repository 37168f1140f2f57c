"""Intervals against published values and scipy, and the coverage they promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mlops_assets.ml.statistics.intervals import (
    bootstrap,
    delong_error,
    logit_bounds,
    poisson_weights,
    share_bounds,
    standard_error,
    wilson,
)
from mlops_assets.ml.statistics.metrics import Grouped, Rows, average_precision, roc_auc
from mlops_assets_tests.ml.evaluation.judged_rows import make_rows


def make_grouped(
    labels: np.ndarray,
    scores: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    clusters: np.ndarray | None = None,
    codes: np.ndarray | None = None,
) -> Grouped:
    order = np.argsort(scores, kind="stable")
    rows = Rows(
        labels=np.asarray(labels, dtype=np.float64)[order],
        scores=np.asarray(scores, dtype=np.float64)[order],
        weights=np.ones(len(order)) if weights is None else weights[order],
        units=np.arange(len(order)) if clusters is None else clusters[order],
        clustered=clusters is not None,
    )
    groups = np.zeros(len(order), dtype=np.int32) if codes is None else codes[order].astype(np.int32)
    return Grouped(rows, codes=groups, segments=int(groups.max()) + 1)


def auc_error(grouped: Grouped) -> float:
    return float(delong_error(grouped, components=grouped.beaten, area=roc_auc(grouped))[0])


@pytest.mark.parametrize(("hits", "trials"), [(0, 10), (3, 10), (81, 263), (148, 148)])
def test_wilson_agrees_with_scipy(hits: int, trials: int) -> None:
    lower, upper = wilson(np.array([hits / trials]), count=np.array([float(trials)]), z=stats.norm.ppf(0.975))

    known = stats.binomtest(hits, trials).proportion_ci(method="wilson")
    assert (lower[0], upper[0]) == pytest.approx((known.low, known.high), abs=1e-12)


def test_wilson_agrees_with_newcombe_1998() -> None:
    lower, upper = wilson(np.array([81 / 263]), count=np.array([263.0]), z=1.959964)

    assert (round(float(lower[0]), 4), round(float(upper[0]), 4)) == (0.2553, 0.3662)


def test_delong_agrees_with_the_definition_of_1988() -> None:
    labels, scores, _ = make_rows(300, decimals=1)
    positives, negatives = scores[labels == 1], scores[labels == 0]
    wins = (positives[:, None] > negatives) + 0.5 * (positives[:, None] == negatives)
    variance = wins.mean(axis=1).var(ddof=1) / len(positives) + wins.mean(axis=0).var(ddof=1) / len(negatives)

    assert auc_error(make_grouped(labels, scores)) == pytest.approx(np.sqrt(variance), rel=1e-12)


def test_clusters_of_one_row_are_no_clusters() -> None:
    labels, scores, _ = make_rows(300, decimals=9)

    clustered = auc_error(make_grouped(labels, scores, clusters=np.arange(300)))

    assert clustered == pytest.approx(auc_error(make_grouped(labels, scores)), rel=1e-12)


def test_repeating_every_row_in_its_cluster_does_not_make_an_area_surer() -> None:
    labels, scores, _ = make_rows(300, decimals=9)
    twice = make_grouped(np.tile(labels, 2), np.tile(scores, 2), clusters=np.tile(np.arange(300), 2))

    assert auc_error(twice) == pytest.approx(auc_error(make_grouped(labels, scores)), rel=1e-12)


def test_repeating_every_row_in_its_cluster_does_not_make_a_share_surer() -> None:
    labels, scores, _ = make_rows(300)
    once = make_grouped(labels, scores)
    twice = make_grouped(np.tile(labels, 2), np.tile(scores, 2), clusters=np.tile(np.arange(300), 2))

    _, known = share_bounds(once, among=np.ones(300), hit=once.labels)
    _, found = share_bounds(twice, among=np.ones(600), hit=twice.labels)

    assert found.lower[0] == pytest.approx(known.lower[0], abs=5e-4)
    assert found.upper[0] == pytest.approx(known.upper[0], abs=5e-4)


def test_uneven_weights_make_a_share_less_sure() -> None:
    labels, scores, _ = make_rows(400)
    even = make_grouped(labels, scores)
    uneven = make_grouped(labels, scores, weights=np.where(np.arange(400) % 10 == 0, 20.0, 1.0))

    widths = []
    for grouped in (even, uneven):
        _, bounds = share_bounds(grouped, among=np.ones(400), hit=grouped.labels)
        widths.append(bounds.upper[0] - bounds.lower[0])
    assert widths[1] > 1.5 * widths[0]


def test_a_perfect_area_is_only_as_sure_as_its_rarer_class() -> None:
    bounds = logit_bounds(np.array([1.0]), error=np.zeros(1), t=np.full(1, 2.0), cases=np.array([20]), method="x")

    known = stats.binomtest(20, 20).proportion_ci(method="exact")
    assert (bounds.lower[0], bounds.upper[0]) == pytest.approx((known.low, 1.0))


def test_poisson_weights_have_the_poisson_distribution() -> None:
    weights = poisson_weights(np.random.default_rng(0), units=2000, resamples=200)

    shares = np.bincount(weights.ravel().astype(np.int64), minlength=6)[:6] / weights.size
    assert shares == pytest.approx(stats.poisson.pmf(np.arange(6), 1), abs=2e-3)


def test_resampled_errors_are_those_of_the_mean() -> None:
    labels, scores, _ = make_rows(2000, decimals=9)
    grouped = make_grouped(labels, scores)
    (resampled,) = bootstrap([grouped], resamples=2000, seed=0)

    for found, loss in zip((resampled.log_loss, resampled.brier_loss), grouped.rows.losses, strict=True):
        error = standard_error(found, units=grouped.unit_counts)[0]
        assert error == pytest.approx(loss.std(ddof=1) / np.sqrt(2000), rel=0.05)


def test_resampling_average_precision_in_buckets_gives_the_error_of_resampling_it_exactly() -> None:
    labels, scores, _ = make_rows(3000, decimals=9)
    (resampled,) = bootstrap([make_grouped(labels, scores)], resamples=1000, seed=0)
    generator = np.random.default_rng(1)
    exact = []
    for _ in range(400):
        rows = np.flatnonzero(weights := generator.poisson(1, 3000))
        drawn = make_grouped(labels[rows], scores[rows], weights=weights[rows].astype(np.float64))
        exact.append(average_precision(drawn)[0])

    assert resampled.average_precision.std() == pytest.approx(np.std(exact), rel=0.1)


def test_resampling_whole_clusters_finds_the_spread_between_them() -> None:
    labels, scores, _ = make_rows(1000, decimals=9)
    grouped = make_grouped(np.tile(labels, 3), np.tile(scores, 3), clusters=np.tile(np.arange(1000), 3))

    (resampled,) = bootstrap([grouped], resamples=1000, seed=0)

    once = make_grouped(labels, scores)
    error = once.rows.losses[0].std(ddof=1) / np.sqrt(1000)
    assert standard_error(resampled.log_loss, units=grouped.unit_counts)[0] == pytest.approx(error, rel=0.1)

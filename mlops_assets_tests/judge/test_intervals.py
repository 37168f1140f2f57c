"""Intervals against published values and scipy, and the coverage they promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mlops_assets.judge.families import Grouped, Rows, roc_auc
from mlops_assets.judge.influences import delong_influences
from mlops_assets.judge.intervals import count_bounds, logit_bounds, share_bounds, wilson
from mlops_assets_tests.judge.judged_rows import make_rows


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
    return float(delong_influences(grouped, components=grouped.beaten, area=roc_auc(grouped)).error[0])


@pytest.mark.parametrize(("hits", "trials"), [(0, 10), (3, 10), (81, 263), (148, 148)])
def test_wilson_agrees_with_scipy(hits: int, trials: int) -> None:
    lower, upper = wilson(np.array([hits / trials]), count=np.array([float(trials)]), z=stats.norm.ppf(0.975))

    known = stats.binomtest(hits, trials).proportion_ci(method="wilson")
    assert (lower[0], upper[0]) == pytest.approx((known.low, known.high), abs=1e-12)


def test_wilson_agrees_with_newcombe_1998() -> None:
    lower, upper = wilson(np.array([81 / 263]), count=np.array([263.0]), z=1.959964)

    assert (round(float(lower[0]), 4), round(float(upper[0]), 4)) == (0.2553, 0.3662)


@pytest.mark.parametrize("rows", [50, 80, 150, 400])
@pytest.mark.parametrize(
    ("hits", "least", "most"),
    [((0.05, 1), 0.95, 1), ((1, 5), 0.925, 0.985), ((5, 10), 0.925, 0.975), ((10, 25), 0.93, 0.97)],
)
def test_intervals_of_shares_hold_the_truth_as_often_as_whole_numbers_allow(
    rows: int, hits: tuple[float, float], least: float, most: float
) -> None:
    """Summed over all numbers of hits there can be, for shares of which so many hits (or misses) are to be expected."""
    count = np.arange(rows + 1.0)
    lower, upper = count_bounds(count, count=np.full(rows + 1, float(rows)))
    true = np.linspace(*hits, 300)[:, None] / rows

    held = np.sum(stats.binom.pmf(count, rows, true) * ((lower <= true) & (true <= upper)), axis=1)
    mirrored = np.sum(stats.binom.pmf(count, rows, 1 - true) * ((lower <= 1 - true) & (1 - true <= upper)), axis=1)

    assert least <= held.min()
    assert held.max() <= most
    assert 0.945 <= held.mean() <= (0.985 if hits[1] <= 1 else 0.965)
    assert mirrored == pytest.approx(held)


def test_three_hits_or_misses_and_none_are_modified_as_published() -> None:
    """Brown, Cai & DasGupta 2001: of x hits, half the 5 % quantile of chi-square with 2 x degrees of freedom."""
    hits = np.array([0, 1, 3, 4, 97, 99, 100.0])

    lower, upper = count_bounds(hits, count=np.full(7, 100.0))

    plain = [stats.binomtest(int(each), 100).proportion_ci(method="wilson") for each in hits]
    few = {x: stats.chi2.ppf(0.05, 2 * x) / 2 / 100 for x in (1, 3)}
    assert lower == pytest.approx([0, few[1], few[3], *(each.low for each in plain[3:])])
    assert upper == pytest.approx([*(each.high for each in plain[:4]), 1 - few[3], 1 - few[1], 1])


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

"""The resamples of calibration gaps: Poisson weights, and the spread that scipy and the definition of a mean give."""

from __future__ import annotations

import numpy as np
import pytest
from mlops_assets.judge.bootstrap import poisson_weights, resampled_gaps
from scipy import stats

from mlops_assets.judge.families import CALIBRATION_BINS, Grouped
from mlops_assets_tests.judge.judged_rows import make_rows
from mlops_assets_tests.judge.test_intervals import make_grouped


def bin_gaps(grouped: Grouped) -> list[np.ndarray]:
    """What each row of a bin adds to its gap."""
    gaps = (grouped.rows.scores - grouped.rows.labels)[grouped.order]
    return [gaps[grouped.calibration_bin == number] for number in range(CALIBRATION_BINS)]


def test_poisson_weights_have_the_poisson_distribution() -> None:
    weights = poisson_weights(np.random.default_rng(0), units=2000, resamples=200)

    shares = np.bincount(weights.ravel().astype(np.int64), minlength=6)[:6] / weights.size
    assert shares == pytest.approx(stats.poisson.pmf(np.arange(6), 1), abs=2e-3)


def test_resampled_gaps_spread_like_the_mean_of_their_bin() -> None:
    grouped = make_grouped(*make_rows(2000, decimals=9)[:2])
    (gaps,) = resampled_gaps([grouped], resamples=2000, seed=0)

    wanted = [each.std(ddof=1) * np.sqrt(len(each)) / 2000 for each in bin_gaps(grouped)]
    assert gaps[0].std(axis=1) == pytest.approx(wanted, rel=0.1)


def test_resampled_gaps_spread_like_scipys_bootstrap() -> None:
    grouped = make_grouped(*make_rows(1500, decimals=9)[:2])
    (gaps,) = resampled_gaps([grouped], resamples=2000, seed=0)

    for number, each in enumerate(bin_gaps(grouped)):
        known = stats.bootstrap((each,), np.mean, n_resamples=2000, rng=0, method="basic").standard_error
        assert gaps[0, number].std() == pytest.approx(known * len(each) / 1500, rel=0.1)


def test_resampling_whole_clusters_finds_the_spread_between_them() -> None:
    labels, scores, _ = make_rows(1000, decimals=9)
    once = make_grouped(labels, scores)
    thrice = make_grouped(np.tile(labels, 3), np.tile(scores, 3), clusters=np.tile(np.arange(1000), 3))

    (of_once,), (of_thrice,) = (resampled_gaps([each], resamples=2000, seed=0) for each in (once, thrice))

    assert of_thrice[0].std(axis=1) == pytest.approx(of_once[0].std(axis=1), rel=0.1)


def test_all_families_see_the_same_resamples() -> None:
    labels, scores, _ = make_rows(800, decimals=9)
    both = np.zeros(800, dtype=np.int32)
    (one, other) = resampled_gaps(
        [make_grouped(labels, scores), make_grouped(labels, scores, codes=both)], resamples=50, seed=3
    )

    assert one == pytest.approx(other)

"""Distances agree with scipy and with worked examples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency, wasserstein_distance

from mlops_assets.watch.profiles import distances
from mlops_assets.watch.profiles.cells import Floats


@pytest.fixture(params=range(5))
def counts(request: pytest.FixtureRequest) -> tuple[Floats, Floats]:
    random = np.random.default_rng(request.param)
    return random.integers(0, 50, (3, 8)).astype(float), random.integers(1, 500, (3, 8)).astype(float)


def test_jensen_shannon_is_scipys(counts: tuple[Floats, Floats]) -> None:
    found, reference = counts
    expected = [jensenshannon(p, q, base=2) for p, q in zip(found, reference, strict=True)]
    np.testing.assert_allclose(distances.jensen_shannon(found, reference=reference), expected, atol=1e-12)


def test_wasserstein_is_scipys(counts: tuple[Floats, Floats]) -> None:
    found, reference = counts
    values = np.array([-3.0, -1.5, 0.0, 0.25, 4.0, 9.0, 10.0, 100.0])
    expected = [wasserstein_distance(values, values, p, q) for p, q in zip(found, reference, strict=True)]
    moved = distances.wasserstein(found, reference=reference, values=values)
    np.testing.assert_allclose(moved, expected, rtol=1e-12)


def test_homogeneity_is_scipys_chi_squared(counts: tuple[Floats, Floats]) -> None:
    found, reference = counts
    expected = [chi2_contingency(np.array([p, q]), correction=False)[1] for p, q in zip(found, reference, strict=True)]
    np.testing.assert_allclose(distances.homogeneity_p(found, reference=reference), expected, rtol=1e-9)


def test_stability_index_is_the_sum_of_its_terms() -> None:
    # shares 0.2, 0.3, 0.5 against 0.25, 0.25, 0.5, on so many rows that half a row changes nothing
    index = distances.stability_index(np.array([[2e9, 3e9, 5e9]]), reference=np.array([[2.5e9, 2.5e9, 5e9]]))
    assert index[0] == pytest.approx(-0.05 * np.log(0.2 / 0.25) + 0.05 * np.log(0.3 / 0.25), rel=1e-6)


def test_largest_difference_and_unseen_values() -> None:
    found, reference = np.array([[5.0, 0.0, 5.0]]), np.array([[8.0, 2.0, 0.0]])
    assert distances.largest_difference(found, reference=reference)[0] == pytest.approx(0.5)
    assert distances.unseen_share(found, reference=reference)[0] == pytest.approx(0.5)


def test_bins_hold_equal_shares_of_the_reference() -> None:
    reference = np.ones((1, 1000))
    binned = distances.bin_by_reference(reference, reference=reference)
    np.testing.assert_array_equal(binned[1], np.full((1, distances.BINS), 100.0))
    np.testing.assert_array_equal(binned[0], binned[1])


def test_rare_values_are_compared_together() -> None:
    found, reference = np.array([[90.0, 3.0, 7.0]]), np.array([[960.0, 20.0, 20.0]])
    pooled = distances.pool_rare(found, reference=reference)
    assert pooled[0].tolist() == [[90.0, 0.0, 0.0, 10.0]]
    assert pooled[1].tolist() == [[960.0, 0.0, 0.0, 40.0]]


def test_nothing_is_at_no_distance() -> None:
    nothing = np.zeros((1, 3))
    assert distances.jensen_shannon(nothing, reference=nothing)[0] == 0
    assert distances.homogeneity_p(nothing, reference=nothing)[0] == 1
    assert distances.wasserstein(nothing[:, :1], reference=nothing[:, :1], values=np.zeros(1))[0] == 0

"""A bound is never beyond what its measure can reach, and a few odd days do not move it; many do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.contract.drift import BOUNDED, LEAST_EFFECTS
from mlops_assets.watch.profiles.bounds import learn_bounds
from mlops_assets.watch.profiles.reaches import jensen_shannon_reach, smallest_change

DAYS = 28
USUAL = np.linspace(0.05, 0.12, DAYS)


def bound(past: np.ndarray, *, measure: str = "missing_share") -> float:
    return float(learn_bounds(past[None, :], measures=[measure], count=100, rate=0.01)[0])


@given(st.lists(st.floats(0, 1), min_size=14, max_size=DAYS), st.sampled_from(sorted(BOUNDED)))
def test_bounds_of_what_is_at_most_one_are_not_above_one(past: list[float], measure: str) -> None:
    assert LEAST_EFFECTS[measure] <= bound(np.array(past), measure=measure) <= 1


@pytest.mark.parametrize("odd", [1, 2])
def test_a_storm_of_two_days_moves_no_bound(odd: int) -> None:
    stormy = USUAL.copy()
    stormy[5 : 5 + odd] = 0.6
    assert bound(stormy) == pytest.approx(bound(np.delete(USUAL, range(5, 5 + odd))), rel=1e-9)


def test_weather_that_comes_every_week_is_usual() -> None:
    stormy = USUAL.copy()
    stormy[::4] = 0.6
    assert bound(stormy) > 0.6


def test_days_that_do_not_count_are_as_if_they_were_not_there() -> None:
    unknown = USUAL.copy()
    unknown[[3, 9]] = np.nan
    assert bound(unknown) == pytest.approx(bound(np.delete(USUAL, [3, 9])))


@pytest.mark.parametrize("rarest", [0.001, 0.1, 0.4])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_smallest_change_passes_the_bound_and_a_smaller_bound_needs_less(rarest: float, share: float) -> None:
    reach = float(jensen_shannon_reach(np.array([rarest]))[0])
    found = smallest_change("jensen_shannon", bound=share * reach, rarest=rarest)
    assert 0 < found < 1
    assert smallest_change("jensen_shannon", bound=0.9 * share * reach, rarest=rarest) < found

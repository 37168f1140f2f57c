"""What nothing known explains is told by what moved, from where to where, and in which segments."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_assets.contract.anomalies import Cause
from mlops_assets.contract.slices import OVERALL
from mlops_assets.watch.profiles.shift import Shift
from mlops_assets.watch.validation.explanations import Figures
from mlops_assets.watch.validation.shift_evidence import tell_evidence
from mlops_assets_tests.watch.validation.test_explanations import REFERENCE, Columns, columns, profile


def told(
    column: str, *, measure: str, scope: str = OVERALL, where: np.ndarray | None = None, to: object = np.nan
) -> tuple[Cause | None, str]:
    """The evidence of a day whose ``column`` is ``to`` on the rows ``where``."""
    found: Columns = columns(seed=1)
    if where is not None:
        found[column] = np.where(where, to, found[column])
    shift = Shift(
        scope=scope,
        column=column,
        measure=measure,
        found=1.0,
        bound=0.1,
        p_value=0.0,
        rows=600,
        reference_rows=6000,
        verdict="moved",
    )
    return tell_evidence(shift, found=Figures(profile=profile(found)), reference=Figures(profile=REFERENCE))


DAY = columns(seed=1)


def test_a_segment_that_moved_alone_is_named_with_its_figures() -> None:
    cause, said = told("weight", measure="missing_share", scope="shop=b", where=DAY["shop"] == "b")
    assert cause is Cause.SOME_SEGMENTS
    assert said == (
        "The missing share of weight within shop=b rose from 0.0% to 100.0%, and by half as much or more in none of 3 "
        "other segments."
    )


def test_segments_that_moved_along_are_counted_and_named() -> None:
    cause, said = told("weight", measure="wasserstein", where=np.isin(DAY["shop"], ["a", "b"]), to=400.0)
    assert cause is Cause.SOME_SEGMENTS
    assert "in 2 of 4 segments (shop=" in said
    broad, _ = told("weight", measure="wasserstein", where=DAY["weight"] > 0, to=400.0)
    assert broad is Cause.BROAD_CHANGE


def test_a_change_of_shape_is_told_by_the_values_that_became_rarer_or_more_frequent() -> None:
    middle = np.abs(DAY["height"] - 170) < 3
    _, said = told("height", measure="jensen_shannon", where=middle, to=170.0)
    assert said.startswith("The share of height from 170 to 172 rose from 9.6% to 23.2%")


def test_a_category_is_told_by_the_value_that_moved_most() -> None:
    _, said = told("shop", measure="jensen_shannon", where=DAY["shop"] == "c", to="d")
    assert said.startswith("The share of 'c' in shop fell from 20.4% to 0.0%")


@pytest.mark.parametrize(("column", "scope"), [("colour", OVERALL), ("weight", "shop=z")])
def test_what_is_not_there_has_no_evidence(column: str, scope: str) -> None:
    assert told(column, measure="wasserstein", scope=scope) == (None, "")

"""The test behind the interval of the calibration error against what was published. Coverage: `test_coverage.py`."""

from __future__ import annotations

import numpy as np
import pytest
from mlops_assets.judge.bootstrap import resampled_gaps
from mlops_assets.judge.calibration import accepted, calibration_bounds
from scipy.special import ndtri

from mlops_assets_tests.judge.test_intervals import make_grouped


def accepted_means(seen: float) -> tuple[float, float]:
    """The smallest and largest mean under which ``seen`` is no surprise, in standard errors."""
    means = np.linspace(0, 8, 8001)
    low, high = (ndtri(tail) for tail in accepted(means))
    held = means[(seen - means >= low) & (seen - means <= high)]
    return float(held.min()), float(held.max())


@pytest.mark.parametrize(("seen", "published"), [(0.0, (0.0, 1.96)), (1.0, (0.0, 2.96)), (2.0, (0.35, 3.96))])
def test_what_is_accepted_agrees_with_feldman_and_cousins_1998(seen: float, published: tuple[float, float]) -> None:
    assert accepted_means(seen) == pytest.approx(published, abs=0.01)


def test_a_model_that_was_always_right_has_a_calibration_error_of_0_and_may_have_hardly_more() -> None:
    labels = np.tile([0.0, 1.0], 200)
    grouped = make_grouped(labels, labels)
    (gaps,) = resampled_gaps([grouped], resamples=200, seed=0)

    value, bounds = calibration_bounds(grouped, gaps=gaps)

    assert (value[0], bounds.lower[0]) == (0.0, 0.0)
    assert 0.0 < bounds.upper[0] < 0.01


def test_bins_of_one_row_make_no_error_sure() -> None:
    scores, labels = np.linspace(0.05, 0.95, 10), np.tile([0.0, 1.0], 5)
    grouped = make_grouped(labels, scores)
    (gaps,) = resampled_gaps([grouped], resamples=200, seed=0)

    value, bounds = calibration_bounds(grouped, gaps=gaps)

    assert 0 == bounds.lower[0] < value[0] < bounds.upper[0]

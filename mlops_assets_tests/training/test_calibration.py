"""Calibrated scores mean what they say, whichever map it takes, and are the same to the bit alone and in a batch."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from mlops_assets.training.calibration import KINDS, Calibration, choose_calibration, learn_calibration
from mlops_assets_tests.judge.judged_rows import value_of

DRAW = np.random.default_rng(2)
TRUTH = DRAW.uniform(0.02, 0.98, 6000)
LABELS = (DRAW.uniform(size=6000) < TRUTH).astype(np.float64)
OVERSURE = expit(2.5 * logit(TRUTH) - 0.5)
STEPPED = 0.5 * (TRUTH > 0.5) + TRUTH / 20
WEIGHTS = DRAW.uniform(0.5, 2, 6000)


@pytest.mark.parametrize(("scores", "kind"), [(TRUTH, "none"), (OVERSURE, "sigmoid"), (STEPPED, "isotonic")])
def test_the_map_that_fits_is_chosen(scores: np.ndarray, kind: str) -> None:
    half = np.arange(6000) % 2 == 0

    chosen = choose_calibration(LABELS[half], scores[half])

    assert chosen.kind == kind
    assert value_of("expected_calibration_error", LABELS[~half], chosen.apply(scores[~half])) < 0.03
    assert value_of("expected_calibration_error", LABELS[~half], OVERSURE[~half]) > 0.05


def test_the_sigmoid_is_scikit_learns() -> None:
    slope, intercept = learn_calibration(LABELS, OVERSURE, kind="sigmoid", weights=WEIGHTS).knots

    reference = LogisticRegression(C=np.inf, tol=1e-10).fit(logit(OVERSURE)[:, None], LABELS, sample_weight=WEIGHTS)
    assert (slope, intercept) == pytest.approx((reference.coef_[0, 0], reference.intercept_[0]), rel=1e-4)


def test_isotonic_is_scikit_learns() -> None:
    ours = learn_calibration(LABELS, STEPPED, kind="isotonic", weights=WEIGHTS)

    reference = IsotonicRegression(out_of_bounds="clip").fit(STEPPED, LABELS, sample_weight=WEIGHTS)
    asked = DRAW.uniform(0, 1, 1000)
    assert ours.apply(asked) == pytest.approx(reference.predict(asked), abs=1.0 / 6000)


@pytest.mark.parametrize("kind", KINDS)
def test_ranks_never_turn_round_and_json_keeps_every_bit(kind: str) -> None:
    learnt = learn_calibration(LABELS, OVERSURE, kind=kind, weights=WEIGHTS)  # type: ignore[arg-type]
    again = Calibration.from_json(learnt.to_json())
    asked = np.sort(DRAW.uniform(0, 1, 999))

    assert (np.diff(learnt.apply(asked)) >= 0).all()
    assert np.array_equal(again.apply(asked), learnt.apply(asked))
    alone = np.array([again.apply(asked[i : i + 1])[0] for i in range(len(asked))])
    assert np.array_equal(alone, learnt.apply(asked))


def test_a_score_that_ranks_the_wrong_way_round_becomes_the_prior() -> None:
    learnt = learn_calibration(LABELS, 1 - TRUTH, kind="sigmoid", weights=np.ones(6000))

    assert np.ptp(learnt.apply(TRUTH)) == 0

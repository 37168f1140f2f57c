"""From a model's scores to probabilities that mean what they say: learnt on validation rows, frozen with the version.

Which map is best is chosen by cross-validation on the same rows: none, a sigmoid of the score's logit (Platt 1999), or
an isotonic step function made of lines (Zadrozny & Elkan 2002). How well scores are calibrated is judged on test rows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit, logit

from mlops_assets.contract.arrays import Floats, Ints

Kind = Literal["none", "sigmoid", "isotonic"]
KINDS: tuple[Kind, ...] = ("none", "sigmoid", "isotonic")
FOLDS = 5
_EDGE = 1e-7


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A non-decreasing map of scores. A sigmoid has ``knots`` (slope, intercept); an isotonic one goes through the
    points (``knots``, ``values``) in straight lines.
    """

    kind: Kind
    knots: tuple[float, ...] = ()
    values: tuple[float, ...] = ()

    def apply(self, scores: Floats) -> Floats:
        """The calibrated scores; a row's does not depend on the rows beside it."""
        if self.kind == "sigmoid":
            slope, intercept = self.knots
            return np.asarray(expit(slope * _logits(scores) + intercept), dtype=np.float64)
        if self.kind == "isotonic":
            return np.asarray(np.interp(scores, self.knots, self.values), dtype=np.float64)
        return scores

    def to_json(self) -> bytes:
        """The frozen form that is stored with the model version."""
        return json.dumps({"kind": self.kind, "knots": self.knots, "values": self.values}, indent=1).encode()

    @classmethod
    def from_json(cls, text: bytes | str) -> Calibration:
        """The calibration that ``to_json`` wrote, to the bit."""
        told = json.loads(text)
        return cls(kind=told["kind"], knots=tuple(told["knots"]), values=tuple(told["values"]))


def choose_calibration(
    labels: Floats, scores: Floats, *, weights: Floats | None = None, units: Ints | None = None
) -> Calibration:
    """The kind with the lowest log loss on rows it was not learnt from, learnt again from all of them.

    Rows of one of the ``units`` are in one fold.
    """
    weight = np.ones(len(labels)) if weights is None else weights
    rank = np.arange(len(labels)) if units is None else np.unique(units, return_inverse=True)[1]
    losses = dict.fromkeys(KINDS, 0.0)
    for fold in range(FOLDS):
        held = rank % FOLDS == fold
        if 0 < labels[~held].sum() < (~held).sum():
            for kind in KINDS:
                learnt = learn_calibration(labels[~held], scores[~held], kind=kind, weights=weight[~held])
                losses[kind] += _log_loss(labels[held], learnt.apply(scores[held]), weight[held])
    best = min(KINDS, key=lambda kind: losses[kind])
    return learn_calibration(labels, scores, kind=best, weights=weight)


def learn_calibration(labels: Floats, scores: Floats, *, kind: Kind, weights: Floats) -> Calibration:
    """A calibration of that kind from ``labels`` of 0 and 1 and the scores they were given."""
    if kind == "sigmoid":
        return Calibration(kind=kind, knots=_sigmoid(labels, _logits(scores), weights))
    if kind == "isotonic":
        knots, values = _isotonic(labels, scores, weights)
        return Calibration(kind=kind, knots=tuple(knots.tolist()), values=tuple(values.tolist()))
    return Calibration(kind=kind)


def _sigmoid(labels: Floats, logits: Floats, weights: Floats) -> tuple[float, float]:
    """Slope and intercept by Newton's method; a slope under 0 would turn the ranking round and becomes 0."""
    design = np.column_stack([logits, np.ones(len(logits))])

    def loss(candidate: Floats) -> float:
        linear = design @ candidate
        return float((weights * (np.logaddexp(0, linear) - labels * linear)).sum())

    found, lost = np.zeros(2), loss(np.zeros(2))
    for _ in range(50):
        answer = expit(design @ found)
        gradient = design.T @ (weights * (labels - answer))
        hessian = (design * (weights * answer * (1 - answer))[:, None]).T @ design
        step = np.linalg.solve(hessian + 1e-9 * np.eye(2), gradient)
        while (now := loss(found + step)) > lost and np.abs(step).max() > 1e-10:
            step = step / 2
        found, lost = found + step, min(now, lost)
        if np.abs(step).max() <= 1e-10:
            break
    return max(float(found[0]), 0.0), float(found[1])


def _isotonic(labels: Floats, scores: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Pool adjacent violators (Ayer et al. 1955); shares are kept half a row away from 0 and 1."""
    from scipy.optimize import isotonic_regression  # takes a tenth of a second to import, which no service needs

    distinct, which = np.unique(scores, return_inverse=True)
    mass = np.bincount(which, weights=weights)
    means = np.bincount(which, weights=weights * labels) / mass
    blocks = isotonic_regression(means, weights=mass)
    half = 0.5 / len(labels)
    values = np.clip(blocks.x, half, 1 - half)
    ends = np.unique(np.concatenate([blocks.blocks[:-1], blocks.blocks[1:] - 1]))
    return distinct[ends], values[ends]


def _logits(scores: Floats) -> Floats:
    return np.asarray(logit(np.clip(scores, _EDGE, 1 - _EDGE)), dtype=np.float64)


def _log_loss(labels: Floats, scores: Floats, weights: Floats) -> float:
    sure = np.clip(np.where(labels == 1, scores, 1 - scores), 1e-15, 1)
    return float(-(weights * np.log(sure)).sum())

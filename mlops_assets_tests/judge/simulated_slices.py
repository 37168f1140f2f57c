"""Slices drawn from a model of which everything is known, to see how often intervals hold the truth.

Shared by ``test_coverage.py`` and ``benchmarks/coverage.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit

from mlops_assets.contract.slices import Slice
from mlops_assets.judge.report import EvaluationReport, evaluate

BY_GROUP = Slice(name="group", columns=("group",))
THRESHOLD = 0.3
SHARES = {"positive_rate", "predicted_positive_rate", "precision_score", "recall_score", "f1_score"}
Held = dict[str, NDArray[np.bool_]]
"""Of every metric that some slices tell: whether the interval of each of them holds the true value."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Slices of ``rows`` each, alike but for chance.

    Log odds as scored lie around ``centre`` and spread by ``skill``; the true ones are off by ``bias``, by as much as
    the model is ``oversure`` (a share), and by ``top`` in its highest tenth. Rows of each of ``days`` days per slice
    have an error in common, which spreads by ``shared``. The logarithms of weights spread by ``unequal``.
    """

    rows: int
    centre: float = -1.0
    skill: float = 1.0
    bias: float = 0.0
    oversure: float = 0.0
    top: float = 0.0
    days: int = 0
    shared: float = 0.0
    unequal: float = 0.0

    def __str__(self) -> str:
        default = Kind(rows=0)
        told = {name: value for name, value in vars(self).items() if value != getattr(default, name)}
        return ", ".join(f"{name} {value:g}" for name, value in told.items())

    def true_odds(self, odds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of rows that are scored with such log odds, but for what their day adds."""
        highest = stats.norm.ppf(0.9, self.centre, self.skill)
        return np.asarray(odds * (1 - self.oversure) + self.bias - self.top * (odds > highest))

    def truth(self) -> dict[str, float]:
        """Of all rows there could be: by the quantiles of their log odds, each with the share that is positive."""
        odds = stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000, self.centre, self.skill)
        of_day = self.shared * stats.norm.ppf((np.arange(25) + 0.5) / 25) if self.shared else np.zeros(1)
        scores, positive = expit(odds), np.mean([expit(self.true_odds(odds) + each) for each in of_day], axis=0)
        negative, decided = 1 - positive, scores >= THRESHOLD
        precision = np.cumsum(positive[::-1])[::-1] / np.arange(len(odds), 0, -1)
        outranked = (np.cumsum(negative) - negative / 2) / negative.sum()
        hits = positive[decided].sum()
        return {
            "roc_auc_score": np.average(outranked, weights=positive),
            "average_precision_score": np.average(precision, weights=positive),
            "log_loss": -np.mean(positive * np.log(scores) + negative * np.log(1 - scores)),
            "brier_loss": np.mean(positive * np.square(1 - scores) + negative * np.square(scores)),
            "calibration_in_the_large": (scores - positive).mean(),
            "calibration_slope": _slope(odds, positive),
            "positive_rate": positive.mean(),
            "predicted_positive_rate": decided.mean(),
            "precision_score": hits / max(decided.sum(), 1),
            "recall_score": hits / positive.sum(),
            "f1_score": 2 * hits / (positive.sum() + decided.sum()),
        }

    def draw(self, slices: int, *, seed: int) -> dict[str, NDArray[Any]]:
        """Labels, scores, weights, and the numbers of the day and of the slice (from 0 on) of each row."""
        generator, rows = np.random.default_rng(seed), self.rows * slices
        odds, group = generator.normal(self.centre, self.skill, rows), np.repeat(np.arange(slices), self.rows)
        day = group * self.days + np.arange(rows) % max(self.days, 1)
        of_day = generator.normal(0, self.shared, slices * self.days)[day] if self.shared else 0.0
        labels = (generator.random(rows) < expit(self.true_odds(odds) + of_day)).astype(np.float64)
        weights = generator.lognormal(0, self.unequal, rows)
        return {"labels": labels, "scores": expit(odds), "weights": weights, "day": day, "group": group}


def _slope(odds: NDArray[np.float64], positive: NDArray[np.float64]) -> float:
    """Of the logistic regression of outcomes that are positive with such chances, by its definition."""
    columns = np.stack([np.ones(len(odds)), odds], axis=1)
    at = np.array([0.0, 1.0])
    for _ in range(30):
        chance = expit(columns @ at)
        spread = (chance * (1 - chance))[:, None] * columns
        at += np.linalg.solve(columns.T @ spread, columns.T @ (positive - chance))
    return float(at[1])


def report_on(*kinds: Kind, slices: int, seed: int, clustered: bool | None = None) -> EvaluationReport:
    """The product's own report on that many slices of each kind together; rows are ``clustered`` where days are."""
    drawn = [kind.draw(slices, seed=seed + place) for place, kind in enumerate(kinds)]
    shift = np.repeat(np.arange(len(kinds)) * slices, [kind.rows * slices for kind in kinds])
    rows = {name: np.concatenate([each[name] for each in drawn]) for name in drawn[0]}
    by_day = bool(kinds[0].days) if clustered is None else clustered
    return evaluate(
        rows["labels"],
        rows["scores"],
        slice_columns=pa.table({"group": rows["group"] + shift}),
        slices=(BY_GROUP,),
        threshold=THRESHOLD,
        weights=rows["weights"] if any(kind.unequal for kind in kinds) else None,
        clusters=rows["day"] if by_day else None,
    )


def held(*kinds: Kind, slices: int, seed: int = 1, clustered: bool | None = None) -> tuple[Held, ...]:
    """How often the intervals of the slices of each kind hold the truth, in one report on all of them."""
    report = report_on(*kinds, slices=slices, seed=seed, clustered=clustered)
    segments = {int(each.segment.removeprefix("group=")): each for each in report.segments}
    found: list[Held] = []
    for place, kind in enumerate(kinds):
        true, answers = kind.truth(), dict[str, list[bool]]()
        for number in range(place * slices, (place + 1) * slices):
            for metric, told in segments[number].metrics.items():
                if told.lower is not None and told.upper is not None:
                    answers.setdefault(metric, []).append(told.lower <= true[metric] <= told.upper)
        found.append({metric: np.array(each) for metric, each in answers.items()})
    return tuple(found)


def judged(found: Held, *, kind: Kind, fewest: int = 150) -> Held:
    """What can be held to 93 to 97 of 100: of figures that at least so many slices tell.

    Shares near 0 or 1 are in test_intervals.py: how often they are held depends on whole numbers of hits.
    """
    true = kind.truth()
    plain = {metric for metric in found if metric not in SHARES or 0.1 <= true[metric] <= 0.9}
    return {metric: each for metric, each in found.items() if metric in plain and len(each) >= fewest}

"""Do 95 % intervals hold the truth 95 times in 100? Simulated on hundreds of slices of one model, small ones
included.

Nearer figures need more draws than a test suite can spend; what these bounds refuse is an interval that is
wrong in kind.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats
from scipy.special import expit

from mlops_assets.ml.evaluation.report import EvaluationReport, evaluate
from mlops_assets.ml.slices import Slice
from mlops_assets.ml.statistics.bootstrap import resampled_gaps
from mlops_assets.ml.statistics.calibration import calibration_bounds
from mlops_assets.ml.statistics.metrics import Grouped, Rows
from mlops_assets.ml.statistics.significance import COMPARED, compare

pytestmark = pytest.mark.slow

SLICES = 400
BY_GROUP = Slice(name="group", columns=("group",))
THRESHOLD = 0.3


def draw(rows: int, *, seed: int, bias: float = 0.0, spread: float = 0.0, days: int = 1) -> tuple[np.ndarray, ...]:
    """Labels and scores of a model that is off by ``bias`` on the log odds, and by a ``spread`` that days
    share.
    """
    generator = np.random.default_rng(seed)
    odds = generator.normal(-1.0, 1.0, rows)
    day = np.arange(rows) % days
    shared = generator.normal(0, spread, rows // days + 1)[np.arange(rows) // days] if days > 1 else 0.0
    labels = (generator.random(rows) < 1 / (1 + np.exp(-(odds + bias + shared)))).astype(np.float64)
    return labels, 1 / (1 + np.exp(-odds)), day


def truth(*, bias: float = 0.0, spread: float = 0.0, days: int = 1) -> dict[str, float]:
    """Of all rows there could be: by the quantiles of their log odds, each with the share of it that is positive."""
    odds = stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000, -1.0, 1.0)
    shared = spread * stats.norm.ppf((np.arange(25) + 0.5) / 25) if days > 1 else np.zeros(1)
    scores, positive = expit(odds), np.mean([expit(odds + bias + each) for each in shared], axis=0)
    negative, decided = 1 - positive, scores >= THRESHOLD
    precision = np.cumsum(positive[::-1])[::-1] / np.arange(len(odds), 0, -1)
    outranked = (np.cumsum(negative) - negative / 2) / negative.sum()
    hits = positive[decided].sum()
    return {
        "roc_auc_score": np.average(outranked, weights=positive),
        "average_precision_score": np.average(precision, weights=positive),
        "log_loss": -np.mean(positive * np.log(scores) + negative * np.log(1 - scores)),
        "brier_loss": np.mean(positive * np.square(1 - scores) + negative * np.square(scores)),
        "expected_calibration_error": np.abs((scores - positive).reshape(10, -1).mean(axis=1)).mean(),
        "positive_rate": positive.mean(),
        "predicted_positive_rate": decided.mean(),
        "precision_score": hits / decided.sum(),
        "recall_score": hits / positive.sum(),
        "f1_score": 2 * hits / (positive.sum() + decided.sum()),
    }


def coverage(report: EvaluationReport, *, true: dict[str, float]) -> dict[str, float]:
    """The share of segments whose interval holds the true value, for every metric that has intervals."""
    held: dict[str, list[bool]] = {}
    for segment in report.segments:
        for metric, estimate in segment.metrics.items():
            if estimate.lower is not None and estimate.upper is not None:
                held.setdefault(metric, []).append(estimate.lower <= true[metric] <= estimate.upper)
    return {metric: float(np.mean(found)) for metric, found in held.items() if len(found) > len(report.segments) / 2}


def judge(rows: int, *, slices: int, unequal: float = 0.0, seed: int = 1, **model: float) -> dict[str, float]:
    """``unequal`` is how far the logarithms of weights spread."""
    labels, scores, _ = draw(rows * slices, seed=seed, **model)  # type: ignore[arg-type]
    table = pa.table({"group": np.repeat(np.arange(slices), rows)})
    weights = np.random.default_rng(seed + 1000).lognormal(0, unequal, rows * slices) if unequal else None
    report = evaluate(
        labels, scores, slice_columns=table, slices=(BY_GROUP,), threshold=THRESHOLD, seed=0, weights=weights
    )
    return coverage(report, true=truth(**model))


def lowest_credible(level: float, *, slices: int = SLICES) -> float:
    """The share of slices that a method of that coverage falls below once in ten thousand times."""
    return float(stats.binom.ppf(1e-4, slices, level)) / slices


def highest_credible(level: float, *, slices: int) -> float:
    """The share of slices that a method of that coverage exceeds once in ten thousand times."""
    return float(stats.binom.ppf(1 - 1e-4, slices, level)) / slices


@pytest.mark.parametrize(("rows", "slices"), [(50, 1500), (60, 1500), (120, 1000), (250, 600), (800, 400)])
@pytest.mark.parametrize("bias", [0.0, 0.3, 1.0])
def test_intervals_of_independent_rows_hold_the_truth(rows: int, slices: int, bias: float) -> None:
    """From 93 to 97 %, as far as that many slices can tell. With too few rows for an interval none is given."""
    found = judge(rows, slices=slices, bias=bias)

    low, high = lowest_credible(0.945, slices=slices), highest_credible(0.96, slices=slices)
    assert len(found) == {50: 6, 60: 7, 120: 9}.get(rows, 10) + (bias == 1.0 and rows < 100)
    assert {metric: share for metric, share in found.items() if not low <= share <= high} == {}


@pytest.mark.parametrize(("rows", "slices"), [(120, 1000), (300, 800), (800, 500)])
@pytest.mark.parametrize("model", [{"unequal": 0.7}, {"unequal": 0.7, "bias": 0.3}, {"unequal": 0.3, "bias": -1.5}])
def test_intervals_of_rows_of_unequal_weight_hold_the_truth(rows: int, slices: int, model: dict[str, float]) -> None:
    """From 93 to 97 %: weights whose logarithms spread by 0.7 leave 61 rows of 100, and their errors are less known."""
    found = judge(rows, slices=slices, **model)

    low, high = lowest_credible(0.945, slices=slices), highest_credible(0.96, slices=slices)
    assert len(found) >= 8
    assert {metric: share for metric, share in found.items() if not low <= share <= high} == {}


@pytest.mark.parametrize(
    "model",
    [
        {"rows": 200},
        {"rows": 200, "bias": 0.2},
        {"rows": 250},
        {"rows": 250, "bias": 0.15},
        {"rows": 250, "bias": 0.2},
        {"rows": 250, "top": 1.1},
        {"rows": 600, "top": 0.5},
        {"rows": 1000, "oversure": 0.3},
        {"rows": 1000, "top": 0.5},
        {"rows": 4000, "bias": 0.1},
        {"rows": 4000, "bias": 1.0},
        {"rows": 40_000},
        {"rows": 600, "bias": 0.15},
        {"rows": 600, "weighted": True},
        {"rows": 250, "bias": -1.5},
        {"rows": 1000, "bias": -1.5, "weighted": True},
        {"rows": 600, "days": 28},
        {"rows": 600, "days": 28, "bias": 0.5},
        {"rows": 600, "days": 28, "shared": 0.5},
        {"rows": 600, "days": 28, "shared": 0.5, "bias": 0.5},
    ],
)
def test_intervals_of_calibration_errors_hold_the_truth_wherever_it_is(model: dict[str, float]) -> None:
    """From 93 to 97 %, whether the true error is 0, hardly seen or large, in all bins or in one, and whatever depends
    on each other. Draws of labels here, because nothing else is needed, and more of them than a whole report allows.
    """
    slices = min(1500, 600_000 // int(model["rows"]))
    held, within = calibration_held(slices=slices, **model)

    assert lowest_credible(0.945, slices=slices) <= held <= highest_credible(0.96, slices=slices)
    assert within


def calibration_held(
    rows: int,
    *,
    slices: int,
    bias: float = 0.0,
    oversure: float = 0.0,
    top: float = 0.0,
    days: int = 0,
    shared: float = 0.0,
    weighted: bool = False,
) -> tuple[float, bool]:
    """How many of the intervals of that many slices hold the true calibration error, and do all hold the estimate."""
    generator = np.random.default_rng(7)
    odds = generator.normal(-1.0, 1.0, rows * slices)
    segment = np.repeat(np.arange(slices, dtype=np.int32), rows)
    unit = segment * days + np.arange(len(odds)) % days if days else np.arange(len(odds))

    def true(odds: np.ndarray) -> np.ndarray:
        return odds * (1 - oversure) + bias - top * (odds > stats.norm.ppf(0.9, -1.0, 1.0))

    of_day = generator.normal(0, shared, slices * days)[unit] if days else 0.0
    labels = (generator.random(len(odds)) < expit(true(odds) + of_day)).astype(np.float64)
    order = np.argsort(odds, kind="stable")
    ascending = Rows(
        labels=labels[order],
        scores=expit(odds[order]),
        weights=generator.lognormal(0, 0.7, len(odds)) if weighted else np.ones(len(odds)),
        units=unit[order],
        clustered=bool(days),
    )
    grouped = Grouped(ascending, codes=segment[order], segments=slices)
    (gaps,) = resampled_gaps([grouped], resamples=200, seed=0)
    value, bounds = calibration_bounds(grouped, gaps=gaps)

    every = stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000, -1.0, 1.0)
    drawn = true(every)[:, None] + shared * stats.norm.ppf((np.arange(25) + 0.5) / 25)
    error = np.abs((expit(every) - expit(drawn).mean(axis=1)).reshape(10, -1).mean(axis=1)).mean()
    held = (bounds.lower <= error) & (error <= bounds.upper)
    return float(held.mean()), bool(((bounds.lower <= value) & (value <= bounds.upper)).all())


def test_intervals_of_rows_that_share_a_day_hold_the_truth_only_when_told_so() -> None:
    days, per_day = 30, 20
    labels, scores, _ = draw(days * per_day * SLICES, seed=2, spread=0.8, days=per_day)
    true = truth(spread=0.8, days=per_day)
    arguments = {
        "slice_columns": pa.table({"group": np.repeat(np.arange(SLICES), days * per_day)}),
        "slices": (BY_GROUP,),
        "threshold": THRESHOLD,
        "seed": 0,
    }

    told = coverage(evaluate(labels, scores, clusters=np.arange(len(labels)) // per_day, **arguments), true=true)
    untold = coverage(evaluate(labels, scores, **arguments), true=true)

    for metric in ("log_loss", "brier_loss", "positive_rate", "precision_score"):
        assert told[metric] >= lowest_credible(0.94)
        assert untold[metric] < told[metric] - 0.04


@pytest.mark.parametrize(("rows", "days"), [(400, 12), (300, 10)])
@pytest.mark.parametrize("bias", [0.3, -1.5])
def test_intervals_of_few_days_hold_the_truth(rows: int, days: int, bias: float) -> None:
    """From 93 to 97 %, where a dozen clusters tell little of how much they differ; none of calibration is given."""
    slices, per_day = 800, rows // days
    labels, scores, _ = draw(days * per_day * slices, seed=5, bias=bias)
    table = pa.table({"group": np.repeat(np.arange(slices), days * per_day)})
    days_of = np.arange(len(labels)) // per_day

    report = evaluate(
        labels, scores, slice_columns=table, slices=(BY_GROUP,), threshold=THRESHOLD, seed=0, clusters=days_of
    )

    found = coverage(report, true=truth(bias=bias))
    low, high = lowest_credible(0.945, slices=slices), highest_credible(0.96, slices=slices)
    assert len(found) == 9
    assert {metric: share for metric, share in found.items() if not low <= share <= high} == {}


def test_equal_models_are_called_different_at_most_as_often_as_promised() -> None:
    rows, pairs = 150, 1000
    labels, scores, _ = draw(rows * pairs, seed=3)
    odds = np.log(scores / (1 - scores))
    generator = np.random.default_rng(4)
    one, other = (1 / (1 + np.exp(-(odds + generator.normal(0, 0.4, len(odds))))) for _ in range(2))
    table = pa.table({"pair": np.repeat(np.arange(pairs), rows)})

    comparison = compare(
        labels,
        one,
        champion=other,
        opponent="its equal",
        slice_columns=table,
        slices=(Slice(name="pair", columns=("pair",)),),
    )

    for metric in COMPARED:
        values = [d.p_worse() for d in comparison.differences if d.metric == metric and d.slice == "pair"]
        alarms = sum(p <= 0.05 for p in values if p is not None)
        assert len(values) == pairs
        assert alarms <= stats.binom.ppf(0.9999, pairs, 0.05)

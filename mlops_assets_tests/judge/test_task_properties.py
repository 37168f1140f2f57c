"""What holds of every metric of numbers and classes, and of every gate on them: the order of rows is nothing to it,
repeated rows keep its value, a perfect model passes, a random one is refused.

The same of two outcomes is in `test_gate_properties.py`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.contract.gates import (
    BetterThanChampion,
    FairnessBound,
    Gate,
    MetricBound,
    NoSliceRegressed,
    NotWorseThanChampion,
    SliceBound,
    TrainTestGap,
)
from mlops_assets.contract.slices import Slice
from mlops_assets.contract.tasks import Multiclass, Regression
from mlops_assets.judge.gate_decision import GateDecision, decide
from mlops_assets.judge.report import EvaluationReport, evaluate
from mlops_assets.judge.significance import compare

HOME = Slice(name="home", columns=("home",))
KINDS = Multiclass(classes=("ant", "bee", "cat"))
NUMBER = Regression(quantile=0.7)
BOUNDS = {
    KINDS: {"log_loss": 1.0, "brier_loss": 0.6, "accuracy_score": 0.5}
    | {
        f"{metric}{of}": least
        for metric, least in (
            ("roc_auc_score", 0.6),
            ("precision_score", 0.4),
            ("recall_score", 0.4),
            ("f1_score", 0.4),
        )
        for of in ("[ant]", "[bee]", "[cat]")
    }
    | {"macro_roc_auc_score": 0.6, "macro_precision_score": 0.4, "macro_recall_score": 0.4, "macro_f1_score": 0.4},
    NUMBER: {"root_mean_squared_error": 1.5, "mean_absolute_error": 1.2, "pinball_loss": 0.7, "r2_score": 0.3},
}
ROWS = 3000


def gates(task: Any) -> tuple[Gate, ...]:
    """A bound on every metric that has a direction, and every other kind of gate that a task without rates has."""
    bounds: list[Gate] = []
    for metric, bound in BOUNDS[task].items():
        higher = "_score" in metric
        bounds.append(MetricBound(metric=metric, **{"at_least" if higher else "at_most": bound}))
    first, limit = next(iter(BOUNDS[task].items()))
    return (
        *bounds,
        SliceBound(slice="home", metric=first, min_rows=100, at_most=limit),
        NotWorseThanChampion(metric=first, margin=0.01),
        BetterThanChampion(metric=first, by=0.02),
        NoSliceRegressed(slice="home", metric=first, margin=0.01),
        TrainTestGap(metric=first, at_most=0.1),
    )


def make_rows(task: Any, rows: int = ROWS, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray, pa.Table]:
    """Labels, the scores of a good model, and a column."""
    draw = np.random.default_rng(seed)
    columns = pa.table({"home": draw.choice(["hill", "house", "tree"], rows)})
    if isinstance(task, Regression):
        scores = draw.normal(0, 2, rows)
        return scores + draw.normal(0, 1, rows), scores, columns
    scores = draw.dirichlet([0.5, 0.5, 0.5], rows)
    labels = (draw.uniform(size=(rows, 1)) > scores.cumsum(axis=1)).sum(axis=1).clip(0, 2)
    return labels.astype(float), scores, columns


def perfect(task: Any, labels: np.ndarray) -> np.ndarray:
    return labels if isinstance(task, Regression) else np.eye(3)[labels.astype(int)]


def guessed(task: Any, rows: int, *, seed: int) -> np.ndarray:
    draw = np.random.default_rng(seed + 100)
    return draw.normal(0, 2, rows) if isinstance(task, Regression) else draw.dirichlet([1.0, 1.0, 1.0], rows)


def report_on(task: Any, labels: np.ndarray, scores: np.ndarray, columns: pa.Table) -> EvaluationReport:
    return evaluate(labels, scores, task=task, slice_columns=columns, slices=(HOME,))


def decision(task: Any, labels: np.ndarray, scores: np.ndarray, columns: pa.Table, **others: Any) -> GateDecision:
    """``champion`` are the champion's scores, ``learnt`` the model's own on as many rows that it learnt from."""
    options: Any = {"task": task, "slice_columns": columns, "slices": (HOME,)}
    report = report_on(task, labels, scores, columns)
    report = replace(report, training=report_on(task, labels, others["learnt"], columns).overall)
    against = compare(labels, scores, champion=others["champion"], opponent="v1", **options)
    return decide(report, gates(task), comparison=against)


def figures(report: EvaluationReport) -> dict[str, float]:
    every = (report.overall, *report.segments)
    told = ((f"{one.segment} {name}", each.value) for one in every for name, each in one.metrics.items())
    return {name: value for name, value in told if value is not None}


@pytest.mark.parametrize("task", [KINDS, NUMBER])
def test_every_metric_with_a_direction_and_every_kind_of_gate_is_here(task: Any) -> None:
    known = set(report_on(task, *make_rows(task)).overall.metrics)

    assert known - {"bias"} == set(BOUNDS[task])
    assert {type(gate) for gate in gates(task)} == set(get_args(Gate)) - {FairnessBound}


@pytest.mark.parametrize("task", [KINDS, NUMBER])
@pytest.mark.parametrize("seed", range(3))
def test_a_perfect_model_passes_every_gate(task: Any, seed: int) -> None:
    labels, champion, columns = make_rows(task, seed=seed)
    best = perfect(task, labels)

    assert decision(task, labels, best, columns, champion=champion, learnt=best).reasons == ()


@pytest.mark.parametrize("task", [KINDS, NUMBER])
@pytest.mark.parametrize("seed", range(3))
def test_a_random_model_that_knows_its_training_rows_by_heart_is_refused_by_every_gate(task: Any, seed: int) -> None:
    labels, champion, columns = make_rows(task, seed=seed)
    scores = guessed(task, ROWS, seed=seed)

    found = decision(task, labels, scores, columns, champion=champion, learnt=perfect(task, labels))

    assert [verdict.name for verdict in found.verdicts if verdict.passed] == []


@pytest.mark.parametrize("task", [KINDS, NUMBER])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_neither_order_nor_repetition_of_rows_moves_a_metric(task: Any, seed: int) -> None:
    labels, scores, columns = make_rows(task, 600, seed=seed)
    order = np.random.default_rng(seed).permutation(600)

    once = report_on(task, labels, scores, columns)
    shuffled = report_on(task, labels[order], scores[order], columns.take(order))
    twice = report_on(task, np.tile(labels, 2), np.concatenate([scores, scores]), pa.concat_tables([columns, columns]))

    assert figures(shuffled) == pytest.approx(figures(once), rel=1e-9, abs=1e-12)
    again = figures(twice)
    assert {name: again[name] for name in figures(once)} == pytest.approx(figures(once), rel=1e-9, abs=1e-12)
    for name, each in once.overall.metrics.items():
        assert shuffled.overall.metrics[name].lower == pytest.approx(each.lower, rel=1e-9, abs=1e-12)
        assert shuffled.overall.metrics[name].upper == pytest.approx(each.upper, rel=1e-9, abs=1e-12)

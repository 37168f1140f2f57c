"""Numbers and several classes: figures against scikit-learn, intervals by simulation, from training to the gates."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics

from mlops_assets.contract.errors import DeclarationError, EvaluationError
from mlops_assets.contract.features import Feature
from mlops_assets.contract.gates import MetricBound, NotWorseThanChampion, SliceBound, TrainTestGap
from mlops_assets.contract.monitoring import MonitoringPlan
from mlops_assets.contract.slices import Slice
from mlops_assets.contract.splits import HashSplit
from mlops_assets.contract.tasks import BINARY, Multiclass, Regression, two_outcomes
from mlops_assets.contract.use_case import Recipe, UseCase
from mlops_assets.judge.judgement import judge
from mlops_assets.judge.metrics import higher_is_better
from mlops_assets.judge.report import EvaluationReport, evaluate
from mlops_assets.judge.significance import compare
from mlops_assets_tests.judge.test_judgement import candidate
from mlops_assets_tests.serving.toys.quiet import USE_CASE as QUIET

KINDS = Multiclass(classes=("ant", "bee", "cat"))
NUMBER = Regression()
UPPER = Regression(quantile=0.9)


def make_classes(rows: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    scores = draw.dirichlet([1.5, 1.0, 0.8], rows)
    return (draw.uniform(size=(rows, 1)) > scores.cumsum(axis=1)).sum(axis=1).astype(float), scores


def make_numbers(rows: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    scores = draw.normal(10, 2, rows)
    return scores + draw.normal(0.3, 1, rows), scores


def report_on(task: Any, rows: int, *, seed: int = 0, **options: Any) -> EvaluationReport:
    labels, scores = make_classes(rows, seed=seed) if isinstance(task, Multiclass) else make_numbers(rows, seed=seed)
    return evaluate(labels, scores, task=task, **{"slice_columns": pa.table({"x": labels}), "slices": ()} | options)


def values(report: EvaluationReport) -> dict[str, float | None]:
    return {name: each.value for name, each in report.overall.metrics.items()}


def test_figures_of_numbers_are_scikit_learns() -> None:
    labels, scores = make_numbers(500)
    weights = np.random.default_rng(1).uniform(1, 3, 500)
    weighted: Any = {"sample_weight": weights}

    assert values(report_on(UPPER, 500, weights=weights)) == pytest.approx(
        {
            "root_mean_squared_error": metrics.root_mean_squared_error(labels, scores, **weighted),
            "mean_absolute_error": metrics.mean_absolute_error(labels, scores, **weighted),
            "bias": np.average(scores - labels, weights=weights),
            "r2_score": metrics.r2_score(labels, scores, **weighted),
            "pinball_loss": metrics.mean_pinball_loss(labels, scores, alpha=0.9, **weighted),
        }
    )


def test_figures_of_classes_are_scikit_learns() -> None:
    labels, scores = make_classes(800)
    decided = scores.argmax(axis=1)
    by_class: Any = {"average": None, "labels": [0, 1, 2]}

    found = values(report_on(KINDS, 800))

    aucs = [metrics.roc_auc_score(labels == place, scores[:, place]) for place in range(3)]
    expected = {
        "log_loss": metrics.log_loss(labels, scores),
        "accuracy_score": metrics.accuracy_score(labels, decided),
        "macro_roc_auc_score": np.mean(aucs),
        "macro_f1_score": metrics.f1_score(labels, decided, average="macro"),
        "macro_recall_score": metrics.recall_score(labels, decided, average="macro"),
    }
    for name, function in (
        ("precision_score", metrics.precision_score),
        ("recall_score", metrics.recall_score),
        ("f1_score", metrics.f1_score),
    ):
        told = function(labels, decided, **by_class)
        expected |= {f"{name}[{word}]": told[place] for place, word in enumerate(KINDS.classes)}
    assert {name: found[name] for name in expected} == pytest.approx(expected)


@pytest.mark.parametrize(
    ("task", "rows", "unequal"),
    [
        (NUMBER, 30, 0.0),
        (NUMBER, 60, 0.7),
        (UPPER, 100, 0.0),
        (UPPER, 200, 0.7),
        (NUMBER, 400, 0.7),
        (KINDS, 150, 0.0),
        (KINDS, 300, 0.0),
        (KINDS, 500, 0.7),
    ],
)
def test_intervals_hold_the_truth_as_often_as_they_say(task: Any, rows: int, unequal: float) -> None:
    """93 to 97 times in 100, small slices included, with weights equal and not."""
    truth = values(report_on(task, 400_000, seed=10_000))
    slices = 2000 if isinstance(task, Regression) else 1500
    declared: Any = {
        "slice_columns": pa.table({"slice": np.arange(rows * slices) // rows}),
        "slices": (Slice(name="slice", columns=("slice",)),),
        "weights": np.random.default_rng(2).lognormal(0, unequal, rows * slices) if unequal else None,
    }
    report = report_on(task, rows * slices, seed=1, **declared)

    held: dict[str, list[bool]] = {name: [] for name in truth}
    for segment in report.segments:
        for name, each in segment.metrics.items():
            if each.lower is not None and each.upper is not None:
                held[name].append(each.lower <= (truth[name] or 0.0) <= each.upper)
    known = {
        name: (float(np.mean(found)), 2 * (0.95 * 0.05 / len(found)) ** 0.5)
        for name, found in held.items()
        if len(found) >= 300
    }
    assert len(known) == len(truth) or rows < 300
    assert {name: share for name, (share, error) in known.items() if not 0.94 - error <= share <= 0.96 + error} == {}


def test_a_class_of_few_rows_has_no_figures_of_its_own_nor_a_mean_over_classes() -> None:
    metrics_of = report_on(KINDS, 60, seed=3).overall.metrics

    assert metrics_of["accuracy_score"].shortfall is None
    assert metrics_of["recall_score[cat]"].shortfall == "9 positives, needs 50"
    assert metrics_of["macro_recall_score"].shortfall == "ant: 30 positives, needs 50"
    assert report_on(KINDS, 40).overall.metrics["accuracy_score"].shortfall == "40 rows, needs 50"


def test_clusters_widen_an_interval_and_few_of_them_are_not_enough() -> None:
    labels, scores = make_numbers(600)
    days = np.arange(600) // 20
    shifted = labels + np.random.default_rng(4).normal(0, 2, 30)[days]
    options: Any = {"task": NUMBER, "slice_columns": pa.table({"x": labels}), "slices": ()}

    alone, together, few = (
        evaluate(shifted, scores, **options, clusters=clusters).overall.metrics["bias"]
        for clusters in (None, days, days // 6)
    )

    assert alone.upper is not None
    assert alone.lower is not None
    assert together.upper is not None
    assert together.lower is not None
    assert together.upper - together.lower > 2 * (alone.upper - alone.lower)
    assert few.shortfall == "5 units, needs 10"


def test_equal_models_are_rarely_told_apart_and_different_ones_are() -> None:
    def p_worse(seed: int, by: float) -> float:
        labels, scores = make_numbers(400, seed=seed)
        draw = np.random.default_rng(seed + 5000)
        one, other = (scores + draw.normal(0, 0.5, 400) for _ in range(2))
        options: Any = {"task": NUMBER, "slice_columns": pa.table({"x": labels}), "slices": (), "opponent": "v1"}
        difference = compare(labels, one + by, champion=other, **options).of("root_mean_squared_error")
        assert difference is not None
        p = difference.p_worse()
        assert p is not None
        return p

    equal = np.mean([p_worse(seed, 0.0) <= 0.05 for seed in range(400)])
    assert equal <= 0.05 + 2 * (0.05 * 0.95 / 400) ** 0.5
    assert np.mean([p_worse(seed, -1.5) <= 0.05 for seed in range(50)]) > 0.9


def test_what_cannot_be_judged_is_refused() -> None:
    labels, scores = make_classes(50)
    with pytest.raises(EvaluationError, match=r"Scores must be finite numbers of shape \(50, 3\)"):
        evaluate(labels, scores[:, :2], task=KINDS, slice_columns=pa.table({"x": labels}), slices=())
    with pytest.raises(EvaluationError, match="Labels must be places in the classes, 0 to 2"):
        evaluate(labels + 1, scores, task=KINDS, slice_columns=pa.table({"x": labels}), slices=())
    with pytest.raises(DeclarationError, match="at least three different classes"):
        Multiclass(classes=("a", "b"))
    with pytest.raises(DeclarationError, match=r"quantile of Regression is 1\.0; a number between 0 and 1"):
        Regression(quantile=1.0)


def test_the_name_of_a_metric_of_one_class_carries_its_direction() -> None:
    assert higher_is_better("recall_score[bee]") is True
    assert higher_is_better("bias") is None


def toy(task: Any, *, metric: str, gates: tuple[Any, ...]) -> UseCase:
    """Animals whose size and home tell their kind, and their weight."""
    return replace(
        QUIET,
        name="animals",
        task=task,
        monitoring=MonitoringPlan(),
        features=(
            Feature(name="size", kind="numeric", description="Size.", owner="toys"),
            Feature(name="home", kind="categorical", description="Home.", owner="toys"),
        ),
        split=HashSplit(key="id", test_share=0.3, validation_share=0.2),
        recipe=Recipe(hyperparameters={"max_depth": 3, "eta": 0.3}, rounds=40, early_stopping_rounds=5, threads=1),
        slices=(Slice(name="home", columns=("home",)),),
        gates=(*gates, NotWorseThanChampion(metric=metric, margin=0.05)),
    )


def make_animals(rows: int = 4000) -> pa.Table:
    draw = np.random.default_rng(11)
    size, home = draw.uniform(0, 3, rows), draw.choice(["hill", "house", "tree"], rows)
    kind = np.clip(np.floor(size + draw.normal(0, 0.3, rows)) + (home == "house"), 0, 2)
    return pa.table(
        {
            "id": [f"animal-{number}" for number in range(rows)],
            "size": size,
            "home": home,
            "kind": kind,
            "weight": np.square(size) * 4 + 3 * (home == "tree") + draw.normal(0, 1, rows),
        }
    )


@pytest.mark.parametrize(
    ("task", "label", "metric", "gates"),
    [
        (
            KINDS,
            "kind",
            "log_loss",
            (
                MetricBound(metric="macro_roc_auc_score", at_least=0.8),
                MetricBound(metric="recall_score[bee]", at_least=0.5),
                SliceBound(slice="home", metric="accuracy_score", min_rows=100, at_least=0.5),
            ),
        ),
        (
            NUMBER,
            "weight",
            "root_mean_squared_error",
            (MetricBound(metric="r2_score", at_least=0.9), TrainTestGap(metric="r2_score", at_most=0.05)),
        ),
        (UPPER, "weight", "pinball_loss", (MetricBound(metric="pinball_loss", at_most=0.5),)),
    ],
)
def test_a_toy_of_every_task_goes_from_training_to_its_gates(task: Any, label: str, metric: str, gates: Any) -> None:
    animals = make_animals()
    view = animals.append_column("label", animals[label])
    use_case = toy(task, metric=metric, gates=gates)
    noise = view.set_column(1, "size", pa.array(np.random.default_rng(0).permutation(np.asarray(view["size"]))))

    good = judge(view, use_case=use_case, challenger=candidate(view, use_case=use_case), champion=None)
    poor = judge(
        view,
        use_case=use_case,
        challenger=candidate(noise, use_case=use_case, version="v2"),
        champion=candidate(view, use_case=use_case),
        previous=good.report,
    )

    assert good.decision.reasons == ()
    assert set(good.report.baselines) == {"constant prior", "linear model"}
    assert good.predictions.num_rows == good.report.overall.rows
    assert not poor.decision.passed
    assert f"{metric} against v1: worse" in " ".join(poor.decision.reasons)
    assert EvaluationReport.from_json(poor.report.to_json()) == poor.report


def test_only_two_outcomes_are_calibrated_or_protected() -> None:
    with pytest.raises(DeclarationError, match="only a task of two outcomes is calibrated and fair"):
        replace(toy(NUMBER, metric="bias", gates=()), calibrated=True)


def test_audits_see_two_outcomes_of_every_task() -> None:
    classes, numbers = np.array([0.0, 1.0, 1.0, 2.0]), np.array([1.0, 5.0, 9.0])

    assert two_outcomes(classes, task=KINDS).tolist() == [0, 1, 1, 0]
    assert two_outcomes(numbers, task=NUMBER).tolist() == [0, 0, 1]
    assert two_outcomes(classes[:2], task=BINARY).tolist() == [0, 1]

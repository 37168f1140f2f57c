"""A model that is too good to be true is told from one that is good, by the lower end of its own figure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import norm

from mlops_assets.contract.arrays import Floats
from mlops_assets.contract.features import Feature
from mlops_assets.contract.tasks import BINARY, Multiclass, Regression, Task
from mlops_assets.judge.plausibility import AREA_BOUND, believable, implausible, own_figure
from mlops_assets.judge.report import EvaluationReport, evaluate

KINDS = Multiclass(classes=("ant", "bee", "cat"))


def feature(name: str) -> Feature:
    return Feature(name=name, kind="numeric", description="", owner="")


def report_on(labels: Floats, scores: Floats, *, task: Task = BINARY, prior: Floats | None = None) -> EvaluationReport:
    nothing = pa.table({"row": np.arange(len(labels))})
    report = evaluate(labels, scores, slice_columns=nothing, slices=(), task=task)
    if prior is None:
        return report
    constant = np.broadcast_to(prior, scores.shape).astype(np.float64)
    baseline = evaluate(labels, constant, slice_columns=nothing, slices=(), task=task)
    return replace(report, baselines={"constant prior": baseline.overall})


def binary(rows: int, *, apart: float, seed: int = 0) -> tuple[Floats, Floats]:
    """Labels and scores of outcomes that are so many standard deviations apart."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(rows) < 0.3).astype(np.float64)
    return labels, norm.cdf(rng.normal(size=rows) + apart * labels - apart / 2)


def judged(report: EvaluationReport, labels: Floats, scores: Floats, *, task: Task = BINARY) -> EvaluationReport:
    """With what is implausible of it, where one feature is the score and another noise."""
    view = pa.table({"telling": scores, "noise": np.random.default_rng(9).normal(size=len(labels))})
    gains = {"telling": 97.0, "noise": 3.0}
    features = [feature("telling"), feature("noise")]
    found = implausible(report, view, labels=labels, features=features, task=task, gains=gains)
    return replace(report, implausible=found)


def test_the_bound_of_an_area_is_what_is_written_of_it() -> None:
    apart = norm.ppf(AREA_BOUND) * np.sqrt(2)
    assert apart == pytest.approx(2.9, abs=0.01)
    assert norm.cdf(-apart / 2) == pytest.approx(1 / 14, abs=0.003)


def test_a_model_surely_above_the_bound_is_held_naming_what_it_comes_from() -> None:
    labels, scores = binary(5000, apart=3.6)

    check = believable(judged(report_on(labels, scores), labels, scores), task=BINARY)

    assert not check.passed
    assert not check.blocks
    assert check.reasons[0].startswith("Too good to be true: ROC AUC is 0.99")
    assert "'telling' (97% of the gain, alone a ROC AUC of 0.99" in check.reasons[0]
    assert "'noise' (3% of the gain, alone a ROC AUC of 0.5" in check.reasons[0]


def test_what_somebody_explained_passes_and_says_so() -> None:
    labels, scores = binary(5000, apart=3.6)
    check = believable(judged(report_on(labels, scores), labels, scores), task=BINARY, why="it is a sum of the others")
    assert check.passed
    assert check.figures["explained"] == "it is a sum of the others"


def test_a_good_model_and_one_that_is_not_surely_above_pass() -> None:
    for rows, apart in ((5000, 2.4), (300, 3.3)):
        labels, scores = binary(rows, apart=apart)
        assert judged(report_on(labels, scores), labels, scores).implausible is None


def test_of_few_rows_a_flawless_model_is_held_only_beside_a_suspicious_feature() -> None:
    labels = np.repeat([0.0, 1.0], 60)
    scores = np.linspace(0.01, 0.99, 120)
    report = report_on(labels, scores)

    assert "120 test rows are too few" in str(own_figure(report, task=BINARY).lacking)
    assert judged(report, labels, scores).implausible is not None
    assert judged(report, labels, np.random.default_rng(1).random(120)).implausible is None


def test_classes_are_held_by_how_many_of_the_priors_errors_they_avoid() -> None:
    """Nine of ten rows are ants: to be right in 99 of 100 is nothing; to be right in 998 of 1000 is."""
    rng = np.random.default_rng(2)
    labels = rng.choice(3, 20_000, p=[0.9, 0.05, 0.05]).astype(np.float64)
    prior = np.array([0.9, 0.05, 0.05])

    def with_errors(share: float) -> EvaluationReport:
        answered = np.where(rng.random(len(labels)) < share, (labels + 1) % 3, labels).astype(int)
        return report_on(labels, np.eye(3)[answered] * 0.9 + 0.1 / 3, task=KINDS, prior=prior)

    good, suspicious = with_errors(0.01), with_errors(0.002)

    assert own_figure(good, task=KINDS).value == pytest.approx(0.9, abs=0.02)
    assert judged(good, labels, labels, task=KINDS).implausible is None
    assert judged(suspicious, labels, labels, task=KINDS).implausible is not None


def test_numbers_are_held_by_r_squared() -> None:
    labels = np.random.default_rng(3).normal(size=4000)
    noise = np.random.default_rng(4).normal(size=4000)
    for spread, held in ((0.2, False), (0.05, True)):
        scores = labels + spread * noise
        found = judged(report_on(labels, scores, task=Regression()), labels, scores, task=Regression())
        assert (found.implausible is not None) == held


def test_a_figure_that_is_lacking_cannot_be_judged_and_says_so() -> None:
    labels, scores = binary(40, apart=9)
    check = believable(judged(report_on(labels, scores), labels, scores), task=BINARY)
    assert check.passed
    assert check.figures["insufficient_data"] == "40 rows, needs 80"


def test_what_is_implausible_survives_its_json() -> None:
    labels, scores = binary(5000, apart=3.6)
    report = judged(report_on(labels, scores), labels, scores)
    assert EvaluationReport.from_json(report.to_json()) == report

"""The report: right figures per segment, honest about what it cannot say, whatever the order of rows."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.contract.errors import EvaluationError
from mlops_assets.judge.report import EvaluationReport, evaluate, weakest
from mlops_assets_tests.judge.judged_rows import CARRIER, CROSS, ORIGIN, make_rows, value_of

POINT = "expected_calibration_error"
SINGLE = ("roc_auc_score", "average_precision_score", "log_loss", "brier_loss", POINT, "calibration_slope")


def make_report(rows: int = 4000, *, seed: int = 0, **overrides: object) -> EvaluationReport:
    labels, scores, columns = make_rows(rows, seed=seed)
    arguments: dict[str, object] = {
        "slice_columns": columns,
        "slices": (CARRIER, ORIGIN, CROSS),
        "threshold": 0.35,
    }
    return evaluate(labels, scores, **{**arguments, **overrides})  # type: ignore[arg-type]


@pytest.mark.parametrize("weighted", [False, True])
def test_every_segments_values_are_those_of_its_rows_alone(weighted: bool) -> None:
    labels, scores, columns = make_rows(4000)
    weights = np.random.default_rng(0).uniform(1, 3, 4000)
    report = make_report(weights=weights if weighted else None)

    for segment in report.segments:
        wanted = [part.split("=") for part in segment.segment.split(", ")]
        rows = np.all([np.array(columns[name]) == value for name, value in wanted], axis=0)
        alone = {"weights": weights[rows]} if weighted else {}
        assert (segment.rows, segment.positives) == (rows.sum(), labels[rows].sum())
        for metric in SINGLE:
            value = segment.metrics[metric].value
            if value is not None:
                assert value == pytest.approx(value_of(metric, labels[rows], scores[rows], **alone), rel=1e-9)


def test_decisions_are_counted_at_the_threshold() -> None:
    labels, scores, _ = make_rows(4000)
    decided = scores >= 0.35
    precision, recall = labels[decided].mean(), decided[labels == 1].mean()

    values = {name: estimate.value for name, estimate in make_report().overall.metrics.items()}

    assert values["positive_rate"] == pytest.approx(labels.mean())
    assert values["predicted_positive_rate"] == pytest.approx(decided.mean())
    assert (values["precision_score"], values["recall_score"]) == pytest.approx((precision, recall))
    assert values["f1_score"] == pytest.approx(2 * precision * recall / (precision + recall))


def test_every_value_lies_within_its_interval() -> None:
    report = make_report()

    for segment in (report.overall, *report.segments):
        for name, estimate in segment.metrics.items():
            if estimate.value is not None and name != POINT:
                assert estimate.lower is not None
                assert estimate.upper is not None
                assert estimate.lower <= estimate.value <= estimate.upper


def test_too_few_rows_are_said_and_not_guessed() -> None:
    report = make_report(400)
    small = next(segment for segment in report.segments if segment.segment == "carrier=OO, origin=EWR")

    estimate = small.metrics["roc_auc_score"]
    assert (estimate.value, estimate.lower, estimate.upper) == (None, None, None)
    assert estimate.shortfall == f"{small.rows} rows, needs 80"


def test_one_class_has_no_area_but_a_rate() -> None:
    columns = pa.table({"carrier": ["AA"] * 100})
    report = evaluate(np.zeros(100), np.linspace(0, 1, 100), slice_columns=columns, slices=(CARRIER,), threshold=0.5)

    assert report.overall.metrics["roc_auc_score"].shortfall == "0 positives, needs 15"
    assert report.overall.metrics["recall_score"].shortfall == "0 positives, needs 50"
    rate = report.overall.metrics["positive_rate"]
    assert rate.value == 0.0
    assert rate.upper == pytest.approx(0.037, abs=1e-3)


def test_no_figure_is_ever_nan() -> None:
    def refuse(text: str) -> None:
        raise AssertionError(f"{text} in the report")

    for rows in (1, 2, 40, 400):
        report = make_report(rows, clusters=np.arange(rows) % 12)
        json.loads(report.to_json(), parse_constant=refuse)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), clustered=st.booleans())
def test_the_order_of_rows_changes_nothing_to_the_bit(seed: int, clustered: bool) -> None:
    labels, scores, columns = make_rows(500, seed=seed)
    clusters = np.random.default_rng(seed).integers(0, 20, 500) if clustered else None
    order = np.random.default_rng(seed + 1).permutation(500)
    declared = {"slices": (CARRIER, CROSS), "threshold": 0.3}

    one = evaluate(labels, scores, slice_columns=columns, clusters=clusters, **declared)
    other = evaluate(
        labels[order],
        scores[order],
        slice_columns=columns.take(order),
        clusters=None if clusters is None else clusters[order],
        **declared,
    )

    assert one.to_json() == other.to_json()


def test_repeating_all_rows_keeps_values_and_narrows_intervals() -> None:
    labels, scores, columns = make_rows(2000, decimals=9)
    declared = {"slices": (), "threshold": 0.3}
    once = evaluate(labels, scores, slice_columns=columns, **declared).overall.metrics
    twice = evaluate(
        np.tile(labels, 2), np.tile(scores, 2), slice_columns=pa.concat_tables([columns] * 2), **declared
    ).overall.metrics

    for name, estimate in once.items():
        again = twice[name]
        assert again.value == pytest.approx(estimate.value, rel=1e-9)
        if name != POINT:
            assert again.upper - again.lower < estimate.upper - estimate.lower


def test_dependent_rows_make_intervals_wider() -> None:
    labels, scores, columns = make_rows(3000, decimals=9)
    declared = {"slices": (), "threshold": 0.3}
    repeated = (np.tile(labels, 4), np.tile(scores, 4))
    table = pa.concat_tables([columns] * 4)

    plain = evaluate(*repeated, slice_columns=table, **declared).overall.metrics
    clustered = evaluate(
        *repeated, slice_columns=table, clusters=np.tile(np.arange(3000), 4), **declared
    ).overall.metrics

    for name in ("roc_auc_score", "average_precision_score", "log_loss", "brier_loss", "precision_score"):
        ratio = (clustered[name].upper - clustered[name].lower) / (plain[name].upper - plain[name].lower)
        assert ratio == pytest.approx(2.0, rel=0.2)


def test_a_report_survives_json() -> None:
    report = make_report(500)

    assert EvaluationReport.from_json(report.to_json()) == report


def test_a_report_of_another_schema_is_refused() -> None:
    text = json.loads(make_report(100).to_json()) | {"schema_version": 9}

    with pytest.raises(EvaluationError, match="schema 9; this code reads 1"):
        EvaluationReport.from_json(json.dumps(text))
    with pytest.raises(EvaluationError, match="Not an evaluation report"):
        EvaluationReport.from_json("{}")


def test_the_weakest_segments_are_surely_weak_not_small() -> None:
    labels, scores, columns = make_rows(6000, decimals=9)
    at_jfk = np.array(columns["origin"]) == "JFK"
    harmed = np.where(at_jfk, np.random.default_rng(0).permutation(scores), scores)
    report = evaluate(labels, harmed, slice_columns=columns, slices=(CARRIER, ORIGIN), threshold=0.3)

    assert weakest(report, metric="roc_auc_score", count=1)[0].segment == "origin=JFK"
    assert weakest(report, metric="log_loss", count=1)[0].segment == "origin=JFK"
    with pytest.raises(EvaluationError, match="neither better when higher nor when lower"):
        weakest(report, metric="positive_rate", count=1)


def test_rows_and_slice_columns_must_match() -> None:
    labels, scores, columns = make_rows(10)

    with pytest.raises(EvaluationError, match="10 labels but 9 rows of slice columns"):
        evaluate(labels, scores, slice_columns=columns.slice(1), slices=(), threshold=0.5)


def test_the_calibration_error_is_a_point() -> None:
    told = make_report().overall.metrics[POINT]

    assert told.value is not None
    assert (told.lower, told.upper, told.method) == (None, None, "point")

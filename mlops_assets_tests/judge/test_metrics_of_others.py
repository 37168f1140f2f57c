"""A metric that another package adds by an entry point is in report, comparison, gates and card; a broken one spoils
nothing else.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.gates import MetricBound, NoSliceRegressed, NotWorseThanChampion, SliceBound
from mlops_assets.contract.tasks import BINARY, Multiclass
from mlops_assets.judge.judgement import Judgement, judge
from mlops_assets.judge.metrics import metric_named, metrics_of
from mlops_assets.judge.report import EvaluationReport, evaluate
from mlops_assets.reports.model_card_findings import gates as gates_section
from mlops_assets.reports.model_card_findings import metrics as metrics_section
from mlops_assets.stores.models.model_card import ModelCard
from mlops_assets.stores.models.record import DecisionRecord
from mlops_assets.stores.models.registry import Evaluation
from mlops_assets_tests.judge.judged_rows import CARRIER, make_rows
from mlops_assets_tests.judge.test_judgement import JUDGED, candidate, make_people
from mlops_assets_tests.stores.models.factories import THEN, make_record

ABSOLUTE = """
import numpy as np
from mlops_assets.judge.figures import mean, share
from mlops_assets.judge.metrics import Metric

absolute = Metric(
    name="absolute_loss", figure=lambda rows: mean(rows, of=np.abs(rows.scores - rows.labels), scale="log")
)
specificity = Metric(
    name="specificity_score",
    figure=lambda rows: share(rows, hit=1 - rows.decided, among=1 - rows.labels, called="negatives"),
    by_class=True,
)
"""
NAMES = {"absolute_loss": "absolute", "specificity_score": "specificity"}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A distribution with a module and the entry points that the test asks for."""
    module = f"metrics_of_{abs(hash(tmp_path))}"
    text, entries = getattr(request, "param", (ABSOLUTE, NAMES))
    (tmp_path / f"{module}.py").write_text(text, encoding="utf-8")
    info = tmp_path / "acme_metrics-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-metrics\nVersion: 1.2\n", encoding="utf-8")
    lines = [f"{name} = {module}:{attribute}" for name, attribute in entries.items()]
    (info / "entry_points.txt").write_text("\n".join(["[mlops_assets.metrics]", *lines]), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))


def report_of(task: Multiclass | None = None) -> EvaluationReport:
    labels, scores, columns = make_rows(3000, decimals=9)
    if task is None:
        return evaluate(labels, scores, slice_columns=columns, slices=(CARRIER,))
    likely = np.stack([scores, 1 - scores, np.full(3000, 1e-3)], axis=1)
    return evaluate(labels, likely, task=task, slice_columns=columns, slices=())


def judged() -> Judgement:
    gates = (
        MetricBound(metric="absolute_loss", at_most=0.49),
        SliceBound(slice="job", metric="specificity_score", min_rows=100, at_least=0.1),
        NotWorseThanChampion(metric="absolute_loss", margin=0.05),
        NoSliceRegressed(slice="job", metric="specificity_score", margin=0.1),
    )
    view, use_case = make_people(), replace(JUDGED, gates=gates)
    ours, theirs = (candidate(view, use_case=use_case, version=version) for version in ("v2", "v1"))
    return judge(view, use_case=use_case, challenger=ours, champion=theirs)


@pytest.mark.usefixtures("installed")
def test_a_metric_of_another_package_has_its_interval_in_the_report_for_every_segment() -> None:
    labels, scores, _ = make_rows(3000, decimals=9)
    report = report_of()

    told = report.overall.metrics["absolute_loss"]
    assert told.value == pytest.approx(np.abs(scores - labels).mean())
    assert told.lower is not None
    assert told.upper is not None
    assert told.lower < told.value < told.upper
    assert all("specificity_score" in segment.metrics for segment in report.segments)
    assert EvaluationReport.from_json(report.to_json()) == report


@pytest.mark.usefixtures("installed")
def test_one_of_two_outcomes_that_is_told_by_class_is_told_of_each_class() -> None:
    metrics = report_of(Multiclass(classes=("ant", "bee", "cat"))).overall.metrics

    assert {"macro_specificity_score", "specificity_score[ant]", "specificity_score[cat]"} <= {*metrics}
    assert "absolute_loss" not in metrics


@pytest.mark.usefixtures("installed")
def test_it_is_compared_gated_and_on_the_card() -> None:
    found = judged()

    assert found.decision.reasons == ()
    difference = found.comparison.of("absolute_loss", segment="job=clerk")
    assert difference is not None
    assert difference.gain == pytest.approx(0.0, abs=1e-12)
    assert {"absolute_loss_within_bounds", "absolute_loss_not_worse_than_champion"} <= {
        verdict.name for verdict in found.decision.verdicts
    }
    decided = DecisionRecord(
        use_case="flights", version="v2", decided_at=THEN, champion="v1", files={}, decision=found.decision
    )
    card = card_of(Evaluation(record=decided, report=found.report, comparison=found.comparison))
    assert "absolute loss ↓" in metrics_section(card)
    assert "specificity score within bounds by job" in gates_section(card)


def card_of(evaluation: Evaluation) -> ModelCard:
    fields = dict.fromkeys(ModelCard.__dataclass_fields__)
    record = make_record("v2", data_commit="abc")
    return ModelCard(**fields | {"use_case": JUDGED, "record": record, "evaluation": evaluation})  # type: ignore[arg-type]


BROKEN = [
    ("import a_module_that_is_not_there", "does not load: ModuleNotFoundError: No module named"),
    ("raise SystemExit(3)", "does not load: SystemExit: 3"),
    ("absolute = 7", "does not load: TypeError: .* is no Metric of the name 'absolute_loss'"),
    (ABSOLUTE.replace("rows.scores - rows.labels", "rows.nothing"), "fails: AttributeError"),
    (ABSOLUTE.replace("np.abs(rows.scores - rows.labels)", "exit(1)"), "fails: SystemExit: 1"),
]


@pytest.mark.parametrize(
    ("installed", "reason"),
    [((text, {"absolute_loss": "absolute"}), reason) for text, reason in BROKEN],
    indirect=["installed"],
)
@pytest.mark.usefixtures("installed")
def test_one_that_is_broken_is_lacking_with_the_reason_and_nothing_else_is(reason: str) -> None:
    metrics = report_of().overall.metrics

    import re

    told = metrics.pop("absolute_loss")
    assert told.value is None
    assert re.match(f"entry point 'absolute_loss' of acme-metrics 1.2 {reason}", told.shortfall or "")
    assert all(each.value is not None for each in metrics.values())


@pytest.mark.parametrize("installed", [("raise SystemExit(3)", NAMES)], indirect=True)
@pytest.mark.usefixtures("installed")
def test_only_gates_that_ask_for_a_broken_metric_fail() -> None:
    found = judged()

    assert not found.decision.passed
    assert (
        found.decision.verdicts[0]
        .reasons[0]
        .startswith("absolute_loss: entry point 'absolute_loss' of acme-metrics 1.2 does not load: SystemExit: 3")
    )
    with pytest.raises(
        DeclarationError, match="Metric 'absolute_loss' cannot be had: entry point 'absolute_loss' of acme"
    ):
        metric_named("absolute_loss", task=BINARY)
    assert metric_named("log_loss", task=BINARY).compared


@pytest.mark.parametrize("installed", [(ABSOLUTE, {"log_loss": "absolute"})], indirect=True)
@pytest.mark.usefixtures("installed")
def test_a_name_that_is_taken_is_left_out_and_warned_of() -> None:
    with pytest.warns(UserWarning, match=r"entry point 'log_loss' of acme-metrics 1\.2 is left out"):
        known = metrics_of(BINARY)

    assert [each.name for each in known].count("log_loss") == 1


def test_an_unknown_metric_is_named_with_those_there_are() -> None:
    with pytest.raises(DeclarationError, match=r"Unknown metric 'roc_auc'\. Metrics of this task: roc_auc_score, aver"):
        metric_named("roc_auc", task=BINARY)


def test_a_rate_and_a_point_are_not_compared_and_the_gate_says_so() -> None:
    assert not metric_named("positive_rate", task=BINARY).compared
    assert not metric_named("expected_calibration_error", task=BINARY).compared
    view = make_people()
    use_case = replace(JUDGED, gates=(NotWorseThanChampion(metric="positive_rate"),))

    found = judge(view, use_case=use_case, challenger=candidate(view, use_case=use_case), champion=None)

    assert found.decision.reasons[0].startswith("positive_rate: cannot be compared, because")

"""``evaluation``: how a version does on rows it has not seen, overall and by slice, and what the gates say to it."""

from collections.abc import Mapping
from datetime import UTC, datetime

import dagster as dg
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_assets.ml.checks import CheckResult
from mlops_assets.ml.evaluation import EvaluationReport, evaluate, weakest
from mlops_assets.ml.fit import clusters_of, labels_of, predict, split_view, weights_of
from mlops_assets.ml.gates import decide
from mlops_assets.ml.matrix import Vocabulary
from mlops_assets.ml.significance import Comparison, compare, constant_prior
from mlops_assets.ml.use_case import UseCase
from mlops_assets.orchestration.asset_run import AssetRun, Events, platform_asset
from mlops_assets.orchestration.checks import Check
from mlops_assets.orchestration.resources import LakeResource
from mlops_assets.orchestration.versions import VersionConfig, current_version, read_view
from mlops_assets.stores.champion import champion
from mlops_assets.stores.model_record import MODEL, VOCABULARY
from mlops_assets.stores.registry import (
    Evaluation,
    ModelVersion,
    evaluation_files,
    load_evaluation,
    load_version,
)
from mlops_assets.stores.snapshot import Snapshot
from mlops_assets.stores.tables import parquet_bytes

COMPLETE = Check(name="has_every_figure", description="Every overall metric has a value and an interval.")
CONSTANT = "constant prior"


def build_evaluation(use_case: UseCase) -> dg.AssetsDefinition:
    """The asset that judges a version."""

    @platform_asset(
        use_case,
        name="evaluation",
        deps=["model", "training_view"],
        kinds={"lakefs", "json"},
        checks=[COMPLETE, *(Check(name=gate.name, description=_promise(gate)) for gate in use_case.gates)],
        description=(
            "Metrics of the model on the test window with 95 % intervals, overall and for each "
            "slice, beside the champion on "
            "the same rows. Each gate is a check here: a model that fails one is evaluated and "
            "recorded, but never promoted."
        ),
    )
    def evaluation(context: dg.AssetExecutionContext, config: VersionConfig, lake: LakeResource) -> Events:
        run = AssetRun.begin(context, use_case=use_case, lake=lake.connect())
        head = run.lake.at()
        version = config.version or current_version(head, use_case=use_case)
        serving = champion(head, use_case=use_case.name)
        opponent = serving.version if serving else None
        known = load_evaluation(head, use_case=use_case.name, version=version)
        if known is not None and opponent in (version, known.record.champion):
            files, report, verdicts = _as_stored(head, use_case, known), known.report, known.record.decision.verdicts
        else:
            files, report, verdicts = _judge(head, use_case, version=version, opponent=opponent)
        yield from run.publish(
            files=files,
            audit=lambda staged: [_complete(staged, use_case, version)],
            verdicts=verdicts,
            metadata=_metadata(report, version=version, opponent=opponent),
            message=f"{use_case.name}: evaluation of {version}",
        )

    return evaluation


Judged = tuple[Mapping[str, bytes], EvaluationReport, tuple[CheckResult, ...]]


def _judge(head: Snapshot, use_case: UseCase, *, version: str, opponent: str | None) -> Judged:
    model = load_version(head, use_case=use_case.name, version=version)
    view = read_view(head, use_case=use_case)
    split = split_view(view, use_case=use_case)
    test = view.take(split.test.rows)
    labels, scores = labels_of(test), _scores(test, model, use_case)
    report = evaluate(
        labels,
        scores,
        slice_columns=test,
        slices=use_case.slices,
        threshold=model.record.threshold,
        seed=use_case.recipe.seed,
        clusters=clusters_of(test, use_case=use_case),
        weights=weights_of(test, use_case=use_case),
    )
    if opponent is None:
        learnt = view.take(split.train.rows)
        weights = weights_of(learnt, use_case=use_case)
        against = constant_prior(labels_of(learnt), rows=test.num_rows, weights=weights)
    else:
        against = _scores(test, load_version(head, use_case=use_case.name, version=opponent), use_case)
    comparison = _compare(use_case, test, labels, scores, against=against, opponent=opponent)
    before = load_evaluation(head, use_case=use_case.name, version=opponent) if opponent else None
    decision = decide(report, use_case.gates, comparison=comparison, previous=before.report if before else None)
    files = evaluation_files(
        decision,
        use_case=use_case.name,
        version=version,
        champion=opponent,
        decided_at=datetime.now(UTC),
        report=report,
        predictions=parquet_bytes(_predictions(test, scores, use_case, threshold=model.record.threshold)),
        comparison=comparison,
    )
    return files, report, decision.verdicts


def _compare(
    use_case: UseCase,
    test: pa.Table,
    labels: NDArray[np.float64],
    scores: NDArray[np.float64],
    *,
    against: NDArray[np.float64],
    opponent: str | None,
) -> Comparison:
    return compare(
        labels,
        scores,
        champion=against,
        opponent=opponent or CONSTANT,
        baseline=opponent is None,
        slice_columns=test,
        slices=use_case.slices,
        seed=use_case.recipe.seed,
        clusters=clusters_of(test, use_case=use_case),
        weights=weights_of(test, use_case=use_case),
    )


def _scores(test: pa.Table, model: ModelVersion, use_case: UseCase) -> NDArray[np.float64]:
    vocabulary = Vocabulary.from_json(model.files[VOCABULARY])
    return predict(test, booster=model.files[MODEL], vocabulary=vocabulary, use_case=use_case)


def _predictions(test: pa.Table, scores: NDArray[np.float64], use_case: UseCase, *, threshold: float) -> pa.Table:
    """The held-out predictions: what monitoring learns from what is normal."""
    columns = [column for declared in use_case.slices for column in declared.columns]
    kept = dict.fromkeys(("id", "event_time", "label", *columns, *use_case.monitoring.slices))
    return (
        test.select([name for name in kept if name in test.column_names])
        .append_column("score", pa.array(scores))
        .append_column("predicted_positive", pa.array(scores >= threshold))
    )


def _as_stored(head: Snapshot, use_case: UseCase, known: Evaluation) -> dict[str, bytes]:
    prefix = f"{use_case.name}/evaluations/{known.record.version}/"
    return {info.path: head.read(info.path) for info in head.paths(prefix)}


def _complete(staged: Snapshot, use_case: UseCase, version: str) -> CheckResult:
    found = load_evaluation(staged, use_case=use_case.name, version=version)
    metrics = found.report.overall.metrics if found else {}
    missing = [f"{name}: {each.shortfall or 'no value'}" for name, each in metrics.items() if each.value is None]
    if not metrics:
        missing = ["There is no report to read."]
    return CheckResult(
        name=COMPLETE.name,
        passed=not missing,
        figures={name: each.value for name, each in metrics.items() if each.value is not None},
        reasons=tuple(missing),
    )


def _promise(gate: object) -> str:
    """What a gate demands, as the UI shows it."""
    return f"Gate for promotion: {gate}."


def _metadata(report: EvaluationReport, *, version: str, opponent: str | None) -> dict[str, object]:
    figures = {name: each.value for name, each in report.overall.metrics.items() if each.value is not None}
    return {
        "version": version,
        "compared_with": opponent or CONSTANT,
        "rows": report.overall.rows,
        "segments": len(report.segments),
        **figures,
        "weakest_slices": dg.MetadataValue.md(_weakest_table(report)),
    }


def _weakest_table(report: EvaluationReport) -> str:
    lines = ["| segment | rows | ROC AUC | 95 % interval |", "| --- | ---: | ---: | --- |"]
    for segment in weakest(report, metric="roc_auc_score", count=10):
        figure = segment.metrics["roc_auc_score"]
        lines.append(
            f"| {segment.segment} | {segment.rows} | {figure.value:.3f} | {figure.lower:.3f} – {figure.upper:.3f} |"
        )
    return "\n".join(lines)

"""``evaluation``: how a version does on rows it has not seen, overall and by slice, and what the gates say to it."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from inspect import getdoc

import dagster as dg

from mlops_assets.ml.checks import CheckResult
from mlops_assets.ml.evaluation.gates import Gate
from mlops_assets.ml.evaluation.judgement import judge
from mlops_assets.ml.evaluation.report import EvaluationReport, weakest
from mlops_assets.ml.statistics.estimate import Estimate
from mlops_assets.ml.training.baselines import CONSTANT
from mlops_assets.ml.use_case import UseCase
from mlops_assets.orchestration.asset_run import AssetRun, Events, platform_asset
from mlops_assets.orchestration.checks import Check
from mlops_assets.orchestration.metadata import page_links
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.orchestration.versions import VersionConfig
from mlops_assets.reports.model_card import card_file, write_card
from mlops_assets.stores.lake.snapshot import Snapshot
from mlops_assets.stores.lake.tables import parquet_bytes
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.recipe import current_version, read_view
from mlops_assets.stores.models.registry import Evaluation, evaluation_files, load_evaluation, open_candidate

COMPLETE = Check(name="has_every_figure", description="Every overall metric has a value and an interval.")


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
    def evaluation(
        context: dg.AssetExecutionContext, config: VersionConfig, lake: LakeResource, data: DataResource
    ) -> Events:
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
        page = data.reports(use_case) / card_file(version)
        yield from run.publish(
            files=files,
            audit=lambda staged: [_complete(staged, use_case, version)],
            verdicts=verdicts,
            metadata={
                **page_links("model_card", page, root=data.root),
                **_metadata(report, version=version, opponent=opponent, weak_by=use_case.task.by_slice[0]),
            },
            message=f"{use_case.name}: evaluation of {version}",
        )
        write_card(run.lake, use_case=use_case, version=version, page=page)

    return evaluation


Judged = tuple[Mapping[str, bytes], EvaluationReport, tuple[CheckResult, ...]]


def _judge(head: Snapshot, use_case: UseCase, *, version: str, opponent: str | None) -> Judged:
    before = load_evaluation(head, use_case=use_case.name, version=opponent) if opponent else None
    judgement = judge(
        read_view(head, use_case=use_case),
        use_case=use_case,
        challenger=open_candidate(head, use_case=use_case, version=version),
        champion=open_candidate(head, use_case=use_case, version=opponent) if opponent else None,
        previous=before.report if before else None,
    )
    files = evaluation_files(
        judgement.decision,
        use_case=use_case.name,
        version=version,
        champion=opponent,
        decided_at=datetime.now(UTC),
        report=judgement.report,
        predictions=parquet_bytes(judgement.predictions),
        comparison=judgement.comparison,
    )
    return files, judgement.report, judgement.decision.verdicts


def _as_stored(head: Snapshot, use_case: UseCase, known: Evaluation) -> dict[str, bytes]:
    prefix = f"{use_case.name}/evaluations/{known.record.version}/"
    return {info.path: head.read(info.path) for info in head.paths(prefix)}


def _complete(staged: Snapshot, use_case: UseCase, version: str) -> CheckResult:
    found = load_evaluation(staged, use_case=use_case.name, version=version)
    metrics = found.report.overall.metrics if found else {}
    missing = lacking(metrics) if metrics else ["There is no report to read."]
    return CheckResult(
        name=COMPLETE.name,
        passed=not missing,
        figures={name: each.value for name, each in metrics.items() if each.value is not None},
        reasons=tuple(missing),
    )


def lacking(metrics: Mapping[str, Estimate]) -> list[str]:
    """The figures that have no value, and what each lacks."""
    return [f"{name}: {each.shortfall or 'no value'}" for name, each in metrics.items() if each.value is None]


def _promise(gate: Gate) -> str:
    """What a gate demands, as the UI shows it: the first sentence of its kind, and what was set for this one."""
    rule = " ".join((getdoc(type(gate)) or "").split("\n\n")[0].split()).replace("``", "")
    told = {each.name: getattr(gate, each.name) for each in fields(gate) if getattr(gate, each.name) != each.default}
    return f"Gate for promotion: {rule} Here: {', '.join(f'{name} {value}' for name, value in told.items())}."


def _metadata(report: EvaluationReport, *, version: str, opponent: str | None, weak_by: str) -> dict[str, object]:
    figures = {name: each.value for name, each in report.overall.metrics.items() if each.value is not None}
    return {
        "version": version,
        "compared_with": opponent or CONSTANT,
        "rows": report.overall.rows,
        "segments": len(report.segments),
        **figures,
        "beside_baselines": dg.MetadataValue.md(_baseline_table(report)),
        **({"fairness": dg.MetadataValue.md(_fairness_table(report))} if report.fairness else {}),
        "discovered_slices": dg.MetadataValue.md(_discovered_table(report)),
        "weakest_slices": dg.MetadataValue.md(_weakest_table(report, metric=weak_by)),
    }


def _baseline_table(report: EvaluationReport) -> str:
    """Every overall figure beside that of each baseline, and on training rows."""
    columns = {"model": report.overall, "on training rows": report.training, **report.baselines}
    lines = [f"| metric | {' | '.join(columns)} |", "| --- |" + " ---: |" * len(columns)]
    for metric in report.overall.metrics:
        found = [each.metrics[metric].value if each else None for each in columns.values()]
        lines.append(f"| {metric} | " + " | ".join("" if v is None else f"{v:.4f}" for v in found) + " |")
    return "\n".join(lines)


def _fairness_table(report: EvaluationReport) -> str:
    """Every rate of every protected group at the decision threshold, and the largest gap."""
    lines = ["| rate | group | value | 95 % interval |", "| --- | --- | ---: | --- |"]
    for found in report.fairness:
        for rate, disparity in found.decided.disparities.items():
            told = {group: rates[rate] for group, rates in found.decided.groups.items()}
            for name, each in {**told, f"largest gap by {found.slice}": disparity.gap}.items():
                lines.append(f"| {rate} | {name} | {_told(each)} |")
    return "\n".join(lines)


def _told(estimate: Estimate) -> str:
    if estimate.value is None:
        return f" | {estimate.shortfall}"
    return f"{estimate.value:.3f} | {estimate.lower:.3f} – {estimate.upper:.3f}"


def _discovered_table(report: EvaluationReport) -> str:
    """The weak segments that nobody declared, on the rows that confirmed them."""
    if not report.discovered:
        return "No weak segment was found beyond chance."
    lines = ["| segment | rows | share | log loss | of the rest | since |", "| --- | ---: | ---: | ---: | ---: | --- |"]
    for each in report.discovered:
        weak, rows = each.weak, each.figures.rows
        loss = f"{weak.loss:.3f} | {weak.rest_loss:.3f}"
        lines.append(f"| {weak} | {rows} | {weak.share:.1%} | {loss} | {each.since} |")
    return "\n".join(lines)


def _weakest_table(report: EvaluationReport, *, metric: str) -> str:
    lines = [f"| segment | rows | {metric} | 95 % interval |", "| --- | ---: | ---: | --- |"]
    for segment in weakest(report, metric=metric, count=10):
        figure = segment.metrics[metric]
        lines.append(
            f"| {segment.segment} | {segment.rows} | {figure.value:.3f} | {figure.lower:.3f} – {figure.upper:.3f} |"
        )
    return "\n".join(lines)

"""``evaluation``: how a version does on rows it has not seen, overall and by slice, and what the gates say to it."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from inspect import getdoc
from typing import Any

import dagster as dg
import pyarrow as pa

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.errors import EvaluationError, RegistryError
from mlops_assets.contract.gates import Gate
from mlops_assets.contract.paths import evaluation_path, model_path
from mlops_assets.contract.use_case import UseCase
from mlops_assets.judge.estimate import Estimate
from mlops_assets.judge.gate_decision import GateDecision
from mlops_assets.judge.judgement import Candidate, judge
from mlops_assets.judge.report import EvaluationReport, weakest
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import parquet_bytes
from mlops_assets.orchestration.asset_run import AssetRun, Events, platform_asset
from mlops_assets.orchestration.checks import Check
from mlops_assets.orchestration.metadata import page_links
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.orchestration.versions import VersionConfig
from mlops_assets.reports.model_card import card_file, write_card
from mlops_assets.stores.models.champion import Pointer, champion
from mlops_assets.stores.models.eligibility import why_not_judged
from mlops_assets.stores.models.recipe import current_version, read_view
from mlops_assets.stores.models.record import PREDICTIONS, RECORD, as_declared
from mlops_assets.stores.models.registry import (
    Evaluation,
    decided_again,
    evaluation_files,
    load_evaluation,
    load_record,
    open_candidate,
    report_of,
    stored_files,
)
from mlops_assets.training.baselines import CONSTANT

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
        opponent = _opponent(serving, version=version)
        known = _known(context, head, use_case, version=version)
        if known is not None and (opponent == known.record.champion or (serving and serving.version == version)):
            files, report, verdicts = _as_stored(head, use_case, known)
        else:
            files, report, verdicts = _judge(context, head, use_case, version=version, opponent=opponent)
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


def _opponent(serving: Pointer | None, *, version: str) -> str | None:
    """The champion; of the champion itself, the one before it."""
    if serving is None:
        return None
    return serving.previous if serving.version == version else serving.version


def _known(context: dg.AssetExecutionContext, head: Snapshot, use_case: UseCase, *, version: str) -> Evaluation | None:
    """What the version was judged by before; a damaged evaluation is none, so that it is made again."""
    try:
        return load_evaluation(head, use_case=use_case.name, version=version)
    except (RegistryError, EvaluationError) as error:
        context.log.warning(f"{version} is judged again. {error}")
        return None


def _judge(
    context: dg.AssetExecutionContext, head: Snapshot, use_case: UseCase, *, version: str, opponent: str | None
) -> Judged:
    """Judged on today's test rows. Raises RegistryError when it has learnt from them; a champion that has is not
    compared with.
    """
    view = read_view(head, use_case=use_case)
    challenger, unfit = _candidate(head, view, use_case, version=version)
    if unfit:
        raise RegistryError(f"{unfit}.")
    champion, incomparable = _candidate(head, view, use_case, version=opponent) if opponent else (None, "")
    judgement = judge(
        view,
        use_case=use_case,
        challenger=challenger,
        champion=champion,
        previous=report_of(head, use_case=use_case.name, version=opponent),
        incomparable=incomparable and f"champion {incomparable}",
    )
    for rule in judgement.gone:
        context.log.warning(f"The weak segment '{rule}' of {opponent} cannot be looked at again: its column is gone.")
    predictions = parquet_bytes(judgement.predictions)
    files = _files(
        head,
        use_case,
        judgement.decision,
        version=version,
        champion=opponent,
        report=judgement.report,
        predictions=predictions,
        comparison=judgement.comparison,
    )
    return files, judgement.report, judgement.decision.verdicts


def _candidate(head: Snapshot, view: pa.Table, use_case: UseCase, *, version: str) -> tuple[Candidate, str]:
    """The version, and why its answers to the test rows would prove nothing."""
    found = open_candidate(head, use_case=use_case, version=version)
    record = load_record(head, use_case=use_case.name, version=version)
    return found, why_not_judged(record, found.scorer, view=view, use_case=use_case)


def _as_stored(head: Snapshot, use_case: UseCase, known: Evaluation) -> Judged:
    """What is on record; where today's gates say something else to the same figures, with that decision."""
    version, name = known.record.version, use_case.name
    decision = decided_again(head, known, use_case=use_case)
    if (known.record.decision, known.record.gates) == (decision, as_declared(use_case.gates)):
        files = stored_files(head, prefix=evaluation_path(name, version=version, name=""))
        return files, known.report, known.record.decision.verdicts
    files = _files(
        head,
        use_case,
        decision,
        version=version,
        champion=known.record.champion,
        report=known.report,
        predictions=head.read(evaluation_path(name, version=version, name=PREDICTIONS)),
        comparison=known.comparison,
    )
    return files, known.report, decision.verdicts


def _files(
    head: Snapshot, use_case: UseCase, decision: GateDecision, *, version: str, **judged: Any
) -> dict[str, bytes]:
    return evaluation_files(
        decision,
        use_case=use_case.name,
        version=version,
        decided_at=datetime.now(UTC),
        record=head.read(model_path(use_case.name, version=version, name=RECORD)),
        gates=use_case.gates,
        **judged,
    )


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

"""``evaluation``: how a version does on rows it has not seen, overall and by slice, and what the gates say to it."""

from dataclasses import fields
from inspect import getdoc

import dagster as dg

from mlops_assets.contract.gates import Gate
from mlops_assets.contract.tasks import Multiclass
from mlops_assets.contract.use_case import UseCase
from mlops_assets.judge.estimate import Estimate
from mlops_assets.judge.plausibility import BELIEVABLE
from mlops_assets.judge.rare_classes import CLASSES_SUFFICE
from mlops_assets.judge.repeated_rows import MOST, NOT_LEARNT
from mlops_assets.judge.report import EvaluationReport, weakest
from mlops_assets.orchestration.asset_run import AssetRun, Events, asset_key, platform_asset
from mlops_assets.orchestration.checks import Check
from mlops_assets.orchestration.metadata import page_links, table_of
from mlops_assets.orchestration.moments import moment_of
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.orchestration.versions import VersionConfig
from mlops_assets.reports.model_card import card_file, write_card
from mlops_assets.steps.judge import HAS_EVERY_FIGURE, Judged, judge
from mlops_assets.training.baselines import CONSTANT

COMPLETE = Check(name=HAS_EVERY_FIGURE, description="Every overall metric has a value, or says what it lacks for one.")
CREDIBLE = Check(
    name=BELIEVABLE,
    description="The model's own figure is not too good to be true, or it was said why it is right.",
    blocking=False,
)
APART = Check(
    name=NOT_LEARNT,
    description=f"Less than {MOST:.0%} of the test rows are rows that were learnt from, or they coincide by nature.",
    blocking=False,
)
CLASSES = Check(
    name=CLASSES_SUFFICE,
    description="Of every class there are rows to learn from, and enough to judge it by itself.",
    blocking=False,
)
INTERVAL = "95 % interval"


def build_evaluation(use_case: UseCase) -> dg.AssetsDefinition:
    """The asset that judges a version."""

    @platform_asset(
        use_case,
        name="evaluation",
        stage="model",
        deps=["model"],
        kinds={"lakefs", "json"},
        checks=[
            COMPLETE,
            CREDIBLE,
            APART,
            *([CLASSES] if isinstance(use_case.task, Multiclass) else []),
            *(Check(name=gate.name, description=_promise(gate)) for gate in use_case.gates),
        ],
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
        step = judge(run.lake.at(), use_case=use_case, now=moment_of(context.run.tags), version=config.version)
        judged = step.outcome
        for note in judged.notes:
            context.log.warning(note)
        page = data.reports(use_case) / card_file(judged.version)
        yield from run.publish(
            step,
            metadata={
                **page_links("model_card", page, root=data.root),
                **_metadata(judged, weak_by=use_case.task.by_slice[0]),
            },
        )
        write_card(run.lake, use_case=use_case, version=judged.version, page=page)

    return evaluation


def explained_by_hand(use_case: UseCase, *, why: str) -> dg.AssetCheckEvaluation:
    """What the UI is told when a person said on the command line why figures are right: the warning is over."""
    key = asset_key(use_case, "evaluation")
    return dg.AssetCheckEvaluation(asset_key=key, check_name=BELIEVABLE, passed=True, metadata={"explained": why})


def _promise(gate: Gate) -> str:
    """What a gate demands, as the UI shows it: the first sentence of its kind, and what was set for this one."""
    rule = " ".join((getdoc(type(gate)) or "").split("\n\n")[0].split()).replace("``", "")
    told = {each.name: getattr(gate, each.name) for each in fields(gate) if getattr(gate, each.name) != each.default}
    return f"Gate for promotion: {rule} Here: {', '.join(f'{name} {value}' for name, value in told.items())}."


def _metadata(judged: Judged, *, weak_by: str) -> dict[str, object]:
    report = judged.report
    figures = {name: each.value for name, each in report.overall.metrics.items() if each.value is not None}
    return {
        "version": judged.version,
        "compared_with": judged.opponent or CONSTANT,
        "rows": report.overall.rows,
        "segments": len(report.segments),
        **figures,
        "beside_baselines": _baseline_table(report),
        **({"fairness": _fairness_table(report)} if report.fairness else {}),
        "discovered_slices": _discovered_table(report),
        "weakest_slices": _weakest_table(report, metric=weak_by),
    }


def _baseline_table(report: EvaluationReport) -> dg.MarkdownMetadataValue:
    """Every overall figure beside that of each baseline, and on training rows."""
    columns = {"model": report.overall, "on training rows": report.training, **report.baselines}
    rows = []
    for metric in report.overall.metrics:
        found = [each.metrics[metric].value if each else None for each in columns.values()]
        rows.append((metric, *("" if value is None else f"{value:.4f}" for value in found)))
    return table_of(("metric", *columns), rows, right=columns)


def _fairness_table(report: EvaluationReport) -> dg.MarkdownMetadataValue:
    """Every rate of every protected group at the decision threshold, and the largest gap."""
    rows = []
    for found in report.fairness:
        for rate, disparity in found.decided.disparities.items():
            told = {group: rates[rate] for group, rates in found.decided.groups.items()}
            for name, each in {**told, f"largest gap by {found.slice}": disparity.gap}.items():
                rows.append((rate, name, *_told(each)))
    return table_of(("rate", "group", "value", INTERVAL), rows, right=("value",))


def _told(estimate: Estimate) -> tuple[str, str | None]:
    if estimate.value is None:
        return "", estimate.shortfall
    interval = None if estimate.lower is None else f"{estimate.lower:.3f} – {estimate.upper:.3f}"
    return f"{estimate.value:.3f}", interval


def _discovered_table(report: EvaluationReport) -> dg.MarkdownMetadataValue:
    """The weak segments that nobody declared, on the rows that confirmed them."""
    if not report.discovered:
        return dg.MetadataValue.md("No weak segment was found beyond chance.")
    columns = ("segment", "rows", "share", "log loss", "of the rest", "since")
    rows = [
        (
            each.weak,
            each.figures.rows,
            f"{each.weak.share:.1%}",
            f"{each.weak.loss:.3f}",
            f"{each.weak.rest_loss:.3f}",
            each.since,
        )
        for each in report.discovered
    ]
    return table_of(columns, rows, right=columns[1:-1])


def _weakest_table(report: EvaluationReport, *, metric: str) -> dg.MarkdownMetadataValue:
    rows = [
        (segment.segment, segment.rows, *_told(segment.metrics[metric]))
        for segment in weakest(report, metric=metric, count=10)
    ]
    return table_of(("segment", "rows", metric, INTERVAL), rows, right=("rows", metric))

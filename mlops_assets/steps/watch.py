"""Watch: what the service was asked and answered on a day against what is usual, and how right that was once known.

Belongs here: the report of a day, its verdicts, and that it is published. What is known of a day is in
``served_day.py``, how it is judged in ``watch/served/``; which days are to be watched in
``stores/predictions/served_days.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import get_args

from mlops_assets.contract.alerts import Urgency
from mlops_assets.contract.checks import CheckResult, Figure
from mlops_assets.contract.paths import monitoring_path, served_truth_path
from mlops_assets.contract.severity import Severity
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import Connect, parquet_bytes
from mlops_assets.steps.served_day import ServedDay
from mlops_assets.steps.step import Step
from mlops_assets.stores.predictions.served_metrics import added
from mlops_assets.watch.served.causes import causes, headline
from mlops_assets.watch.served.report import Cause, Cell, InputShift, Order, WatchReport

READABLE = "report_is_readable"
CHECKS: Mapping[Order, str] = {
    "exact": "service_answers_as_it_should",
    "inputs": "requests_are_as_usual",
    "predictions": "answers_are_as_usual",
    "truth": "answers_are_as_right_as_usual",
}
"""One verdict for each kind of thing that is judged, in the order of trust."""
NOTHING: Mapping[Order, str] = {
    "exact": "nothing is known of the service yet",
    "inputs": "nothing was asked",
    "predictions": "nothing was answered",
    "truth": "no outcome is known yet",
}
"""What is lacking where there is not even a figure: a verdict that could be no other is none."""
PARITY, VERSIONS = "scores", "versions"
NEAR, NAMED_INPUTS = 0.25, 3
"""Of what would be unusual an input is told from a quarter on, and three at most."""

Reports = Mapping[str, WatchReport]


@dataclass(frozen=True, kw_only=True)
class _Watched:
    """What one day came to."""

    report: WatchReport
    files: Mapping[str, bytes]
    checks: tuple[CheckResult, ...]


def watch(
    head: Snapshot, *, use_case: UseCase, days: Sequence[str], lake: Lake, connect: Connect, now: datetime
) -> Step[Reports]:
    """The report of each of ``days``, as far as it is over ``now``, of the version that gave most of its answers."""
    known = (
        ServedDay(head=head, use_case=use_case, day=date.fromisoformat(day), lake=lake, connect=connect, now=now)
        for day in days
    )
    watched = [_watch(day) for day in known]
    return Step(
        files={path: content for each in watched for path, content in each.files.items()},
        audit=lambda staged: [_readable(staged, use_case, day) for day in days],
        checks=[check for each in watched for check in each.checks],
        outcome={each.report.day.isoformat(): each.report for each in watched},
    )


def _watch(known: ServedDay) -> _Watched:
    report = _report(known)
    name, batch = known.use_case.name, report.day.isoformat()
    truth = {served_truth_path(name, batch=batch): parquet_bytes(known.truth)} if known.truth.num_rows else {}
    return _Watched(
        report=report,
        files={monitoring_path(name, batch=batch): report.to_json(), **known.requests.files, **truth},
        checks=(known.parity, *_verdicts(report)),
    )


def _report(known: ServedDay) -> WatchReport:
    use_case, day = known.use_case, known.day
    asked = known.requests.days.get(day.isoformat())
    given = [*_differing(known), *_wrong_versions(known), *(asked.causes if asked else ())]
    found = causes(known.cells, day=day, given=given, figures=known.figures, positive_word=use_case.positive_word)
    return WatchReport(
        use_case=use_case.name,
        day=day,
        until=known.until,
        made_of=known.made_of,
        version=known.version,
        versions=known.versions,
        answered=known.records.num_rows,
        labelled=known.labelled.num_rows,
        headline=headline(
            known.cells,
            causes=found,
            figures=added([known.figures, known.held_out_figures]),
            day=day,
            positive_word=use_case.positive_word,
            facts=_facts(known),
        ),
        cells=known.cells,
        estimated=known.estimated,
        realised=known.realised,
        causes=found,
        inputs=asked.shifts if asked else (),
        compared_with=asked.compared_with if asked else "",
    )


def _differing(known: ServedDay) -> Iterator[Cause]:
    """Scores that are not what the model says of the same rows: nothing else that is served can be trusted then."""
    check = known.parity
    if not check.passed and check.severity is Severity.ERROR:
        yield Cause(
            key=PARITY,
            order="exact",
            urgency=Urgency.PAGE,
            what=f"What was served is not what the model says of the same rows. {check.reasons[0]}",
            normal="Equal to the bit.",
            likely_cause="The online store, or the service's code, is not what the model was trained with.",
            to_do="`mlops trace` one of these predictions; refresh the online store, or roll back.",
            since=datetime.combine(known.day, time()),
            consequences=check.reasons[1:],
        )


def _wrong_versions(known: ServedDay) -> Iterator[Cause]:
    """Answers of models that the lake does not know, or that were replaced."""
    for versions, what, to_do in (
        (
            known.unknown_versions,
            "answered, and the lake does not know it",
            "Start the service from the champion's Bento.",
        ),
        (known.replaced_versions, "went on to answer after it was replaced", "See in `mlops status` why it was kept."),
    ):
        if versions:
            answers = sum(known.versions[version] for version in versions)
            yield Cause(
                key=VERSIONS,
                order="exact",
                urgency=Urgency.PAGE,
                what=f"Model {', '.join(versions)} {what}: {answers:,} of {known.records.num_rows:,} answers.",
                normal="The champion answers, or a challenger that is tried.",
                to_do=to_do,
                since=datetime.combine(known.day, time()),
            )


def _facts(known: ServedDay) -> list[str]:
    """What else belongs into the headline: whether scoring is exact, and the outcomes so far."""
    compared = known.parity.figures["compared"]
    exact = "scoring exact" if known.parity.passed else "scores differ from the model's"
    facts = [exact if compared else "scoring could not be checked"] if known.served.num_rows else []
    loss = known.use_case.task.by_slice[1]
    for each in known.realised:
        if (each.metric, each.scope) == (loss, "overall") and each.value is not None:
            prior = "" if each.prior is None else f" against {each.prior:.3f} of the prior on the same rows"
            facts.append(f"{loss.replace('_', ' ')} {each.value:.3f}{prior} for the {each.n} outcomes so far")
    return [*facts, *_most_unlike(known)]


def _most_unlike(known: ServedDay) -> list[str]:
    """The inputs that come nearest to being unusual, where none is."""
    asked = known.requests.days.get(known.day.isoformat())
    near = [
        (each.figure / each.bound, _now_and_then(each))
        for each in (asked.shifts if asked and not asked.causes else ())
        if each.verdict == "usual" and each.bound and each.figure is not None and None not in (each.now, each.then)
    ]
    told = [said for share, said in sorted(near, reverse=True) if NEAR <= share <= 1][:NAMED_INPUTS]
    return [f"most unlike other days: {', '.join(told)}"] if told else []


def _now_and_then(shift: InputShift) -> str:
    if shift.value:
        return f"{shift.column} ({shift.value} in {shift.now:.0%}, usually in {shift.then:.0%})"
    return f"{shift.column} ({shift.now:,.4g}, usually {shift.then:,.4g})"


def _verdicts(report: WatchReport) -> Iterator[CheckResult]:
    """One for each kind of thing; what could not be judged at all does not pass."""
    for order in get_args(Order):
        found = [cause for cause in report.causes if cause.order == order]
        judged: list[Cell | InputShift] = [
            *(cell for cell in report.cells if cell.order == order),
            *(report.inputs if order == "inputs" else ()),
        ]
        verdicts = [each.verdict for each in judged]
        unjudged = verdicts.count("cannot be judged")
        reasons = [" ".join([cause.what, *cause.consequences]) for cause in found]
        if unjudged == len(verdicts) and not reasons:
            lacking = f"none of {len(judged)} figures can be judged yet. {judged[0].why}" if judged else NOTHING[order]
            reasons = [f"insufficient data: {lacking}."]
        figures: dict[str, Figure] = {
            "answers": report.answered,
            "judged": len(verdicts) - unjudged,
            "cannot_be_judged": unjudged,
            "unusual": verdicts.count("unusual"),
        }
        yield CheckResult(
            name=CHECKS[order],
            passed=not reasons,
            severity=Severity.ERROR if any(c.urgency is Urgency.PAGE for c in found) else Severity.WARN,
            batch=report.day.isoformat(),
            figures=figures,
            reasons=tuple(reasons),
        )


def _readable(staged: Snapshot, use_case: UseCase, day: str) -> CheckResult:
    told = WatchReport.from_json(staged.read(monitoring_path(use_case.name, batch=day)))
    passed = told.day.isoformat() == day
    return CheckResult(
        name=READABLE,
        passed=passed,
        batch=day,
        figures={"answers": told.answered, "cells": len(told.cells)},
        reasons=() if passed else (f"The report of {day} speaks of {told.day}.",),
    )

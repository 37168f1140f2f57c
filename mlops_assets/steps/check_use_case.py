"""Says of a use case that exists what `mlops new` says of one that is to be: what is declared, and what has landed.

What cannot be loaded at all is told by ``use_cases/registry.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from mlops_assets.contract.by_default import is_declared
from mlops_assets.contract.defaults import OWNER, label_source
from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.gates import Gate
from mlops_assets.contract.source import Source
from mlops_assets.contract.splits import HashSplit, TimeSplit
from mlops_assets.contract.tasks import Multiclass, Regression
from mlops_assets.contract.use_case import UseCase
from mlops_assets.stores.landing.landing import LandedFile, Scan
from mlops_assets.watch.drafting.columns import NEAR_EMPTY, Look, key_findings, look_at, repeated_rows
from mlops_assets.watch.drafting.findings import Finding, fine, look, percent, said, stop
from mlops_assets.watch.drafting.labels import (
    Label,
    TaskWord,
    label_as,
    label_findings,
    refuse_label,
    said_figures,
    telling_columns,
)
from mlops_assets.watch.validation.file_format import inspect_file
from mlops_assets.watch.validation.file_sniff import SniffedFormat
from mlops_assets.watch.validation.landed_text import read_columns
from mlops_assets.watch.validation.quarantine import BatchReport, validate
from mlops_assets.watch.validation.schema_draft import LandedText

JUDGED = 5
"""So many of the newest files of a source are judged row by row."""
MOST_BYTES = 256 * 1024 * 1024
"""So many bytes of the newest files are looked at together."""


def declared_findings(use_case: UseCase) -> Iterator[Finding]:
    """What the declaration says, in words."""
    yield fine(_predicts(use_case))
    yield fine(f"It learns from {len(use_case.features)} features: {said([each.name for each in use_case.features])}.")
    if use_case.left_out:
        yield fine(f"Nobody is asked for {said(use_case.left_out)}: left out.")
    if use_case.label is not None:
        named = said(use_case.key) if use_case.key else "the file and the place in it"
        yield fine(f"A row is named by {named}.")
    yield fine(f"Models are judged on {_split(use_case)}; {_gates(use_case.gates)}.")
    if use_case.owner == OWNER:
        yield look("Nobody is named who answers for it: say owner, such as owner='team:credit'.")


def _predicts(use_case: UseCase) -> str:
    label = f"'{use_case.label}'" if use_case.label else f"the label of {use_case.examples_sql.name}"
    if isinstance(use_case.task, Multiclass):
        return f"It predicts {label}, one of {len(use_case.task.classes)} classes: {said(use_case.task.classes)}."
    if isinstance(use_case.task, Regression):
        return f"It predicts {label}, a number."
    outcome = f" is '{use_case.positive}'" if use_case.positive is not None else " is true"
    return f"It predicts whether {label}{outcome}."


def _split(use_case: UseCase) -> str:
    split = use_case.split
    if isinstance(split, HashSplit):
        return f"{percent(split.test_share)} of the rows, drawn by '{split.key}'"
    return f"the last {split.test_days} days" if isinstance(split, TimeSplit) else (
        f"the last {percent(split.test_share)} of the days"
    )  # fmt: skip


def _gates(gates: Sequence[Gate]) -> str:
    if not gates:
        return "no gate holds a bad one back"
    names = dict.fromkeys(re.sub(r"(?<!^)(?=[A-Z])", " ", type(gate).__name__).lower() for gate in gates)
    return f"{len(gates)} gate{'s hold' if len(gates) > 1 else ' holds'} a bad one back ({', '.join(names)})"


def landed_findings(use_case: UseCase, scan: Scan) -> Iterator[Finding]:
    """What of the landed files will be refused or set aside, and what they show beside the declaration."""
    for refused in scan.refused[:JUDGED]:
        yield look(f"{refused} It is not taken.")
    for source in use_case.sources:
        files = _newest([file for file in scan.files if file.source == source.name])
        if not files:
            yield look(f"Nothing of '{source.name}' has landed: `mlops land {use_case.name} FILE…` does that.")
            continue
        judged = {file.batch: file.path for file in files[-JUDGED:]}
        with duckdb.connect() as connection:
            reports = validate(judged, source=source, connection=connection)
        yield from _judged(source, reports)
        readable = [file.path for file in files if file.batch not in reports or reports[file.batch].rows_read]
        if use_case.label is not None and label_source(use_case) is source and readable:
            yield from seen_findings(use_case, look_at(_landed_text(readable, source=source)))


def _newest(files: Sequence[LandedFile]) -> list[LandedFile]:
    """The last files that are not too many bytes together."""
    taken: list[LandedFile] = []
    size = 0
    for file in reversed(files):
        size += file.size
        if taken and size > MOST_BYTES:
            break
        taken.append(file)
    return taken[::-1]


def _judged(source: Source, reports: Mapping[str, BatchReport]) -> Iterator[Finding]:
    fit = 0
    for batch, report in reports.items():
        if not report.passed:
            reasons = [reason for check in report.checks if check.blocks for reason in check.reasons]
            yield stop(f"'{source.name}' of '{batch}' will be refused: {' '.join(reasons[:3])}")
        elif report.held.num_rows:
            rules = dict.fromkeys(report.quarantined["rule"].to_pylist())
            yield look(
                f"{report.held.num_rows:,} of {report.rows_read:,} rows of '{source.name}' of '{batch}' will be set "
                f"aside, as they break {said(map(str, rules))}."
            )
        else:
            fit += 1
    if fit:
        yield fine(
            f"{fit} landed file{'s' if fit > 1 else ''} of '{source.name}' fit{'' if fit > 1 else 's'} its schema."
        )


def _landed_text(files: Sequence[Path], *, source: Source) -> LandedText:
    """The files' rows as the source declares them to be written."""
    names, form = source.columns.names, source.form
    reports = {file: inspect_file(file, form=form, names=names) for file in files}
    whole = {file: report for file, report in reports.items() if not report.faults}
    text = pa.concat_tables(
        [read_columns(file, names=names, form=form, report=report) for file, report in whole.items()]
    )
    nulls = {name: source.nulls_of(name) for name in names}
    return LandedText(
        files=tuple(whole),
        report=next(iter(whole.values())),
        text=text,
        format=SniffedFormat(form=form, columns=names, null_values=nulls),
    )


def seen_findings(use_case: UseCase, seen: Look) -> Iterator[Finding]:
    """What rows show that the declaration should say, or that keeps a model from being learnt."""
    assert use_case.label is not None
    try:
        refuse_label(seen, column=use_case.label)
        label = _label(use_case, seen)
    except DeclarationError as error:
        yield stop(str(error))
        return
    features = [each.name for each in use_case.features if each.name in seen.columns]
    yield from _features(seen, features)
    yield from repeated_rows(seen)
    yield from key_findings(seen, key=use_case.key if is_declared(use_case, "key") else ())
    yield from label_findings(seen, label=label, time=use_case.time)
    told = [name for name in features if not seen.is_empty(name)]
    tellings = telling_columns(seen, label=label, among=told, limit=use_case.suspicious_roc_auc)
    if leaks := [each for each in tellings if each.is_leak]:
        yield stop(
            f"{said_figures(leaks)}: training refuses what tells the label so well by itself (0.5 is chance, 1 all). "
            "Put it into left_out if it is known only after the outcome, else raise suspicious_roc_auc."
        )
    if near := [each for each in tellings if not each.is_leak]:
        yield look(f"{said_figures(near)}: tells much of the label by itself; is it known when an answer is asked for?")


def _label(use_case: UseCase, seen: Look) -> Label:
    assert use_case.label is not None
    if isinstance(use_case.task, Multiclass):
        return Label(column=use_case.label, task="multiclass", classes=use_case.task.classes)
    task: TaskWord = "regression" if isinstance(use_case.task, Regression) else "binary"
    positive = None if use_case.positive is None else str(use_case.positive)
    return label_as(seen, column=use_case.label, task=task, positive=positive)


def _features(seen: Look, features: Sequence[str]) -> Iterator[Finding]:
    """Features that nothing can be learnt from."""
    facts = {
        "has no value in any row": seen.is_empty,
        "is the same in every row": seen.is_constant,
        "names a row": seen.is_name,
        "hardly ever says the same twice": seen.is_prose,
    }
    for fact, holds in facts.items():
        if names := [name for name in features if holds(name)]:
            yield look(f"{said(names)} {fact}, so nothing can be learnt from it: put it into left_out.")
    for name in features:
        if NEAR_EMPTY <= seen.missing[name] / seen.count < 1:
            yield look(f"'{name}' is missing in {percent(seen.missing[name] / seen.count)} of the rows.")

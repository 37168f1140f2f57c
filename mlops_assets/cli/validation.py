"""`mlops validate`: what is wrong or unusual with a batch, whether it has landed or not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from mlops_assets.cli.data import refuse_no_batch
from mlops_assets.cli.deployment import UseCaseName, landing_zone, use_case_of
from mlops_assets.cli.output import AsJson, Table, show
from mlops_assets.contract.anomalies import Anomaly, AnomalyReport
from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.severity import Severity
from mlops_assets.contract.source import Cadence, Source
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.stores.landing.batch_files import batch_named, find_file, judge_file

console = Console()


def validate(
    use_case: UseCaseName,
    day: Annotated[str | None, typer.Option("--day", "--batch", help="The batch, such as 2013-03-01.")] = None,
    source: Annotated[list[str] | None, typer.Option(help="Only this source; may be repeated.")] = None,
    file: Annotated[Path | None, typer.Option(help="A file that has not landed; needs --source.", exists=True)] = None,
    as_json: AsJson = False,
) -> None:
    """Judge a batch as if it landed now: bytes, rows, references, row count and distributions; nothing is written.

    Ends with 1 if the batch would be refused, with 0 if there is nothing or only warnings.
    """
    chosen = use_case_of(use_case)
    reports = [
        judge_file(path, use_case=chosen, source=one, batch=batch, head=head).anomalies
        for one, path, batch, head in _asked_for(chosen, day=day, names=source or [], file=file)
    ]
    show(reports, as_json=as_json, text=lambda: _show_all(reports))
    if any(report.refused for report in reports):
        raise typer.Exit(1)


def _asked_for(
    use_case: UseCase, *, day: str | None, names: list[str], file: Path | None
) -> list[tuple[Source, Path, str, Snapshot]]:
    """Each source with its file, the batch that it is judged as, and the lake that it is judged against."""
    head = Lake.connect().at()
    if file is not None:
        if len(names) != 1:
            raise DeclarationError(f"Which source is {file}? Say --source with one of {_names(use_case)}.")
        one = use_case.source(names[0])
        return [(one, file, batch_named(file, source=one, batch=day), head)]
    if day is None:
        raise DeclarationError("Which batch? Say --day 2013-03-01, or --file with --source.")
    refuse_no_batch(use_case, day)
    arriving = [one.name for one in use_case.sources if one.cadence is not Cadence.STATIC]
    chosen = [use_case.source(name) for name in names or arriving]
    zone = landing_zone()
    named = [(one, batch_named(Path(day), source=one, batch=day)) for one in chosen]
    return [
        (one, find_file(use_case, source=one, batch=batch, zone=zone, head=head), batch, head) for one, batch in named
    ]


def _names(use_case: UseCase) -> str:
    return ", ".join(source.name for source in use_case.sources)


def _show_all(reports: Sequence[AnomalyReport]) -> None:
    for report in reports:
        _show(report)


def _show(report: AnomalyReport) -> None:
    """One batch's anomalies as a table that reads well in eighty columns."""
    verdict = "[red]refused[/]" if report.refused else "[green]good[/]"
    few = f", {report.rows_quarantined} set aside" if report.rows_quarantined else ""
    console.print(
        f"[bold]{report.source} {report.batch}[/]: {verdict}, {report.rows_read} rows{few}; schema "
        f"{report.schema_version}"
    )
    if not report.anomalies:
        console.print("  Nothing is wrong or unusual.\n")
        return
    table = Table("", "what", "found", show_lines=True)
    for each in report.anomalies:
        table.add_row(*_row(each))
    console.print(table)


def _row(found: Anomaly) -> tuple[str, str, str]:
    colour = "red" if found.severity is Severity.ERROR else "dim" if found.since else "yellow"
    where = "\n".join(text for text in (found.column, found.slice) if text)
    why = f"\n[bold]{escape(found.explanation)}[/]" if found.explanation else ""
    return (
        f"[{colour}]{f'goes on since {found.since}' if found.since else found.severity}[/]",
        f"{found.code}\n{where}".strip(),
        f"{escape(found.message)}{why}\n[dim]{found.what_to_do}[/]",
    )

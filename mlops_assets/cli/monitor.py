"""`mlops monitor`: what the page of a use case's monitoring says, in a terminal."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from mlops_assets.cli.deployment import UseCaseName, use_case_of
from mlops_assets.cli.output import AsJson, Table, show
from mlops_assets.contract.alerts import Alert
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import data_directory, environment_directory
from mlops_assets.reports.monitoring_figures import Timeline
from mlops_assets.reports.monitoring_rows import day_rows, unjudged
from mlops_assets.reports.page import words
from mlops_assets.steps.monitoring_page import write_view
from mlops_assets.stores.pages import page_url
from mlops_assets.stores.predictions.monitoring_view import read_view
from mlops_assets.watch.served.report import WatchReport
from mlops_assets.watch.served.view import Light, MonitoringView, standing

console = Console()
COLOURS = {
    Light.PAGE: "red",
    Light.LOOK: "yellow",
    Light.USUAL: "green",
    Light.UNJUDGED: "magenta",
    Light.SILENT: "magenta",
}
URGENCIES = {"page": "red", "inform": "yellow"}
REASONS = 5
"""So many reasons why something cannot be judged are shown."""


def monitor(
    use_case: UseCaseName,
    days: Annotated[int, typer.Option(min=1, help="So many of the last days.")] = 7,
    in_browser: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say how what is served does: green or not and why, alerts, the last days, what cannot be judged, versions.

    Its page, which shows 90 days, is written anew.
    """
    chosen, folder, now = use_case_of(use_case), environment_directory(), datetime.now(UTC)
    view = read_view(Lake.connect().at(), use_case=chosen, folder=folder)
    page = write_view(view, folder=folder, now=now)
    url = page_url(page, root=data_directory())
    told = {"use_case": use_case, **asdict(standing(view, now=now)), **_as_data(view, days=days)}
    show({**told, "page": page, "url": url}, as_json=as_json, text=lambda: _show(view, page, url, now=now, days=days))
    if in_browser:
        webbrowser.open(page.resolve().as_uri())


def _as_data(view: MonitoringView, *, days: int) -> dict[str, object]:
    """The last days with the figures of each, the latest first, and what stands."""
    reports = [*reversed(view.days)][:days]
    return {
        "alerts": view.alerts,
        "days": reports,
        "cannot_be_judged": unjudged(reports[0]) if reports else [],
        "versions": _answers_by_version(reports),
    }


def _show(view: MonitoringView, page: Path, url: str, *, now: datetime, days: int) -> None:
    show_view(view, now=now, days=days)
    console.print(f"Page: {escape(str(page))}", soft_wrap=True)
    console.print(f"      {url} while `mlops dev` runs", soft_wrap=True)


def show_view(view: MonitoringView, *, now: datetime, days: int) -> None:
    """All of it but where the page is."""
    verdict = standing(view, now=now)
    console.print(f"[bold {COLOURS[verdict.light]}]● {verdict.light}[/]  [bold]{escape(verdict.headline)}[/]")
    console.print(f"[dim]{escape(' '.join(verdict.why))}[/]")
    for alert in view.alerts:
        _show_alert(alert)
    if view.days:
        _show_days(view, days=days)
        _show_unjudged(view.days[-1])
        answers = _answers_by_version([*reversed(view.days)][:days])
        said = ", ".join(f"{version} ({count:,} answers)" for version, count in answers.items())
        console.print(f"Versions: {escape(said)}", soft_wrap=True)


def _show_alert(alert: Alert) -> None:
    found = alert.finding
    since = f"since {found.since:%Y-%m-%d %H:%M} UTC"
    console.print(f"{alert.id}  [{URGENCIES[found.urgency]}]{found.urgency:<6}[/]  {alert.state:<12}  {since}")
    console.print(f"  {escape(found.what)}")
    for name, text in (("Likely cause", found.likely_cause), ("What to do", found.to_do)):
        if text:
            console.print(f"  [dim]{name}: {escape(text)}[/]")


def _show_days(view: MonitoringView, *, days: int) -> None:
    told = day_rows(view, Timeline(view))
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("day", "answers", told.share, "usual", "estimated", "realised"):
        table.add_column(escape(name), justify="left" if name == "day" else "right", no_wrap=name in ("day", "usual"))
    table.add_column("verdict")
    for row in islice(told.rows, days):
        verdict = f"[{COLOURS[Light(row.light)]}]{row.light}[/]"
        table.add_row(f"{row.day}", row.answered, row.share, row.usual, row.estimated, row.realised, verdict)
    console.print(table)
    if told.truth:
        console.print(f"[dim]Estimated and realised: {escape(words(told.truth))}.[/]")


def _show_unjudged(report: WatchReport) -> None:
    groups = unjudged(report)
    if groups:
        console.print(f"Cannot be judged on {report.day}:")
    for group in groups[:REASONS]:
        console.print(f"  {group.count:>4}  {escape(group.why)}")
    if left := sum(group.count for group in groups[REASONS:]):
        console.print(f"  {left:>4}  for {len(groups) - REASONS} other reasons")


def _answers_by_version(reports: Sequence[WatchReport]) -> dict[str, int]:
    """Who answered so many on these days, in the order of ``reports``."""
    answers: dict[str, int] = {}
    for report in reports:
        for version, count in report.versions.items():
            answers[version] = answers.get(version, 0) + count
    return answers

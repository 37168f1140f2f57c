"""`mlops monitor` says in a terminal what the page says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from mlops_assets.cli import monitor
from mlops_assets.watch.served.view import MonitoringView
from mlops_assets_tests.cli.conftest import Mlops
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets_tests.reports.monitoring_views import NEW, NOW, OLD, make_alerts, make_view


def said(view: MonitoringView, *, days: int = 7, width: int = 100) -> list[str]:
    """The lines of a terminal of that width."""
    console = Console(width=width)
    with pytest.MonkeyPatch.context() as patched, console.capture() as captured:
        patched.setattr(monitor, "console", console)
        monitor.show_view(view, now=NOW, days=days)
    return [line.rstrip() for line in captured.get().splitlines()]


def test_the_verdict_comes_first_then_alerts_then_the_days_latest_first() -> None:
    lines = said(make_view())
    text = "\n".join(lines)

    assert lines[0].startswith("● needs somebody  The tail number is missing")
    for alert in make_alerts():
        assert f"{alert.id}  {alert.finding.urgency}" in text
        assert alert.finding.what in text
    days = [line for line in lines if line.startswith("2013-09-")]
    assert [line[:10] for line in days] == [f"2013-09-{day}" for day in range(29, 22, -1)]
    assert "% (" in days[0]
    assert days[0].endswith("needs somebody")
    assert days[1].endswith("as usual")


def test_what_cannot_be_judged_and_who_answered_is_told() -> None:
    text = "\n".join(said(make_view(), days=60))

    assert "Cannot be judged on 2013-09-29:" in text
    assert "9 answers: at least 10 are needed" in text
    assert f"Versions: {NEW} (" in text
    assert f"{OLD} (" in text


def test_names_are_no_markup_of_the_terminal() -> None:
    view = make_view(days=30)
    last = view.days[-1].model_copy(update={"headline": "[red]5[/] of [bold]6[/]", "versions": {"[x]": 9}})

    text = "\n".join(said(replace(view, days=[*view.days[:-1], last])))

    assert "[red]5[/] of [bold]6[/]" in text
    assert "[x] (9 answers)" in text


def test_command_writes_the_page_and_says_where_it_is(run_mlops: Mlops, empty: Deployment) -> None:
    output = run_mlops("monitor", "parcels").output

    page = Path(empty.data) / "pages" / "parcels" / "monitor.html"
    assert "cannot be judged  Nothing was watched yet" in output
    assert f"Page: {page}" in output
    assert "/pages/parcels/monitor.html while `mlops dev` runs" in output
    assert page.exists()

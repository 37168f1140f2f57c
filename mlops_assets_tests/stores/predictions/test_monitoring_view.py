"""What is shown of monitoring is what the lake and the environment hold of the last days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from mlops_assets.contract.paths import monitoring_path, served_profile_path
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.tables import parquet_bytes
from mlops_assets.lake.write import Write
from mlops_assets.steps.monitoring_page import refresh_page
from mlops_assets.stores.alerts.book import AlertBook
from mlops_assets.stores.pages import served_monitor_page
from mlops_assets.stores.predictions.monitoring_view import read_view
from mlops_assets.watch.served.report import WatchReport
from mlops_assets_tests.contract.test_alerts import make_finding, make_look
from mlops_assets_tests.orchestration.toy import PARCELS
from mlops_assets_tests.reports.monitoring_views import make_profiles

NOW = datetime(2013, 9, 29, 20, tzinfo=UTC)
LAST = date(2013, 9, 29)


def make_report(day: date) -> WatchReport:
    until = datetime.combine(day + timedelta(1), datetime.min.time())
    headline = f"{day} was as usual."
    return WatchReport(
        use_case=PARCELS.name, day=day, until=until, version="v", versions={"v": 3}, answered=3, headline=headline
    )


def publish(lake: Lake, files: dict[str, bytes]) -> None:
    write = Write(
        use_case=PARCELS.name, asset="monitoring", run_id="r", git_commit="", code_version="1", message="days"
    )
    lake.publish(write, files=files, audit=lambda _: [])


def make_files(days: int) -> dict[str, bytes]:
    """The reports of so many days through ``LAST``."""
    dates = [LAST - timedelta(days=back) for back in range(days)]
    return {monitoring_path(PARCELS.name, batch=f"{day}"): make_report(day).to_json() for day in dates}


def test_the_last_days_are_read_with_inputs_and_alerts(embedded_lake: Lake, tmp_path: Path) -> None:
    profile = make_profiles(days=1)[LAST]
    inputs = {served_profile_path(PARCELS.name, batch=f"{LAST}"): parquet_bytes(profile.table)}
    publish(embedded_lake, make_files(5) | inputs)
    with AlertBook(tmp_path) as book:
        ours = make_finding().model_copy(update={"use_case": PARCELS.name})
        book.record([make_look(ours), make_look(make_finding())], now=NOW)

    view = read_view(embedded_lake.at(), use_case=PARCELS, folder=tmp_path, days=3)

    assert [report.day.day for report in view.days] == [27, 28, 29]
    assert {day: each.columns for day, each in view.inputs.items()} == {LAST: profile.columns}
    assert [alert.id for alert in view.alerts] == [ours.id]
    assert (view.use_case, view.title, view.moves, view.promised) == (PARCELS.name, PARCELS.title, [], {})


def test_reports_of_an_earlier_platform_are_left_out(embedded_lake: Lake, tmp_path: Path) -> None:
    old = {monitoring_path(PARCELS.name, batch="2013-09-28"): b'{"day": "2013-09-28", "cells": []}'}
    publish(embedded_lake, make_files(1) | old)

    assert [report.day for report in read_view(embedded_lake.at(), use_case=PARCELS, folder=tmp_path).days] == [LAST]


def test_page_is_written_for_people_and_for_the_service_also_before_anything_was_watched(
    embedded_lake: Lake, tmp_path: Path
) -> None:
    empty = refresh_page(embedded_lake, use_case=PARCELS, folder=tmp_path, now=NOW).read_text(encoding="utf-8")
    publish(embedded_lake, make_files(1))

    page = refresh_page(embedded_lake, use_case=PARCELS, folder=tmp_path, now=NOW)

    assert "Nothing was watched yet" in empty
    assert page == tmp_path / "pages" / PARCELS.name / "monitor.html"
    assert "2013-09-29 was as usual." in page.read_text(encoding="utf-8")
    assert served_monitor_page(tmp_path, use_case=PARCELS.name).read_bytes() == page.read_bytes()

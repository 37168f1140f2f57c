"""The page of monitoring holds everything in one file, says what the reports say, and no value escapes into it."""

from __future__ import annotations

import re
from dataclasses import replace
from html import escape, unescape

import pyarrow as pa
import pytest

from mlops_assets.reports.monitoring_figures import HOURS, Timeline, percent
from mlops_assets.reports.monitoring_page import render
from mlops_assets.reports.monitoring_rows import day_rows, unjudged
from mlops_assets.watch.profiles.profile import Profile
from mlops_assets.watch.served.view import MonitoringView
from mlops_assets_tests.reports.monitoring_views import LAST, NEW, NIGHT, NOW, OLD, make_alerts, make_view

HOSTILE = "</style><script>alert(1)</script>\"'&<b>"


def plain(page: str) -> str:
    """The words of a page, spaces evened out."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", page)))


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_page_is_one_document_without_script_that_asks_for_nothing(task: str) -> None:
    page = render(make_view(task), now=NOW)

    assert page.startswith("<!DOCTYPE html>")
    assert page.count("<html") == page.count("</html>") == 1
    assert not re.search(r"<script|<link|<img|<iframe|@import|\ssrc=|\son\w+=", page)
    assert set(re.findall(r"url\(([^)]*)\)", page)) <= {"#hatch", "#mapped", "#stripes"}
    assert len(page.encode()) < 1_000_000


def test_every_picture_has_a_name_and_a_description() -> None:
    pictures = re.findall(r'<svg[^>]*role="img"[^>]*>(.{0,400})', render(make_view(), now=NOW), flags=re.DOTALL)

    assert len(pictures) > 20
    assert all(re.match(r"<title>[^<]+</title><desc>[^<]+</desc>", each) for each in pictures)


def test_headline_and_everything_that_is_known_of_each_alert_is_told() -> None:
    said = plain(render(make_view(), now=NOW))

    assert make_view().days[-1].headline in said
    for alert in make_alerts():
        found = alert.finding
        for text in (found.what, found.normal, found.likely_cause, found.to_do, found.evidence, alert.id, alert.state):
            assert text in said
    assert "Silenced until 2013-10-29 06:00 UTC: the sensor is being replaced" in said
    assert "24 features made of the tail number are empty." in said


def test_no_name_or_sentence_is_markup() -> None:
    view = make_view(days=30)
    cell = (
        view.days[-1]
        .cells[0]
        .model_copy(
            update={"scope": HOSTILE, "metric": f"missing:{HOSTILE}", "verdict": "unusual", "span": "day", "hour": None}
        )
    )
    last = view.days[-1].model_copy(
        update={"headline": HOSTILE, "version": HOSTILE, "versions": {HOSTILE: 9}, "answered": 9,
                "cells": (*view.days[-1].cells, cell)}
    )  # fmt: skip
    finding = make_alerts()[0].finding.model_copy(
        update=dict.fromkeys(("what", "scope", "normal", "likely_cause", "to_do", "cause"), HOSTILE)
        | {"evidence": "javascript:alert(1)"}
    )
    alert = make_alerts()[0].model_copy(update={"finding": finding, "places": {HOSTILE: "run"}})
    hostile = replace(
        view, use_case=HOSTILE, title=HOSTILE, positive_word=HOSTILE, alerts=[alert], days=[*view.days[:-1], last]
    )

    page = render(hostile, now=NOW)

    assert "<script" not in page
    assert "<b>cancelled" not in render(make_view("multiclass"), now=NOW)
    assert 'href="javascript' not in page
    assert page.count("</style>") == 1
    assert str(escape(HOSTILE)).replace("&quot;", "&#34;").replace("&#x27;", "&#39;") in page


def test_what_cannot_be_judged_is_marked_everywhere_and_never_as_usual() -> None:
    view = make_view()
    page = render(view, now=NOW)
    hours = Timeline(view).by_hour("positives")
    (cells,) = re.findall(r'viewBox="0 0 90 24".*?<path class="unjudged" d="([^"]*)"', page, flags=re.DOTALL)[:1]

    marked = {(int(x), int(y)) for x, y in re.findall(r"M(\d+) (\d+)h", cells)}

    grey = {(slot // HOURS, slot % HOURS) for slot in range(90 * HOURS) if hours.verdict[slot] == "cannot be judged"}
    assert marked == grey
    assert {hour for day, hour in grey if day > 30} == set(NIGHT)
    assert re.search(r'<path class="grey" d="M', page)
    assert "with so few answers not even a share of 0 % or 100 % would be unusual" in plain(page)


def test_hours_are_drawn_within_what_is_usual_on_their_day() -> None:
    view = make_view()
    hours = Timeline(view).by_hour("positives")
    report = view.days[-1]
    cell = next(each for each in report.cells if each.metric == "positives" and each.hour == 9)
    slot = 89 * HOURS + 9

    level = cell.figure - cell.value
    assert cell.low is not None
    assert cell.high is not None
    assert hours.figure[slot] == pytest.approx(cell.figure)
    assert hours.low[slot] == pytest.approx(level + cell.low)
    assert hours.high[slot] == pytest.approx(level + cell.high)


def test_the_days_as_a_table_hold_the_numbers_of_the_reports() -> None:
    view = make_view()
    told = day_rows(view, Timeline(view))
    said = plain(render(view, now=NOW))

    assert (told.share, told.truth) == ("share late", "log_loss")
    assert [row.day for row in told.rows] == [report.day for report in reversed(view.days)]
    for row, report in zip(told.rows, reversed(view.days), strict=True):
        share = next(c for c in report.cells if (c.metric, c.scope, c.span) == ("positives", "overall", "day"))
        assert row.answered == f"{report.answered:,}"
        assert row.share == percent(share.figure)
        assert f"{row.day} {row.light} {row.answered} {row.share} {row.usual} {row.estimated} {row.realised}" in said
    assert [row.realised for row in told.rows[:3]] == ["–"] * 3


def test_figures_that_nobody_judged_are_sums_over_sums() -> None:
    view = make_view(days=20)
    rows = [
        (row["value"], row["n"])
        for row in view.figures.to_pylist()
        if row["metric"] == "unseen:tailnum" and row["hour"].date() == LAST
    ]

    by_day = Timeline(view).by_day("unseen:tailnum")

    assert by_day.figure[-1] == pytest.approx(sum(value for value, _ in rows) / sum(n for _, n in rows))
    assert by_day.verdict[-1] == ""


def test_which_version_answered_when_and_why_is_told() -> None:
    said = plain(render(make_view(), now=NOW))

    assert f"{NEW} 2013-08-16 to 2013-09-29" in said
    assert f"{OLD} 2013-07-02 to 2013-08-16" in said
    assert "promoted 2013-08-14 02:00 by schedule: retrained" in said


def test_inputs_are_shown_then_and_now_those_that_a_cause_names_first() -> None:
    page = render(make_view(), now=NOW)
    section = page[page.index("Inputs then and now") : page.index("Missing, unseen and flagged")]

    names = re.findall(r"<figcaption><b>([^<]*)</b>", section)

    assert names[:2] == ["tailnum", "distance"]
    assert "no values on the last day" in section
    assert "a cause names it" in section
    assert "of the rows lie elsewhere than before, unlike any day before" not in section
    off = [float(each) for each in re.findall(r"([\d.]+) deviations off its days", section)]
    assert off[-1] < 3 < off[0]


def test_many_segments_do_not_make_the_page_heavy() -> None:
    page = render(make_view("multiclass", carriers=[f"C{i:03d}" for i in range(120)]), now=NOW)

    assert len(page.encode()) < 1_000_000
    assert "72 more are not shown" in plain(page)


def test_reasons_that_differ_in_numbers_are_told_as_one() -> None:
    report = make_view(days=30).days[-1]
    grey = next(cell for cell in report.cells if cell.verdict == "cannot be judged")
    whys = ["1 rows, needs 10", "9 rows, needs 10", "4 rows, needs 10", "its clock is wrong"]
    cells = tuple(grey.model_copy(update={"why": why}) for why in whys)

    told = unjudged(report.model_copy(update={"cells": cells}))

    assert [(each.count, each.why) for each in told] == [(3, "1 to 9 rows, needs 10"), (1, "its clock is wrong")]


def test_a_column_that_became_another_kind_is_shown_without_its_past() -> None:
    view = make_view(days=20)
    before, last = sorted(view.inputs)[-2:]
    table = view.inputs[before].table
    columns = zip(table["column"].to_pylist(), table["kind"].to_pylist(), strict=True)
    kinds = ["number" if name == "carrier" else kind for name, kind in columns]
    other = Profile(table=table.set_column(table.schema.names.index("kind"), "kind", pa.array(kinds)))

    page = render(replace(view, inputs={before: other, last: view.inputs[last]}), now=NOW)

    assert "<b>carrier</b><span>category</span>" in page


@pytest.mark.parametrize("days", [0, 1, 5])
def test_a_young_deployment_has_a_page(days: int) -> None:
    view = make_view(days=days) if days else MonitoringView(use_case="toy", title="Toy")

    said = plain(render(view, now=NOW))

    assert ("Nothing was watched yet" in said) == (days == 0)
    assert "nan" not in said.lower().split()

"""Green is said only of what was judged, lately, and of which nothing stands."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mlops_assets.contract.alerts import Urgency
from mlops_assets.watch.served.report import Cell
from mlops_assets.watch.served.view import Light, MonitoringView, metric_words, standing
from mlops_assets_tests.reports.monitoring_views import NOW, make_alerts, make_view


def make_quiet(**overrides: object) -> MonitoringView:
    """One day on which all is usual, and no alert."""
    view = make_view(days=30, alerts=[])
    cell = Cell(order="exact", metric="answered", scope="overall", span="day", n=9, value=9, figure=9, verdict="usual")
    last = view.days[-1].model_copy(update={"headline": "As usual.", "causes": (), "cells": (cell,), **overrides})
    return replace(view, days=[last])


def test_a_quiet_day_is_green_and_what_was_judged_is_counted() -> None:
    verdict = standing(make_quiet(), now=NOW)

    assert (verdict.light, verdict.headline) == (Light.USUAL, "As usual.")
    assert verdict.why == (
        "No alert stands.",
        "Of 1 figures of 2013-09-29, 1 are usual, 0 unusual, 0 cannot be judged.",
    )


def test_the_loudest_alert_decides_and_a_silenced_one_asks_nobody() -> None:
    page, look, silenced = make_alerts()
    quiet = make_quiet()

    lights = [standing(replace(quiet, alerts=each), now=NOW).light for each in ([page, look], [look], [silenced])]

    assert lights == [Light.PAGE, Light.LOOK, Light.USUAL]
    said = standing(replace(quiet, alerts=[page, look, silenced]), now=NOW).why
    assert said[:2] == ("2 alerts stand, 1 to page somebody for.", "1 more silenced.")


def test_what_cannot_be_judged_is_not_green() -> None:
    cell = Cell(
        order="exact", metric="answered", scope="overall", span="day", n=9, value=9, figure=9,
        verdict="cannot be judged", why="too few days",
    )  # fmt: skip

    assert standing(make_quiet(cells=(cell,)), now=NOW).light is Light.UNJUDGED
    assert standing(make_quiet(cells=()), now=NOW).light is Light.UNJUDGED
    assert standing(MonitoringView(use_case="toy", title="Toy"), now=NOW).light is Light.UNJUDGED


def test_a_monitor_that_has_stopped_is_not_green() -> None:
    verdict = standing(make_quiet(), now=NOW + timedelta(days=3))

    assert verdict.light is Light.SILENT
    assert verdict.why[-1] == "Nothing newer than 2013-09-29 23:00 was watched."


def test_a_cause_of_the_last_day_counts_before_it_is_an_alert_unless_its_alert_is_silenced() -> None:
    cause = make_view(days=1).days[-1].causes[0]
    unalerted = make_quiet(causes=(cause,))
    page = make_alerts()[0]
    silenced = page.model_copy(update={"silence": make_alerts()[2].silence})

    assert cause.urgency is Urgency.PAGE
    assert standing(unalerted, now=NOW).light is Light.PAGE
    assert standing(replace(unalerted, alerts=[silenced]), now=NOW).light is Light.USUAL


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("positives", "share late"),
        ("missing:tailnum", "tailnum missing"),
        ("class:a:b", "share of a:b"),
        ("gain:log_loss", "gain: log loss"),
    ],
)
def test_metrics_are_called_as_people_write_them(metric: str, words: str) -> None:
    assert metric_words(metric, positive_word="late") == words

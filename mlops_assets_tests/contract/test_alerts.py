"""One alert for each cause, which is told when it opens, grows graver, spreads or is over, and else kept quietly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mlops_assets.contract.alerts import (
    Alert,
    Event,
    Finding,
    Look,
    News,
    State,
    Urgency,
    acknowledge,
    announce,
    judge,
    lines_of,
    resolve,
    silence,
    sparkline,
    wake,
)

NOON = datetime(2013, 7, 1, 12, tzinfo=UTC)
SUBJECT = "validated_flights/matches_schema"


def make_finding(part: str = "#tailnum", **more: Any) -> Finding:
    told = {"urgency": Urgency.INFORM, "what": "Column 'tailnum' has no values.", "since": NOON, **more}
    return Finding(use_case="flights", cause=f"{SUBJECT}{part}", **told)


def make_look(*findings: Finding, at: str = "2013-07-01", by: str = "run-1") -> Look:
    return Look(use_case="flights", subject=SUBJECT, places=frozenset(at.split()), by=by, findings=findings)


def play(*looks: Look, alerts: dict[str, Alert] | None = None) -> tuple[dict[str, Alert], list[News]]:
    """The alerts after each look was told of by itself, and what was told."""
    kept, told = dict(alerts or {}), list[News]()
    for look in looks:
        for key, after in judge(kept, look).items():
            event = announce(kept.get(key), after, now=NOON)
            kept[key] = event.alert if event else after
            told += [event.kind] if event and event.told else []
    return kept, told


def only(alerts: dict[str, Alert]) -> Alert:
    (alert,) = alerts.values()
    return alert


def test_a_cause_opens_one_alert_and_the_same_look_again_is_no_news() -> None:
    alerts, told = play(make_look(make_finding()), make_look(make_finding()))

    assert told == [News.OPENED]
    assert only(alerts).state is State.OPEN


def test_it_is_resolved_when_the_same_passes_at_every_place_where_it_stood() -> None:
    found = make_look(make_finding(), at="2013-07-01 2013-07-02")

    alerts, told = play(found, make_look(by="run-2"))
    assert (told, list(only(alerts).places)) == ([News.OPENED], ["2013-07-02"])

    assert play(make_look(at="2013-07-02", by="run-2"), alerts=alerts)[1] == [News.RESOLVED]


def test_what_passed_beside_it_in_the_same_run_does_not_clear_it() -> None:
    whole_run = make_look(at="2013-07-01 2013-07-02 2013-07-03")

    assert play(make_look(make_finding(urgency=Urgency.PAGE)), whole_run)[1] == [News.OPENED]


@pytest.mark.parametrize(("urgency", "told"), [(Urgency.INFORM, [News.RESOLVED]), (Urgency.PAGE, [])])
def test_a_later_batch_that_passes_ends_what_only_informs(urgency: Urgency, told: list[News]) -> None:
    opened, _ = play(make_look(make_finding(urgency=urgency), at="2013-07-01 2013-07-02"))

    assert play(make_look(at="2013-06-30", by="run-2"), alerts=opened)[1] == []
    assert play(make_look(at="2013-07-03", by="run-2"), alerts=opened)[1] == told


def test_another_cause_of_the_same_check_is_another_alert_and_clears_the_first() -> None:
    alerts, told = play(make_look(make_finding()), make_look(make_finding("#dest"), by="run-2"))

    assert {alert.finding.cause[-8:]: alert.state for alert in alerts.values()} == {
        "#tailnum": State.RESOLVED,
        "ema#dest": State.OPEN,
    }
    assert sorted(told) == [News.OPENED, News.OPENED, News.RESOLVED]


def test_a_cause_that_lasts_is_told_of_again_when_it_has_spread_twice_as_far() -> None:
    days = [make_look(make_finding(), at=f"2013-07-0{day}", by=f"run-{day}") for day in range(1, 9)]

    assert play(*days)[1] == [News.OPENED, *[News.UPDATED] * 3]  # at 1, 2, 4 and 8 days


def test_a_graver_finding_is_told_at_once_a_milder_one_is_not() -> None:
    grave, mild = make_look(make_finding(urgency=Urgency.PAGE)), make_look(make_finding())

    assert play(mild, grave, mild)[1] == [News.OPENED, News.UPDATED]


def test_a_cause_that_comes_back_opens_the_same_alert_again_with_its_new_beginning() -> None:
    later = NOON + timedelta(days=3)
    again = make_look(make_finding(since=later), by="run-3")

    alerts, told = play(make_look(make_finding()), make_look(by="run-2"), again)

    assert told == [News.OPENED, News.RESOLVED, News.OPENED]
    assert (only(alerts).number, only(alerts).finding.since) == (3, later)


def test_an_acknowledged_alert_is_told_when_it_is_over_and_begins_open_the_next_time() -> None:
    opened, _ = play(make_look(make_finding()))
    acknowledged = {key: acknowledge(alert) for key, alert in opened.items()}
    assert only(acknowledged).state is State.ACKNOWLEDGED

    alerts, told = play(make_look(by="run-2"), make_look(make_finding(), by="run-3"), alerts=acknowledged)

    assert told == [News.RESOLVED, News.OPENED]
    assert only(alerts).state is State.OPEN


def silenced(alerts: dict[str, Alert]) -> dict[str, Alert]:
    until = NOON + timedelta(days=1)
    return {key: silence(alert, until=until, reason="known") for key, alert in alerts.items()}


def test_nothing_is_told_of_a_silenced_alert_until_the_silence_is_over() -> None:
    quiet = silenced(play(make_look(make_finding()))[0])
    alerts, told = play(make_look(make_finding(), at="2013-07-02", by="run-2"), alerts=quiet)
    alert = only(alerts)
    assert (told, alert.state) == ([], State.SILENCED)

    assert wake(alert, now=NOON + timedelta(hours=23)) == alert
    event = announce(alert, wake(alert, now=NOON + timedelta(days=1)), now=NOON)

    assert isinstance(event, Event)
    assert (event.kind, event.told, event.alert.state) == (News.UPDATED, True, State.OPEN)


def test_one_that_is_over_within_its_silence_is_never_told() -> None:
    quiet = silenced(play(make_look(make_finding()))[0])
    alerts, told = play(make_look(by="run-2"), alerts=quiet)
    alert = only(alerts)

    assert (told, alert.state) == ([], State.RESOLVED)
    assert announce(alert, wake(alert, now=NOON + timedelta(days=2)), now=NOON) is None


def test_a_person_may_resolve_what_no_check_will() -> None:
    alert = only(play(make_look(make_finding()))[0])
    event = announce(alert, resolve(alert), now=NOON)
    assert event is not None
    assert (event.kind, event.alert.state) == (News.RESOLVED, State.RESOLVED)


@pytest.mark.parametrize(("at", "said"), [("2013-07-01", ", 2013-07-01"), ("a b c", ", 3 batches, a to c")])
def test_what_is_known_is_said_line_by_line_without_empty_ones(at: str, said: str) -> None:
    alert = only(play(make_look(make_finding(to_do="Ask the source."), at=at))[0])
    assert lines_of(alert) == [
        "Column 'tailnum' has no values.",
        f"Where: validated_flights/matches_schema#tailnum{said}",
        "Since: 2013-07-01 12:00 UTC",
        "What to do: Ask the source.",
    ]


@pytest.mark.parametrize(
    ("values", "drawn"),
    [((), ""), ((0.3,), ""), ((1, 1, 1), "▁▁▁"), ((0, 1, 2, 3, 4, 5, 6, 7), "▁▂▃▄▅▆▇█"), ((-2.5, 9, -2.5), "▁█▁")],
)
def test_values_are_drawn_from_the_lowest_to_the_highest(values: tuple[float, ...], drawn: str) -> None:
    assert sparkline(values) == drawn


def test_what_is_known_has_the_figures_last_values() -> None:
    alert = only(play(make_look(make_finding(chart=(0.2, 0.2, 0.5))))[0])

    assert "Lately: ▁▁█" in lines_of(alert)

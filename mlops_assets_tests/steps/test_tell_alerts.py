"""What watching found becomes alerts: one for each cause, which is over when the next judged day is without it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.contract.alerts import Event, News, Urgency, lines_of
from mlops_assets.steps.tell_alerts import looks_at
from mlops_assets.stores.alerts.book import AlertBook
from mlops_assets.watch.served.report import Cause, Cell, Order, WatchReport

DAY = date(2013, 7, 1)
MORNING, NOW = datetime(2013, 7, 1, 6), datetime(2013, 7, 2, 6, tzinfo=UTC)
PAGE = "http://127.0.0.1:3002/pages/parcels/monitor.html"


def make_cause(key: str = "input:tailnum", *, order: Order = "inputs", day: date = DAY) -> Cause:
    return Cause(
        key=key,
        order=order,
        urgency=Urgency.INFORM if order != "exact" else Urgency.PAGE,
        what="'tailnum' has no values in 9 of 10 requests.",
        normal="Usual is 1 of 100.",
        likely_cause="The caller stopped sending it.",
        to_do="Ask the caller.",
        since=datetime.combine(day, time(9)),
        chart=(0.01, 0.01, 0.9),
        consequences=("Mean score 0.5, usual is 0.3.",),
    )


def make_cell(order: Order, *, judged: bool = True) -> Cell:
    told = {"order": order, "metric": "m", "scope": "overall", "span": "day", "n": 60, "value": 0.5, "figure": 0.5}
    return Cell(**told, verdict="usual" if judged else "cannot be judged")


JUDGED = tuple(make_cell(order) for order in ("exact", "inputs", "predictions"))


def make_report(*causes: Cause, day: date = DAY, made_of: str = "files", **more: Any) -> WatchReport:
    end = datetime.combine(day + timedelta(days=1), time())
    told = {"answered": 60, "cells": JUDGED, "until": end, **more}
    return WatchReport(
        use_case="flights",
        day=day,
        made_of=made_of,
        version="v",
        versions={"v": 60},
        headline="Unusual day.",
        causes=causes,
        **told,
    )


@pytest.fixture
def book(tmp_path: Path) -> Iterator[AlertBook]:
    with AlertBook(tmp_path) as book:
        yield book


def tell(book: AlertBook, report: WatchReport) -> list[Event]:
    return book.record(list(looks_at(report, time_zone="UTC", page=PAGE)), now=NOW)


def test_each_kind_of_thing_that_was_judged_is_one_look_also_if_nothing_was_found() -> None:
    looks = list(looks_at(make_report(make_cause()), time_zone="UTC", page=PAGE))

    assert [look.subject for look in looks] == ["monitoring/exact", "monitoring/inputs", "monitoring/predictions"]
    assert [len(look.findings) for look in looks] == [0, 1, 0]
    assert {place for look in looks for place in look.places} == {"2013-07-01"}


@pytest.mark.parametrize(
    "nothing",
    [
        {"cells": (), "until": MORNING},
        {"cells": tuple(make_cell(order, judged=False) for order in ("exact", "inputs")), "until": MORNING},
        {"answered": 0},
    ],
)
def test_what_could_not_be_judged_yet_is_no_look(nothing: dict[str, Any]) -> None:
    assert list(looks_at(make_report(**nothing), time_zone="UTC", page=PAGE)) == []


def test_a_day_that_is_over_with_answers_is_judged_as_far_as_it_ever_will_be() -> None:
    assert len(list(looks_at(make_report(cells=()), time_zone="UTC", page=PAGE))) == 3
    assert len(list(looks_at(make_report(cells=(), labelled=9), time_zone="UTC", page=PAGE))) == 4


def test_the_beginning_is_a_moment_of_the_clock_that_the_use_case_goes_by() -> None:
    (look,) = looks_at(make_report(make_cause(), cells=(), until=MORNING), time_zone="America/New_York", page=PAGE)

    assert look.findings[0].since == datetime(2013, 7, 1, 13, tzinfo=UTC)


def test_a_cause_with_all_that_follows_from_it_is_one_alert(book: AlertBook) -> None:
    (event,) = tell(book, make_report(make_cause()))

    finding = event.alert.finding
    assert (event.kind, finding.cause, finding.urgency) == (
        News.OPENED,
        "monitoring/inputs#input:tailnum",
        Urgency.INFORM,
    )
    assert finding.what == "'tailnum' has no values in 9 of 10 requests. Mean score 0.5, usual is 0.3."
    assert finding.since == datetime(2013, 7, 1, 9, tzinfo=UTC)


def test_the_message_says_all_that_is_known_with_a_small_chart(book: AlertBook) -> None:
    (event,) = tell(book, make_report(make_cause()))

    assert lines_of(event.alert)[1:] == [
        "Where: monitoring/inputs#input:tailnum, 2013-07-01",
        "Since: 2013-07-01 09:00 UTC",
        "Normal: Usual is 1 of 100.",
        "Lately: ▁▁█",
        "Likely cause: The caller stopped sending it.",
        "Evidence: http://127.0.0.1:3002/pages/parcels/monitor.html, or `mlops monitor flights`",
        "What to do: Ask the caller.",
    ]


def test_the_same_day_watched_again_and_the_same_cause_the_next_day_are_no_second_alert(book: AlertBook) -> None:
    tell(book, make_report(make_cause()))
    assert tell(book, make_report(make_cause(), made_of="more files")) == []

    tomorrow = DAY + timedelta(days=1)
    events = tell(book, make_report(make_cause(day=tomorrow), day=tomorrow))

    assert [event.kind for event in events] == [News.UPDATED]  # it has spread twice as far
    (alert,) = book.standing()
    assert list(alert.places) == ["2013-07-01", "2013-07-02"]
    assert alert.finding.since.day == 1


@pytest.mark.parametrize("order", ["exact", "inputs"])
def test_a_cause_is_over_on_the_next_day_without_it_also_if_it_paged(book: AlertBook, order: Order) -> None:
    tell(book, make_report(make_cause(order=order)))

    events = tell(book, make_report(day=DAY + timedelta(days=1)))

    assert [event.kind for event in events] == [News.RESOLVED]
    assert book.standing() == []


@pytest.mark.parametrize("order", ["exact", "inputs"])
def test_it_stands_until_the_next_day_can_be_judged(book: AlertBook, order: Order) -> None:
    tell(book, make_report(make_cause(order=order)))
    tomorrow = DAY + timedelta(days=1)

    assert tell(book, make_report(day=tomorrow, cells=(), until=MORNING + timedelta(days=1))) == []
    assert tell(book, make_report(day=tomorrow, answered=0)) == []
    assert len(book.standing()) == 1


def test_an_earlier_day_that_is_watched_again_does_not_clear_what_came_later(book: AlertBook) -> None:
    tell(book, make_report(make_cause(order="exact")))

    assert tell(book, make_report(day=DAY - timedelta(days=30))) == []


def test_it_is_over_when_the_same_day_is_watched_again_without_it(book: AlertBook) -> None:
    tell(book, make_report(make_cause()))

    events = tell(book, make_report(made_of="more files"))

    assert [event.kind for event in events] == [News.RESOLVED]


def test_a_day_without_outcomes_does_not_clear_what_outcomes_have_shown(book: AlertBook) -> None:
    tell(book, make_report(make_cause("truth:overall", order="truth")))

    assert tell(book, make_report(day=DAY + timedelta(days=1))) == []
    assert len(book.standing()) == 1

"""An unusual input speaks against learning until somebody says that it is usual; what stays is a drift."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from mlops_assets.contract.alerts import PART, Finding, Look, Urgency, acknowledge, silence
from mlops_assets.stores.alerts.book import AlertBook
from mlops_assets.stores.alerts.inputs import input_drifts, open_input_alerts
from mlops_assets_tests.contract.test_alerts import NOON

DAY = timedelta(days=1)


def make_input_finding(part: str, *, subject: str = "monitoring/input", **more: Any) -> Finding:
    told: dict[str, Any] = {"use_case": "flights", "urgency": Urgency.INFORM, "since": NOON, "what": "Odd.", **more}
    return Finding(cause=f"{subject}{PART}{part}", **told)


def look(book: AlertBook, *findings: Finding, day: int = 0, subject: str = "monitoring/input") -> None:
    """What a day's look found; on another day by another run."""
    book.record(
        [Look(use_case="flights", subject=subject, places=frozenset({""}), by=f"run {day}", findings=findings)],
        now=NOON + day * DAY,
    )


def test_inputs_that_are_unusual_and_files_that_were_refused_speak_against_learning(tmp_path: Path) -> None:
    refused = make_input_finding("weight", subject="validated_flights/holds", urgency=Urgency.PAGE)
    warned = make_input_finding("snow", subject="validated_weather/is_usual")
    with AlertBook(tmp_path) as book:
        look(book, make_input_finding("tailnum"))
        look(book, refused, subject=refused.subject)
        look(book, warned, subject=warned.subject)

    assert set(open_input_alerts(tmp_path, use_case="flights")) == {
        "monitoring/input#tailnum",
        "validated_flights/holds#weight",
    }
    assert open_input_alerts(tmp_path, use_case="income") == ()
    assert open_input_alerts(tmp_path / "nothing", use_case="flights") == ()


def test_an_alert_that_somebody_is_at_stands_and_one_that_is_accepted_is_a_drift(tmp_path: Path) -> None:
    finding = make_input_finding("carrier")
    with AlertBook(tmp_path) as book:
        look(book, finding)
        book.change(finding.id, acknowledge, now=NOON)
        assert open_input_alerts(tmp_path, use_case="flights") == (finding.cause,)
        assert input_drifts(tmp_path, use_case="flights", since=NOON - DAY) == ()
        book.change(finding.id, lambda a: silence(a, until=NOON + 9 * DAY, reason="a new airline"), now=NOON)

    assert open_input_alerts(tmp_path, use_case="flights") == ()
    (drift,) = input_drifts(tmp_path, use_case="flights", since=NOON - DAY)
    assert (drift.cause, drift.began, drift.lasting) == (finding.cause, NOON, "was accepted: a new airline")


def test_what_was_over_soon_was_a_fault_and_what_stayed_a_week_is_a_drift(tmp_path: Path) -> None:
    fault, lasting = make_input_finding("tailnum"), make_input_finding("carrier")
    with AlertBook(tmp_path) as book:
        look(book, fault, lasting)
        look(book, lasting, day=1)
        look(book, day=7)

    (drift,) = input_drifts(tmp_path, use_case="flights", since=NOON - DAY)
    assert (drift.cause, drift.lasting) == (lasting.cause, "stayed so until it was usual on 2013-07-08")
    assert input_drifts(tmp_path, use_case="flights", since=NOON) == ()

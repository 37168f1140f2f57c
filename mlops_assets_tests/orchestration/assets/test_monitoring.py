"""From what was served to what people are told: one alert for each cause, delivered once, over with a usual day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import dagster as dg
import numpy as np
import pytest

from mlops_assets.contract.alerts import Alert, acknowledge, silence
from mlops_assets.orchestration.build import build_definitions
from mlops_assets.orchestration.moments import MOMENT
from mlops_assets.orchestration.partitions import add_served_days
from mlops_assets.orchestration.resources import DataResource
from mlops_assets.orchestration.runs import RunSummary, run_job
from mlops_assets.stores.alerts.book import AlertBook, standing_alerts
from mlops_assets.stores.alerts.channels import alert_channels
from mlops_assets.stores.alerts.outbox import deliver
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.predictions import parity
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets_tests.orchestration.test_serving import SERVED, verdicts
from mlops_assets_tests.orchestration.toy import PARCELS, ParcelRequest, day_number, requests
from mlops_assets_tests.stores.alerts.test_outbox import Kept, Receiver, receiver
from mlops_assets_tests.stores.predictions.answered import make_group, make_record

__all__ = ["receiver"]

pytestmark = pytest.mark.slow
USUAL = range(10, 24)
"""The days that are compared with."""
FAULT, NEXT, AFTER = (day_number(number) for number in (24, 25, 26))
CAUSE = "monitoring/inputs#input:roads__snow"


def serve(deployment: Deployment, batch: str, *, roads: bool = True) -> None:
    """Logs a day's answers: parcels are late the more often the later they are sent. Where nothing is known of the
    ``roads`` all are said to be late.
    """
    serving = champion(deployment.lake.at(), use_case="parcels")
    assert serving is not None
    asked, random = requests(batch), np.random.default_rng(datetime.fromisoformat(batch).day)
    sent = [datetime.fromisoformat(row["sent_at"]) for row in asked]
    late = [not roads or random.random() < 0.1 + 0.08 * (moment.hour - 8) for moment in sent]
    records = [
        make_record(
            prediction_id=f"{batch}-{number}",
            answered_at=sent[number].replace(tzinfo=UTC),
            event_time=sent[number],
            model_version=serving.version,
            score=0.8 if late[number] else 0.2,
            predicted_positive=late[number],
            inputs=row,
            features={"roads__snow": 1.0 if roads else None},
        )
        for number, row in enumerate(asked)
    ]
    log = DataResource().prediction_log(PARCELS)
    log.append([make_group(records)], timeout=5)
    log.close()


def serve_one(deployment: Deployment, *, history_commit: str | None) -> None:
    """Logs one answer with features that nobody computed."""
    serving = champion(deployment.lake.at(), use_case="parcels")
    assert serving is not None
    row = ParcelRequest(**requests(SERVED)[0])
    record = make_record(
        prediction_id="p1",
        example_id=str(row.id),
        answered_at=row.sent_at.replace(tzinfo=UTC),
        event_time=row.sent_at,
        model_version=serving.version,
        score=0.8,
        predicted_positive=True,
        history_as_of=SERVED,
        history_commit=history_commit,
        inputs=row.model_dump(mode="json"),
        features={"weight": 99.0, "roads__snow": 2.0},
    )
    log = DataResource().prediction_log(PARCELS)
    log.append([make_group([record])], timeout=5)
    log.close()


@pytest.fixture
def served(trained: Deployment) -> Deployment:
    """Two weeks of usual answers."""
    for number in USUAL:
        serve(trained, day_number(number))
    return trained


def tell(deployment: Deployment) -> None:
    """One tick of the sensor that reads what checks said, and delivers."""
    sensor = build_definitions([PARCELS]).get_repository_def().get_sensor_def("parcels__alerts")
    with dg.build_sensor_context(instance=deployment.instance, resources={"data": DataResource()}) as context:
        sensor(context)


def told_later(deployment: Deployment, hours: Sequence[int]) -> list[int]:
    """How many messages are accepted at each of these hours from now."""
    with AlertBook(deployment.data) as book:
        later = [datetime.now(UTC) + timedelta(hours=hour) for hour in hours]
        return [deliver(book, alert_channels(), now=moment).delivered for moment in later]


def history(deployment: Deployment) -> dict[str, list[str]]:
    """The events of every alert there ever was."""
    with AlertBook(deployment.data) as book:
        alerts = [*book.standing(), *book.resolved()]
        return {alert.finding.cause: [str(event.kind) for event in book.events(alert)] for alert in alerts}


def test_a_fault_in_what_is_asked_is_one_alert_told_once_and_over_with_the_next_usual_day(
    served: Deployment, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_ALERT_URLS", receiver.url)
    tell(served)
    serve(served, FAULT, roads=False)
    serve(served, NEXT)

    served.run("watch", FAULT)
    tell(served)

    (alert,) = standing_alerts(served.data)
    assert (alert.finding.cause, sorted(alert.places)) == (CAUSE, [FAULT])
    assert alert.finding.what.startswith("roads__snow is missing in all 22 rows, as in none of")
    assert "100 % predicted late in the day. Usual is " in alert.finding.what, "what follows is no alert of its own"
    assert "In the source roads, or on its way here" in alert.finding.likely_cause
    assert told_later(served, [1, 2, 3, 4]) == [0, 1, 0, 0], "the receiver fails twice, the first time in the tick"

    served.run("watch", NEXT)
    tell(served)

    assert history(served) == {CAUSE: ["opened", "resolved"]}
    assert told_later(served, [5, 6]) == [0, 0]
    assert [told["title"] for told in receiver.accepted] == [
        f"[inform] parcels: {CAUSE} opened",
        f"[inform] parcels: {CAUSE} resolved",
    ]


@pytest.mark.parametrize(
    ("by", "state", "told"),
    [
        (acknowledge, "acknowledged", ["opened", "updated", "resolved"]),
        (partial(silence, until=datetime(2100, 1, 1, tzinfo=UTC), reason="known"), "silenced", ["opened"]),
    ],
)
def test_what_people_did_with_an_alert_holds_while_its_cause_goes_on(
    served: Deployment, by: Callable[[Alert], Alert], state: str, told: list[str]
) -> None:
    channel = Kept()
    with AlertBook(served.data) as book:
        book.use_channels(["well"])
        for day in (FAULT, NEXT, AFTER):
            serve(served, day, roads=day == AFTER)
            served.run("watch", day)
            deliver(book, {"well": channel}, now=datetime.now(UTC))
            for alert in book.standing():
                assert day == FAULT or (str(alert.state), sorted(alert.places)) == (state, [FAULT, NEXT])
                book.change(alert.id, by, now=datetime.now(UTC))

    assert [str(message.news) for message in channel.told] == told
    assert history(served) == {CAUSE: ["opened", "updated", "resolved"]}


def test_looking_again_at_the_same_day_is_no_news(served: Deployment) -> None:
    serve(served, FAULT, roads=False)

    for _ in range(2):
        served.run("watch", FAULT)

    assert history(served) == {CAUSE: ["opened"]}


def test_a_service_that_falls_silent_pages_within_the_hour_and_is_over_when_it_answers(served: Deployment) -> None:
    run = watched_at(served, FAULT, hour=10)

    (alert,) = standing_alerts(served.data)
    assert (alert.finding.cause, str(alert.finding.urgency)) == ("monitoring/exact#traffic", "page")
    assert run.metadata["monitoring"]["headline"].startswith("Nothing was answered. 1 to look at: ")

    serve(served, FAULT)
    assert verdicts(watched_at(served, FAULT, hour=20))["service_answers_as_it_should"] == ""
    assert history(served) == {"monitoring/exact#traffic": ["opened", "resolved"]}


def test_an_answer_that_is_not_the_model_s_pages_and_names_both_values(trained: Deployment) -> None:
    serve_one(trained, history_commit=trained.lake.head())

    verdict = parity_of(trained.run("watch", SERVED))

    assert (verdict.passed, verdict.severity) == (False, dg.AssetCheckSeverity.ERROR)
    told = f"weight of prediction p1 was 99.0, offline it is {requests(SERVED)[0]['weight']}."
    assert told in (verdict.description or "")
    (alert,) = standing_alerts(trained.data)
    assert (alert.finding.cause, str(alert.finding.urgency)) == ("monitoring/exact#scores", "page")
    assert told in alert.finding.what


def test_an_answer_that_names_no_history_is_a_warning_and_no_alert(trained: Deployment) -> None:
    serve_one(trained, history_commit=None)

    verdict = parity_of(trained.run("watch", SERVED))

    assert (verdict.passed, verdict.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert standing_alerts(trained.data) == []


def parity_of(run: RunSummary) -> dg.AssetCheckEvaluation:
    (verdict,) = [check for check in run.checks if check.check_name == parity.NAME]
    return verdict


def watched_at(deployment: Deployment, day: str, *, hour: int) -> RunSummary:
    """Watches a day as far as it is over at that hour."""
    moment = f"{day}T{hour:02d}:05:00+00:00"
    add_served_days(PARCELS, [day], instance=deployment.instance)
    return run_job(PARCELS, job="watch", instance=deployment.instance, batches=[day], tags={MOMENT: moment})

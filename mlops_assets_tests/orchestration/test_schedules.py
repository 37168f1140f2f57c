"""What the schedules ask for at a tick: everything that is left to do, said in a sentence where there is nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import duckdb
import pytest

from mlops_assets.contract.alerts import Look
from mlops_assets.contract.paths import monitoring_path
from mlops_assets.contract.retraining import Retrain
from mlops_assets.contract.source import Cadence
from mlops_assets.contract.use_case import NamedBatches, UseCase
from mlops_assets.lake.write import Write
from mlops_assets.orchestration.asset_run import REASON
from mlops_assets.orchestration.build import build_definitions
from mlops_assets.orchestration.instance import open_instance
from mlops_assets.orchestration.partitions import RANGE_END, RANGE_START
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.orchestration.retraining import STARTED_AS, retraining_tags, running_training, state_of_training
from mlops_assets.orchestration.runs import run_job
from mlops_assets.steps.step import publish
from mlops_assets.steps.watch import watch
from mlops_assets.stores.alerts.book import AlertBook, standing_alerts
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.proposal import Proposal, keep_proposal, proposal
from mlops_assets.stores.models.registry import load_record
from mlops_assets_tests.orchestration.deployment import TRAINED, Deployment
from mlops_assets_tests.orchestration.test_serving import SERVED, answer
from mlops_assets_tests.orchestration.toy import PARCELS, day_number
from mlops_assets_tests.stores.alerts.test_inputs import make_input_finding
from mlops_assets_tests.stores.predictions.answered import make_group, make_record
from mlops_assets_tests.watch.served.test_promise import make_watched

LATER = datetime(2024, 3, 25, 1, tzinfo=UTC)
LEARNING = replace(PARCELS, retrain=Retrain(every=timedelta(days=28), when_worse=True, cooldown=timedelta(days=14)))
Tick = Callable[..., list[dg.RunRequest] | str]


@pytest.fixture
def kept(trained: Deployment) -> Iterator[Deployment]:
    """Ten days taken in and a champion, with an instance on disk as a schedule's own process opens it."""
    with open_instance(trained.data) as instance:
        yield replace(trained, instance=instance)


@pytest.fixture
def tick() -> Tick:
    """What a schedule asks for at a moment, or why it asks for nothing."""
    logging.getLogger("dagster").setLevel(logging.CRITICAL)

    def look(
        deployment: Deployment, schedule: str, *, at: datetime = LATER, use_case: UseCase = LEARNING
    ) -> list[dg.RunRequest] | str:
        definitions = build_definitions([use_case]).get_repository_def()
        found = definitions.get_schedule_def(f"{use_case.name}__{schedule}")
        with dg.build_schedule_context(
            instance=deployment.instance,
            scheduled_execution_time=at,
            resources={"lake": LakeResource(), "data": DataResource()},
        ) as context:
            told = found(context)
        return str(told.skip_message) if isinstance(told, dg.SkipReason) else told

    return look


def asked(requests: list[dg.RunRequest] | str) -> list[str | None]:
    assert not isinstance(requests, str), requests
    return [request.partition_key for request in requests]


def watch_at(deployment: Deployment, now: datetime, *, day: str = SERVED) -> None:
    """Collects what was served and watches a day as far as it is over at that moment."""
    deployment.run("watch", assets=["prediction_log"])
    step = watch(
        deployment.lake.at(),
        use_case=deployment.use_case,
        days=[day],
        lake=deployment.lake,
        connect=duckdb.connect,
        now=now,
    )
    publish(step, lake=deployment.lake, write=Write(use_case="parcels", asset="monitoring"))


def publish_weeks(deployment: Deployment, *, loss: float) -> None:
    """Publishes the reports of two served weeks, whose outcomes gave about that log loss where 0.4 was promised."""
    serving = champion(deployment.lake.at(), use_case="parcels")
    assert serving is not None
    reports = [make_watched(day, loss=loss, version=serving.version) for day in range(14)]
    deployment.lake.publish(
        Write(use_case="parcels", asset="monitoring", message="two weeks"),
        files={monitoring_path("parcels", batch=report.day.isoformat()): report.to_json() for report in reports},
        audit=lambda staged: [],
    )


def answer_beyond(deployment: Deployment, *, day: str) -> None:
    """Logs an answer about nothing that has an outcome, on any day."""
    serving = champion(deployment.lake.at(), use_case="parcels")
    assert serving is not None
    log = DataResource().prediction_log(PARCELS)
    records = [
        make_record(
            prediction_id="beyond",
            answered_at=datetime(2024, 3, 11, tzinfo=UTC),
            event_time=datetime.fromisoformat(f"{day}T08:00:00"),
            model_version=serving.version,
            score=0.9,
            predicted_positive=True,
            inputs={"depot": "AMS"},
        )
    ]
    log.append([make_group(records)], timeout=5)
    log.close()


def test_every_schedule_runs_by_utc_and_without_anybody_starting_it() -> None:
    schedules = build_definitions([LEARNING]).get_repository_def().schedule_defs
    assert {each.name for each in schedules} == {
        "parcels__score_daily",
        "parcels__watch_hourly",
        "parcels__retrain",
        "parcels__trial",
    }
    assert {each.execution_timezone for each in schedules} == {"UTC"}
    assert {each.default_status for each in schedules} == {dg.DefaultScheduleStatus.RUNNING}


def test_where_nothing_was_served_or_landed_since_nothing_is_asked_for(kept: Deployment, tick: Tick) -> None:
    assert tick(kept, "watch_hourly") == (
        "Everything the service answered is collected, and every day is watched as far as it is over."
    )
    assert tick(kept, "score_daily") == ("Every day that has landed and that a champion has not learnt from is scored.")


def test_all_days_left_after_a_downtime_are_watched_each_once(kept: Deployment, tick: Tick) -> None:
    for day in (day_number(10), day_number(12)):
        answer(kept, batch=day)

    assert asked(tick(kept, "watch_hourly")) == [day_number(10), day_number(12)]
    for day in (day_number(10), day_number(12)):
        kept.run("watch", day)
    assert isinstance(tick(kept, "watch_hourly"), str)


def test_a_day_is_watched_again_when_records_or_its_outcomes_come_in_later(kept: Deployment, tick: Tick) -> None:
    answer(kept, stop=20)
    kept.run("watch", SERVED)
    answer(kept, start=20)
    assert asked(tick(kept, "watch_hourly")) == [SERVED]
    kept.run("watch", SERVED)
    assert isinstance(tick(kept, "watch_hourly"), str)

    kept.land(10)
    kept.ingest()

    assert asked(tick(kept, "watch_hourly")) == [SERVED]
    kept.run("watch", SERVED)
    assert isinstance(tick(kept, "watch_hourly"), str)


def test_outcomes_that_match_no_answer_have_a_day_watched_once_more_and_no_further(
    kept: Deployment, tick: Tick
) -> None:
    answer_beyond(kept, day=SERVED)
    kept.run("watch", SERVED)
    kept.land(10)
    kept.ingest()

    assert asked(tick(kept, "watch_hourly")) == [SERVED]
    kept.run("watch", SERVED)
    assert isinstance(tick(kept, "watch_hourly"), str)


def test_today_is_watched_again_for_each_hour_that_is_over(kept: Deployment, tick: Tick) -> None:
    answer(kept)

    def at(hour: int, minute: int) -> datetime:
        return datetime.fromisoformat(f"{SERVED}T{hour:02d}:{minute:02d}:00+00:00")

    assert asked(tick(kept, "watch_hourly", at=at(9, 5))) == [SERVED]
    watch_at(kept, at(9, 5))
    assert isinstance(tick(kept, "watch_hourly", at=at(9, 55)), str)
    assert asked(tick(kept, "watch_hourly", at=at(10, 5))) == [SERVED]


def test_days_without_an_answer_are_watched_as_long_as_answers_are_to_be_expected(kept: Deployment, tick: Tick) -> None:
    answer(kept)
    kept.run("watch", SERVED)
    silent = [day_number(11), day_number(12)]
    third, ninth = (datetime.fromisoformat(f"{SERVED}T01:05:00+00:00") + timedelta(days=days) for days in (2, 8))

    assert asked(tick(kept, "watch_hourly", at=third)) == silent
    for day in silent:
        assert kept.run("watch", day).metadata["monitoring"]["answers"] == 0
    assert isinstance(tick(kept, "watch_hourly", at=third), str)
    assert isinstance(tick(kept, "watch_hourly", at=ninth), str)


def test_answers_for_a_day_ahead_are_collected_and_watched_when_it_has_come(kept: Deployment, tick: Tick) -> None:
    answer_beyond(kept, day="2031-01-01")

    (collects,) = tick(kept, "watch_hourly")
    kept.run("watch", assets=["prediction_log"])

    assert isinstance(collects, dg.RunRequest)
    assert collects.partition_key is None
    assert [key.path[-1] for key in collects.asset_selection or []] == ["prediction_log"]
    assert isinstance(tick(kept, "watch_hourly"), str)
    come = datetime(2031, 1, 1, 10, 5, tzinfo=UTC)
    assert asked(tick(kept, "watch_hourly", at=come)) == ["2031-01-01"], "which is no batch of parcels"


def test_ticks_ask_with_keys_of_their_own_so_that_a_failed_day_is_tried_again(kept: Deployment, tick: Tick) -> None:
    answer(kept)
    keys = [
        request.run_key
        for at in (LATER, LATER, LATER + timedelta(days=1))
        for request in tick(kept, "watch_hourly", at=at)
        if isinstance(request, dg.RunRequest)
    ]
    assert keys[0] == keys[1] != keys[2]


def test_a_use_case_without_a_time_axis_gets_its_served_days_as_partitions(kept: Deployment, tick: Tick) -> None:
    sources = [
        replace(each, cadence=Cadence.NAMED, batch_day=()) if each.arrives else each for each in LEARNING.sources
    ]
    named = replace(LEARNING, batches=NamedBatches(), sources=tuple(sources), backtest=None, history=())
    answer(kept)

    assert asked(tick(kept, "watch_hourly", use_case=named)) == [SERVED]
    assert kept.instance.get_dynamic_partitions("parcels__served_days") == [SERVED]
    names = {each.name for each in build_definitions([named]).get_repository_def().schedule_defs}
    assert "parcels__score_daily" not in names


def test_days_that_landed_after_the_champion_are_scored_in_one_run_and_only_once(kept: Deployment, tick: Tick) -> None:
    kept.land(10, 12)
    kept.land(14)
    kept.ingest()

    stretch, single = tick(kept, "score_daily")

    assert isinstance(stretch, dg.RunRequest)
    assert stretch.tags[RANGE_START], stretch.tags[RANGE_END] == (day_number(10), day_number(12))
    assert isinstance(single, dg.RunRequest)
    assert single.partition_key == day_number(14)
    kept.run("score", *(day_number(day) for day in (10, 11, 12)))
    assert asked(tick(kept, "score_daily")) == [day_number(14)]


def test_an_old_champion_is_challenged_with_the_reason_on_the_run(kept: Deployment, tick: Tick) -> None:
    kept.land(10)
    kept.ingest()
    at = trained_at(kept) + timedelta(days=30)

    (request,) = tick(kept, "retrain", at=at)

    assert isinstance(request, dg.RunRequest)
    assert "was trained 30 days ago, due every 28 days." in request.tags[REASON]
    assert request.run_key == str(at)


def test_two_worse_weeks_challenge_the_champion_once_until_the_cooldown_is_over(kept: Deployment, tick: Tick) -> None:
    publish_weeks(kept, loss=0.5)
    kept.land(10)
    kept.ingest()
    at = trained_at(kept) + timedelta(hours=2)

    (request,) = tick(kept, "retrain", at=at)
    assert isinstance(request, dg.RunRequest)
    assert (
        "is worse than promised: log_loss was 0.5 and 0.5 in the weeks to 2024-03-10 and 2024-03-17"
        in request.tags[REASON]
    )

    retraining = kept.instance.create_run_for_job(
        build_definitions([LEARNING]).resolve_job_def("parcels__train"), tags=dict(request.tags)
    )
    assert "never two at once" in str(tick(kept, "retrain", at=at))
    assert running_training(LEARNING, instance=kept.instance) == retraining.run_id

    kept.instance.report_run_failed(retraining)
    assert "14 days is the cooldown" in str(tick(kept, "retrain", at=at))
    assert isinstance(tick(kept, "retrain", at=datetime.now(UTC) + timedelta(days=15)), list)


def test_weeks_as_promised_challenge_nobody(kept: Deployment, tick: Tick) -> None:
    publish_weeks(kept, loss=0.4)
    kept.land(10)
    kept.ingest()

    assert "was not worse than promised two weeks running" in str(tick(kept, "retrain", at=datetime.now(UTC)))


def test_nothing_is_learnt_while_an_input_alert_is_open(kept: Deployment, tick: Tick) -> None:
    kept.land(10)
    kept.ingest()
    at = trained_at(kept) + timedelta(days=30)
    with AlertBook(kept.data) as book:
        opened = Look(
            use_case="parcels",
            subject="monitoring/input",
            places=frozenset({SERVED}),
            by="a run",
            findings=(make_input_finding("weight", use_case="parcels"),),
        )
        book.record([opened], now=at)
        assert "(monitoring/input#weight), and a fault must not be learnt" in str(tick(kept, "retrain", at=at))
        book.record([replace(opened, findings=(), by="another")], now=at)

    assert isinstance(tick(kept, "retrain", at=at), list)


def test_a_run_that_died_and_was_started_again_began_once(kept: Deployment) -> None:
    job = build_definitions([LEARNING]).resolve_job_def("parcels__train")
    first = kept.instance.create_run_for_job(job, tags=dict(retraining_tags("because")))
    again = {**retraining_tags("because"), "dagster/parent_run_id": first.run_id}
    kept.instance.create_run_for_job(job, tags=again)

    state = state_of_training(LEARNING, lake=kept.lake, instance=kept.instance, folder=kept.data)

    assert len(state.started) == 1


def test_the_same_data_is_not_learnt_again(kept: Deployment, tick: Tick) -> None:
    at = trained_at(kept) + timedelta(days=30)

    assert "nothing has landed that the newest model has not learnt from" in str(tick(kept, "retrain", at=at))


def test_before_the_first_champion_nothing_is_retrained_or_scored(ingested: Deployment, tick: Tick) -> None:
    with open_instance(ingested.data) as instance:
        untrained = replace(ingested, instance=instance)
        assert "no champion to challenge" in str(tick(untrained, "retrain"))
        assert "is scored" in str(tick(untrained, "score_daily"))


def test_a_trial_runs_while_a_challenger_is_tried_or_a_batch_can_tell_of_a_promotion(
    kept: Deployment, tick: Tick
) -> None:
    assert tick(kept, "trial") == "No promotion by a retraining is on probation."
    serving = champion(kept.lake.at(), use_case="parcels")
    assert serving is not None
    found = Proposal(
        use_case="parcels",
        version="v2",
        champion=serving.version,
        reason="because",
        stage="waits for approval",
        at=LATER,
        why="it passed every gate",
    )
    keep_proposal(kept.lake, found)
    assert str(tick(kept, "trial")).startswith("v2 (waits for approval since 2024-03-25 01:00): it passed every gate.")

    keep_proposal(kept.lake, found.model_copy(update={"stage": "to be tried"}))
    assert len(tick(kept, "trial")) == 1


def test_a_retraining_is_promoted_with_its_reason_and_then_looked_at_on_what_lands(
    kept: Deployment, tick: Tick
) -> None:
    first = champion(kept.lake.at(), use_case="parcels")
    learning = replace(kept, use_case=LEARNING)
    kept.land(10, 11)
    kept.ingest()
    told = run_job(LEARNING, job="train", instance=kept.instance, assets=TRAINED, tags=retraining_tags("It was due."))
    pointer = champion(kept.lake.at(), use_case="parcels")
    assert first is not None
    assert pointer is not None
    assert pointer.version != first.version
    assert pointer.retraining == "It was due."
    assert told.metadata["champion"]["version"] == pointer.version
    assert f"{pointer.version} is on probation: 0 of the 3" in str(tick(kept, "trial"))

    kept.land(12, 14)
    kept.ingest()
    assert len(tick(kept, "trial")) == 1
    said = learning.run("try").metadata["trial"]

    assert said["probation"].startswith(f"{pointer.version} holds. On {day_number(12)} to {day_number(14)} beside")
    assert said["trial"] == "No challenger is tried."
    assert "The next batch is looked at again." in str(tick(kept, "trial"))


def test_a_retraining_that_is_to_be_approved_leaves_the_pointer_and_tells_people(kept: Deployment) -> None:
    before = champion(kept.lake.at(), use_case="parcels")
    asks = replace(LEARNING, retrain=replace(LEARNING.retrain, promotion="approval"))  # type: ignore[type-var]
    kept.land(10, 11)
    kept.ingest()

    run_job(asks, job="train", instance=kept.instance, assets=TRAINED, tags=retraining_tags("It was due."))

    waiting = proposal(kept.lake.at(), use_case="parcels")
    assert waiting is not None
    assert (waiting.waits, waiting.reason) == (True, "It was due.")
    assert champion(kept.lake.at(), use_case="parcels") == before
    (alert,) = standing_alerts(kept.data)
    assert f"The challenger {waiting.version} waits for approval: it passed every gate." == alert.finding.what


def test_the_tags_of_a_retraining_tell_it_from_other_trainings() -> None:
    assert set(retraining_tags("because")) == {REASON, STARTED_AS}


def trained_at(deployment: Deployment) -> datetime:
    """When the champion was kept."""
    head = deployment.lake.at()
    serving = champion(head, use_case="parcels")
    assert serving is not None
    return load_record(head, use_case="parcels", version=serving.version).created_at

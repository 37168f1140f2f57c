"""`mlops collect`, `score`, `watch` and `retrain`: by hand what the schedules do, a sentence for each way it ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mlops_assets.contract.errors import DeclarationError, ServingError, TrainingError
from mlops_assets.contract.retraining import Retrain
from mlops_assets.orchestration import pipeline
from mlops_assets.orchestration.build import build_definitions
from mlops_assets.orchestration.instance import open_instance
from mlops_assets.orchestration.runs import RunFailed, RunSummary
from mlops_assets_tests.cli.conftest import Mlops
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets_tests.orchestration.test_schedules import answer_beyond
from mlops_assets_tests.orchestration.test_serving import SERVED, answer
from mlops_assets_tests.orchestration.toy import PARCELS, day_number

LEARNING = replace(PARCELS, retrain=Retrain(every=timedelta(days=28), cooldown=timedelta(days=14)))


def test_answers_are_collected_once_and_the_status_says_what_is_left(run_mlops: Mlops, trained: Deployment) -> None:
    answer(trained)

    assert "Served and not watched like that: 1 days. `mlops watch parcels`" in run_mlops("status", "parcels").output
    assert f"60 answers were collected, of days: {SERVED}." in run_mlops("collect", "parcels").output
    assert "0 answers were collected, of days: none." in run_mlops("collect", "parcels").output
    assert "Answers were last collected 20" in run_mlops("status", "parcels").output


def test_watching_takes_every_day_that_is_left_and_names_checks_that_are_not_green(
    run_mlops: Mlops, trained: Deployment
) -> None:
    answer(trained)
    answer(trained, batch=day_number(12))

    said = run_mlops("watch", "parcels").output

    assert f"{SERVED}: Day that cannot be judged yet: 53 % predicted late" in said
    assert f"{day_number(12)}: " in said
    assert "Watched days: 2." in said
    assert "WARN monitoring answers_are_as_usual: insufficient data: none of 30 figures can be judged yet" in said
    assert "Every served day is watched as far as it is over." in run_mlops("watch", "parcels").output
    assert "Watched days: 1." in run_mlops("watch", "parcels", "--day", SERVED).output


def test_a_day_that_cannot_be_watched_holds_up_no_other_and_is_told_at_the_end(
    run_mlops: Mlops, trained: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(trained)
    answer(trained, batch=day_number(12))
    watch = pipeline.watch

    def fail_first(*given: Any, day: str, **named: Any) -> RunSummary:
        if day == SERVED:
            raise RunFailed(f"The disk was full on {day}.")
        return watch(*given, day=day, **named)

    monkeypatch.setattr(pipeline, "watch", fail_first)
    with pytest.raises(ServingError, match=f"The disk was full on {SERVED}"):
        run_mlops("watch", "parcels")
    assert trained.paths("monitoring/") == [f"monitoring/{day_number(12)}.json"]


def test_answers_of_a_day_ahead_are_collected_and_watched_when_it_has_come(
    run_mlops: Mlops, trained: Deployment
) -> None:
    answer_beyond(trained, day="2031-01-01")

    assert "Every served day is watched as far as it is over." in run_mlops("watch", "parcels").output

    assert [path for path in trained.paths("prediction_log/") if ".2031-01-01.2031-01-01." in path]
    with pytest.raises(ServingError, match="2031-01-01 has not come yet: it is watched from its first hour on"):
        run_mlops("watch", "parcels", "--day", "2031-01-01")


def test_today_is_watched_as_far_as_it_is_over(run_mlops: Mlops, trained: Deployment) -> None:
    today = datetime.now(UTC).date().isoformat()
    answer_beyond(trained, day=today)

    said = run_mlops("watch", "parcels").output

    assert f"{today}: " in said
    assert "Watched days: 1." in said
    assert trained.paths("monitoring/") == [f"monitoring/{today}.json"]


def test_a_day_on_which_nothing_was_served_is_refused_in_a_sentence(run_mlops: Mlops, trained: Deployment) -> None:
    with pytest.raises(ServingError, match=f"Nothing of parcels was served on {SERVED}"):
        run_mlops("watch", "parcels", "--day", SERVED)
    with pytest.raises(DeclarationError, match="'july' is no day"):
        run_mlops("watch", "parcels", "--day", "july")


def test_scoring_takes_what_landed_after_the_champion_or_what_is_named(run_mlops: Mlops, trained: Deployment) -> None:
    assert "Nothing is left to score." in run_mlops("score", "parcels").output
    trained.land(10, 11)
    trained.ingest()

    assert "2 batches were scored." in run_mlops("score", "parcels").output
    assert "Nothing is left to score." in run_mlops("score", "parcels").output
    assert "1 batches were scored." in run_mlops("score", "parcels", "--day", day_number(3)).output
    both = run_mlops("score", "parcels", "--from", day_number(9), "--to", day_number(10))
    assert "2 batches were scored." in both.output
    assert trained.paths("predictions/") == [f"predictions/{day_number(day)}.parquet" for day in (3, 9, 10, 11)]


def test_what_cannot_be_scored_is_said(run_mlops: Mlops, trained: Deployment) -> None:
    with pytest.raises(DeclarationError, match=f"No batch of parcels to score in {SERVED}: the lake holds"):
        run_mlops("score", "parcels", "--day", SERVED)
    with pytest.raises(DeclarationError, match="give one or the other"):
        run_mlops("score", "parcels", "--day", SERVED, "--to", SERVED)


def test_scoring_without_a_champion_says_how_to_get_one(run_mlops: Mlops, ingested: Deployment) -> None:
    with pytest.raises(ServingError, match="parcels has no champion to score with yet: `mlops run parcels`"):
        run_mlops("score", "parcels")


def test_retraining_says_why_not_or_what_to_declare(
    run_mlops: Mlops, trained: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DeclarationError, match="parcels does not declare when to retrain: say why with --reason"):
        run_mlops("retrain", "parcels")
    monkeypatch.setattr("mlops_assets.cli.loop.use_case_of", lambda name: LEARNING)

    assert "Nothing was trained. Not due: the champion" in run_mlops("retrain", "parcels").output


def test_no_retraining_starts_beside_a_training(run_mlops: Mlops, trained: Deployment) -> None:
    with open_instance(trained.data) as instance:
        job = build_definitions([PARCELS]).resolve_job_def("parcels__train")
        going = instance.create_run_for_job(job).run_id

    with pytest.raises(TrainingError, match=f"being trained by run {going[:8]}: never two at once"):
        run_mlops("retrain", "parcels", "--reason", "I want to")

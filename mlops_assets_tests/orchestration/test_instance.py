"""Dagster's own settings and databases, as the platform keeps them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.tags import WILL_RETRY_TAG

from mlops_assets.orchestration.event_log import EventLog
from mlops_assets.orchestration.instance import dagster_home, open_instance
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets_tests.orchestration.toy import day_number


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder, and no folder for Dagster set in the environment."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return tmp_path / "data"


@dg.op
def wait_for_nothing() -> None:
    """Does nothing."""


@dg.job
def nothing() -> None:
    """A run of one step."""
    wait_for_nothing()


def test_runs_and_events_are_found_by_the_next_process(data: Path) -> None:
    with open_instance(data) as instance:
        run_id = nothing.execute_in_process(instance=instance).run_id

    with open_instance(data) as instance:
        told = [event.dagster_event_type for event in instance.all_logs(run_id)]

    assert dg.DagsterEventType.RUN_SUCCESS in told


def test_an_instance_reads_what_another_one_writes_while_both_are_open(data: Path) -> None:
    with open_instance(data) as reader, open_instance(data) as writer:
        reader.report_runless_asset_event(dg.AssetMaterialization("first"))
        writer.report_runless_asset_event(dg.AssetMaterialization("second"))

        assert {key.to_user_string() for key in reader.get_asset_keys()} == {"first", "second"}


def test_the_events_of_a_run_are_in_the_file_that_the_ui_watches_at_once(data: Path) -> None:
    with open_instance(data) as instance:
        run_id = nothing.execute_in_process(instance=instance).run_id
        log = instance.event_log_storage
        assert isinstance(log, EventLog)
        watched = Path(log.path_for_shard(run_id))

        assert watched.stat().st_size > 0
        assert not watched.with_name(watched.name + "-wal").exists()


def test_many_days_in_one_run_leave_no_check_of_a_day_unanswered(empty: Deployment) -> None:
    matches = dg.AssetCheckKey(dg.AssetKey(["parcels", "validated_parcels"]), "matches_schema")
    empty.land(0, 4)

    with open_instance(empty.data) as instance:
        replace(empty, instance=instance).ingest()
        told = instance.event_log_storage.get_asset_check_execution_history(matches, limit=100)

    assert {record.status.value for record in told} == {"SUCCEEDED"}
    assert {record.partition for record in told} == {*(day_number(day) for day in range(5)), None}


def test_a_day_refused_in_a_run_over_many_is_the_one_whose_check_failed(empty: Deployment) -> None:
    whole = dg.AssetCheckKey(dg.AssetKey(["parcels", "raw_parcels"]), "file_is_whole")
    empty.land(0, 4)
    empty.drop(b"", source="parcels", batch=day_number(2))

    with open_instance(empty.data) as instance:
        replace(empty, instance=instance).execute("ingest", *(day_number(day) for day in range(5)))
        told = instance.event_log_storage.get_asset_check_execution_history(whole, limit=100)

    assert {record.partition for record in told if record.status.value == "FAILED"} == {day_number(2), None}
    passed = {record.partition for record in told if record.status.value == "SUCCEEDED"}
    assert passed == {day_number(day) for day in (0, 1, 3, 4)}


def test_a_data_folder_that_was_moved_is_used_where_it_is_now(data: Path) -> None:
    with open_instance(data) as instance:
        run_id = nothing.execute_in_process(instance=instance).run_id
    moved = data.rename(data.with_name("moved"))

    with open_instance(moved) as instance:
        assert instance.get_run_by_id(run_id) is not None
    assert not data.exists()


def test_settings_that_somebody_else_has_written_are_left_alone(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = "telemetry:\n  enabled: false\n"
    home = data / "elsewhere"
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_text(theirs, encoding="utf-8")
    monkeypatch.setenv("DAGSTER_HOME", str(home))

    assert dagster_home(data) == home
    assert (home / "dagster.yaml").read_text(encoding="utf-8") == theirs


@dg.op
def give_up() -> None:
    """Fails as an asset does whose audit refuses."""
    raise dg.Failure("refused")


@dg.job
def refused() -> None:
    """A run that ends with a verdict."""
    give_up()


def test_a_run_whose_process_died_is_started_again_and_one_that_ended_with_a_verdict_is_not(data: Path) -> None:
    with open_instance(data) as instance:
        died = instance.create_run_for_job(nothing).run_id
        instance.report_run_failed(instance.get_run_by_id(died))  # type: ignore[arg-type]
        ended = refused.execute_in_process(instance=instance, raise_on_error=False).run_id
        tags = [instance.get_run_by_id(run_id).tags.get(WILL_RETRY_TAG) for run_id in (died, ended)]  # type: ignore[union-attr]

    assert tags == ["true", "false"]


def test_dead_runs_are_looked_for_and_free_their_place(data: Path) -> None:
    with open_instance(data) as instance:
        assert (instance.run_retries_enabled, instance.run_retries_max_retries) == (True, 2)
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_start_timeout_seconds == 600
        settings = instance.get_settings("run_monitoring")
        assert (settings["max_runtime_seconds"], settings["free_slots_after_run_end_seconds"]) == (21600, 300)
        assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs == 1  # type: ignore[union-attr]

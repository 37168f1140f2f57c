"""From landed files to history: what is published, recorded, refused, repeated and corrected."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta

import dagster as dg
import pytest

from mlops_assets.contract.errors import LandingError
from mlops_assets.contract.use_case import DailyBatches
from mlops_assets.orchestration.checks import NAMED_BATCHES
from mlops_assets.stores.landing.batch_files import judge_file
from mlops_assets_tests.orchestration.deployment import Deployment, content
from mlops_assets_tests.orchestration.toy import FIRST, PARCELS, day_number, parcels_csv

OF_A_DAY = ["raw_parcels", "raw_roads", "validated_parcels", "validated_roads", "history"]
REFERENCE = ["raw_depots", "validated_depots"]


def spoiled(batch: str, *, rows: int) -> bytes:
    """A day of which the first ``rows`` rows break a rule; more than six of sixty refuse the day."""
    heavy = {row: f"{row},{batch},{batch} 08:20:00,AMS,99.5,-5" for row in range(1, rows + 1)}
    return parcels_csv(batch, changes=heavy)


def failed_checks(result: dg.ExecuteInProcessResult) -> set[str]:
    """Names of the checks that the run recorded as failed."""
    return {check.check_name for check in result.get_asset_check_evaluations() if not check.passed}


def materialised(result: dg.ExecuteInProcessResult) -> set[str]:
    """Names of the assets that the run recorded as made."""
    return {event.materialization.asset_key.path[-1] for event in result.get_asset_materialization_events()}


def test_many_days_in_one_run_publish_one_commit_per_asset(empty: Deployment) -> None:
    empty.land(0, 4)

    _, days = empty.ingest()

    assert sorted(empty.commits()) == sorted([*REFERENCE, *OF_A_DAY])
    assert set(days.metadata) == {*OF_A_DAY, "online_store"}
    assert empty.paths("raw/parcels/") == [f"raw/parcels/{day_number(day)}.csv" for day in range(5)]
    assert empty.paths("history/") == [f"history/{day_number(day)}.parquet" for day in range(5)]


def test_many_days_in_one_run_record_every_check_once_with_the_range_of_its_figures(empty: Deployment) -> None:
    empty.land(0, 4)

    _, days = empty.ingest()

    told = [(check.asset_key.path[-1], check.check_name) for check in days.checks]
    assert len(told) == len(set(told))
    assert all(check.passed for check in days.checks)
    whole = next(c for c in days.checks if (c.asset_key.path[-1], c.check_name) == ("raw_parcels", "file_is_whole"))
    assert {key: value.value for key, value in whole.metadata.items() if key.startswith(("rows", "batches"))} == {
        "batches": 5,
        "rows_min": 60,
        "rows_max": 60,
    }


def test_a_day_of_which_one_source_was_taken_by_hand_waits_for_the_others(ingested: Deployment) -> None:
    ingested.land(10, sources=("parcels",))
    ingested.run("ingest", day_number(10), assets=["raw_parcels"])

    assert ingested.ingest() == []
    ingested.land(10)
    ingested.ingest()

    assert f"history/{day_number(10)}.parquet" in ingested.paths("history/")


def test_every_materialisation_tells_where_it_is_and_what_it_cost(empty: Deployment) -> None:
    empty.land(0)

    _, day = empty.ingest()

    told = day.metadata["validated_parcels"]
    assert told["dagster/row_count"] == told["rows_read"] == 60
    assert told["rows_quarantined"] == 0
    assert told["lakefs_commit"] in [commit.id for commit in empty.lake.log(limit=100)]
    assert told["seconds"] > 0
    assert "| number | day |" in told["preview"]
    assert [column.name for column in told["dagster/column_schema"].columns][:2] == ["number", "day"]


def test_days_that_are_not_contiguous_are_taken_in_by_runs_of_their_own(empty: Deployment) -> None:
    empty.land(0, 1)
    empty.land(4)

    runs = empty.ingest()

    assert [set(run.metadata) & {"history"} for run in runs] == [set(), {"history"}, {"history"}]
    assert empty.paths("history/") == [f"history/{day_number(day)}.parquet" for day in (0, 1, 4)]


def test_the_same_files_again_publish_nothing(ingested: Deployment) -> None:
    head = ingested.lake.head()

    assert ingested.ingest() == []
    again = ingested.run("ingest", *(day_number(day) for day in range(10)))

    assert ingested.lake.head() == head
    assert not any(told["changed"] for told in again.metadata.values())


def test_an_unusual_file_size_is_said_by_check_log_lake_and_terminal_alike(empty: Deployment) -> None:
    weeks, day = 7, day_number(0)
    since = replace(PARCELS, batches=DailyBatches(first=FIRST - timedelta(weeks=weeks), last=FIRST))
    deployment = replace(empty, use_case=since)
    before = [day_number(-number) for number in range(7 * weeks, 0, -1)]
    for batch in before:
        deployment.drop(parcels_csv(batch), source="parcels", batch=batch)
    landed = deployment.drop(re.sub(rb"([^,\n]+)", rb'"\1"', parcels_csv(day)), source="parcels", batch=day)
    deployment.run("ingest", *before, assets=["raw_parcels"])

    made = deployment.run("ingest", day, assets=["raw_parcels", "validated_parcels"])

    (check,) = [each for each in made.checks if each.check_name == "file_size_is_usual"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.metadata["bytes"].value == landed.stat().st_size > check.metadata["high"].value
    (found,) = check.metadata["anomalies"].data
    assert "rows as usual, each line is 1." in found["explanation"]
    lake = json.loads(deployment.lake.at().read(f"parcels/anomalies/parcels/{day}.json"))
    assert lake["anomalies"] == [{**dict.fromkeys(("column", "slice", "rule", "rows", "cause", "since")), **found}]
    told = judge_file(landed, use_case=since, source=since.source("parcels"), batch=day, head=deployment.lake.at())
    assert told.anomalies.model_dump(mode="json") == lake


def test_a_bad_day_is_not_published_and_nothing_is_made_of_it(ingested: Deployment) -> None:
    day = day_number(10)
    ingested.land(10)
    ingested.drop(spoiled(day, rows=7), source="parcels", batch=day)
    ingested.run("ingest", day, assets=["raw_parcels", "raw_roads", "validated_roads"])
    head = ingested.lake.head()

    result = ingested.execute("ingest", day)

    assert not result.success
    assert failed_checks(result) == {"quarantine_within_limit"}
    assert materialised(result) == {"raw_parcels", "raw_roads", "validated_roads"}
    assert ingested.lake.head() == head
    assert f"history/{day}.parquet" not in ingested.paths("history/")


def test_a_bad_day_keeps_its_branch_with_the_verdict_and_the_run_in_its_name(ingested: Deployment) -> None:
    day = day_number(10)
    ingested.land(10)
    ingested.drop(spoiled(day, rows=7), source="parcels", batch=day)

    result = ingested.execute("ingest", day)

    (branch,) = ingested.stage_branches()
    assert branch.startswith(f"stage-parcels-validated_parcels-{result.run_id[:8]}-")
    kept = ingested.lake.at(branch)
    assert kept.exists(f"parcels/quarantine/parcels/{day}.parquet")
    (verdict, *_) = ingested.lake.log(ref=branch, limit=1)
    assert verdict.metadata["audit"] == "failed"
    assert "7 of 60 rows break a rule" in verdict.metadata["verdict"]
    (failure,) = [event.step_failure_data.user_failure_data for event in result.get_step_failure_events()]
    assert failure.metadata["lakefs_branch"].value == branch
    assert failure.metadata["refused_batches"].value == [day]


def test_a_bad_day_among_many_does_not_hold_up_the_others(empty: Deployment) -> None:
    empty.land(0, 4)
    empty.drop(spoiled(day_number(2), rows=7), source="parcels", batch=day_number(2))
    empty.drop(b"", source="roads", batch=day_number(4))

    with pytest.raises(LandingError, match=f"{day_number(4)}.*file is empty.*\n.*{day_number(2)}.*7 of 60 rows"):
        empty.ingest()

    assert empty.paths("history/") == [f"history/{day_number(day)}.parquet" for day in (0, 1, 3)]


def test_many_bad_days_are_each_said_and_shown_by_themselves(empty: Deployment) -> None:
    empty.land(0, 4)
    for day in (1, 3):
        empty.drop(b"", source="parcels", batch=day_number(day))

    result = empty.execute("ingest", *(day_number(day) for day in range(5)))

    told = [check for check in result.get_asset_check_evaluations() if check.check_name == "file_is_whole"]
    of_parcels = [check for check in told if check.asset_key.path[-1] == "raw_parcels"]
    assert {check.partition for check in of_parcels} >= {day_number(1), day_number(3)}
    summary = of_parcels[-1]
    assert summary.metadata["failed_batches"].value == 2
    assert (summary.description or "").count("The file is empty") == 2 < NAMED_BATCHES


def test_rows_that_break_a_rule_go_to_quarantine_with_row_and_reason(empty: Deployment) -> None:
    day = day_number(0)
    empty.land(0)
    empty.drop(spoiled(day, rows=2), source="parcels", batch=day)

    empty.ingest()

    held = empty.table(f"quarantine/parcels/{day}.parquet").to_pylist()
    assert [(row["source_row"], row["column"], row["value"]) for row in held] == [
        (1, "weight", "99.5"),
        (2, "weight", "99.5"),
    ]
    assert empty.table(f"validated/parcels/{day}.parquet").num_rows == 58


def test_a_corrected_day_replaces_what_was_made_of_it_and_empties_its_quarantine(empty: Deployment) -> None:
    day = day_number(1)
    empty.land(0, 2)
    empty.drop(spoiled(day, rows=2), source="parcels", batch=day)
    empty.ingest()
    before = {path: empty.lake.at().info(f"parcels/{path}").checksum for path in empty.paths("history/")}
    assert empty.paths("quarantine/") == [f"quarantine/parcels/{day}.parquet"]

    empty.drop(content("parcels", day), source="parcels", batch=day)
    (run,) = empty.ingest()

    assert empty.paths("quarantine/") == []
    assert empty.table(f"validated/parcels/{day}.parquet").num_rows == 60
    after = {path: empty.lake.at().info(f"parcels/{path}").checksum for path in empty.paths("history/")}
    assert [path for path in after if after[path] != before[path]] == [f"history/{day}.parquet"]
    assert run.metadata["history"]["files_written"] == 1


def test_a_run_that_was_cut_short_is_finished_by_the_next(empty: Deployment) -> None:
    empty.land(0, 1)
    empty.run("reference")
    empty.run("ingest", day_number(0), day_number(1), assets=["raw_parcels", "raw_roads", "validated_roads"])

    empty.ingest()

    assert empty.paths("history/") == [f"history/{day_number(day)}.parquet" for day in range(2)]
    assert empty.ingest() == []


def test_a_landed_file_is_never_touched(empty: Deployment) -> None:
    day = day_number(0)
    empty.land(0)
    path = empty.drop(spoiled(day, rows=7), source="parcels", batch=day)
    seen = path.stat()

    with pytest.raises(LandingError):
        empty.ingest()

    assert (path.read_bytes(), path.stat().st_mtime_ns) == (spoiled(day, rows=7), seen.st_mtime_ns)

"""`mlops shadow`, `mlops canary` and what `mlops status` says of the service."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from mlops_assets.contract.errors import ServingError, SettingError
from mlops_assets.lake.settings import environment_directory
from mlops_assets.lake.tables import read_parquet
from mlops_assets.stores.models.champion import require_champion
from mlops_assets.stores.models.registry import version_ids
from mlops_assets.stores.predictions.pairs import PAIRS, append_pairs
from mlops_assets.stores.serving_orders import ServingOrders, WorkerStatus
from mlops_assets_tests.cli.conftest import Mlops
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets_tests.orchestration.test_serving import answer
from mlops_assets_tests.orchestration.toy import day_number
from mlops_assets_tests.serving.servers import Client, served

LATER = day_number(12)


def versions(deployment: Deployment) -> tuple[str, str]:
    """The champion and the other one."""
    head = deployment.lake.at()
    serving = require_champion(head, use_case="parcels").version
    (other,) = set(version_ids(head, use_case="parcels")) - {serving}
    return serving, other


def orders() -> ServingOrders:
    return ServingOrders(environment_directory(), use_case="parcels")


def say(**told: Any) -> None:
    """What a worker says of itself now."""
    now = datetime.now(UTC)
    orders().say(WorkerStatus(**{"host": "here", "pid": 7, "at": now, "since": now, **told}))


@pytest.mark.slow  # with its file: the two versions are trained first
def test_a_promotion_by_dagster_is_told_to_the_service_and_status_shows_what_it_says(
    run_mlops: Mlops, challenged: Deployment
) -> None:
    serving, other = versions(challenged)
    order = orders().champion()
    assert order is not None
    assert order.version == serving

    say(version=other, refused={serving: f"Version {serving} is not taken into service: it is damaged."})
    said = " ".join(run_mlops("status", "parcels").output.split())

    assert f"The service (process 7 on here) answers by {other}." in said
    assert f"It refused {serving}: Version {serving} is not taken into service: it is damaged." in said


def test_status_tells_the_service_what_a_killed_promotion_did_not(run_mlops: Mlops, challenged: Deployment) -> None:
    (orders().folder / "champion.json").unlink()

    run_mlops("status", "parcels")

    order = orders().champion()
    assert order is not None
    assert order.version == versions(challenged)[0]


def test_a_rollback_reaches_a_running_service_within_seconds(run_mlops: Mlops, challenged: Deployment) -> None:
    serving, other = versions(challenged)
    with served(f"parcels:{serving}", data_dir=challenged.data) as running:
        client = Client(running.url)
        before = client.get("/model")[1]["model_version"]
        run_mlops("rollback", "parcels", "--reason", "complaints")
        until = time.monotonic() + 10
        while (after := client.get("/model")[1]["model_version"]) == before and time.monotonic() < until:
            time.sleep(0.1)
        said = " ".join(run_mlops("status", "parcels").output.split())

    assert (before, after) == (serving, other), running.log.read_text()[-2000:]
    assert re.search(rf"The service \(process \d+ on \S+\) answers by {other}\.", said)


def test_a_shadow_is_reported_overall_by_slice_and_by_outcomes_once_they_are_in(
    run_mlops: Mlops, challenged: Deployment
) -> None:
    serving, other = versions(challenged)
    assert "scores what parcels answers from now on" in run_mlops("shadow", "start", "parcels", other).output
    assert f"{other} has scored nothing yet" in run_mlops("shadow", "report", "parcels").output
    answer(challenged, batch=LATER)
    run_mlops("collect", "parcels")
    pair_with_the_opposite(challenged, version=other, champion=serving)

    early = " ".join(run_mlops("shadow", "report", "parcels").output.split())
    challenged.land(12)
    challenged.ingest()
    late = " ".join(run_mlops("shadow", "report", "parcels").output.split())

    assert re.search(r"all.*60.*0\.00%", early)
    assert re.search(r"depot=AMS.*30.*0\.00%", early)
    assert "60 of these predictions are collected, of 0 the outcome is known" in early
    assert "no outcome of a collected prediction has landed yet" in early
    assert "60 of these predictions are collected, of 60 the outcome is known" in late
    assert re.search(r"log_loss.*worse", late)
    run_mlops("shadow", "stop", "parcels")
    with pytest.raises(ServingError, match="parcels has no shadow now: name one that it had, --version"):
        run_mlops("shadow", "report", "parcels")


def pair_with_the_opposite(deployment: Deployment, *, version: str, champion: str) -> None:
    """Lets the shadow have said the opposite of each collected answer."""
    head = deployment.lake.at()
    files = head.local_many("parcels/prediction_log/").values()
    records = pa.concat_tables([read_parquet(path) for path in files])
    pairs = [
        {
            "prediction_id": row["prediction_id"],
            "example_id": row["example_id"],
            "champion": champion,
            "champion_score": row["score"],
            "champion_decided": str(row["predicted_positive"]).lower(),
            "challenger_score": 1 - row["score"],
            "challenger_decided": str(not row["predicted_positive"]).lower(),
        }
        for row in records.to_pylist()
    ]
    append_pairs(orders().pairs(version), pa.Table.from_pylist(pairs, schema=PAIRS))


def test_a_canary_is_started_looked_at_and_stopped(run_mlops: Mlops, challenged: Deployment) -> None:
    _, other = versions(challenged)
    assert "has had no canary yet" in run_mlops("canary", "status", "parcels").output

    started = run_mlops("canary", "start", "parcels", other, "--steps", "1,5", "--every", "90s").output
    said = " ".join(run_mlops("canary", "status", "parcels").output.split())
    stopped = run_mlops("canary", "stop", "parcels").output

    order = orders().canary()
    assert order is not None
    assert (order.steps, order.every) == ((0.01, 0.05), 90.0)
    assert f"{other} answers 1% of the rows of parcels" in started
    assert f"{other}: running, 1% of the rows since" in said
    assert "errors cannot tell yet: 0 beside 0 rows answered, 200 are needed" in said
    assert f"{other} answers nobody any more" in stopped
    assert "stopped at 0%: stopped by" in " ".join(run_mlops("canary", "status", "parcels").output.split())


@pytest.mark.parametrize(("option", "text"), [("--steps", "1;5"), ("--every", "ten minutes")])
def test_what_is_no_share_or_time_is_refused(run_mlops: Mlops, challenged: Deployment, option: str, text: str) -> None:
    with pytest.raises(SettingError, match=f"{option} '{text}'"):
        run_mlops("canary", "start", "parcels", versions(challenged)[1], option, text)

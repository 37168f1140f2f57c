"""The online store equals the lake value by value, can be rebuilt at any time, and says where it differs."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pytest

from mlops_assets.contract.checks import CheckResult
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import LakeSettings
from mlops_assets.stores.features.online import OnlineStore, open_online_store
from mlops_assets.stores.features.online_refresh import rebuild_online_store, verify_online_store
from mlops_assets.use_cases.flights import USE_CASE
from mlops_assets_tests.stores.features.flights_lake import SERVED, fill_lake, refresh_online


@pytest.fixture(scope="module")
def flights(lake_data: Path) -> Lake:
    lake = Lake.connect(LakeSettings.embedded(lake_data, repository=f"test-{secrets.token_hex(6)}"))
    fill_lake(lake)
    return lake


@pytest.fixture
def online(flights: Lake, tmp_path: Path) -> Iterator[OnlineStore]:
    refresh_online(flights, tmp_path)
    store = open_online_store("flights", data=tmp_path, environment={})
    yield store
    store.close()


def verified(online: OnlineStore, lake: Lake) -> CheckResult:
    with duckdb.connect() as connection:
        return verify_online_store(online, lake=lake, use_case=USE_CASE, connection=connection)


def damage(data: Path, *, key: str) -> None:
    """Every history value of one key a little off, as a bad disk or a wrong hand would leave it."""
    with sqlite3.connect(data / "online" / "flights.sqlite") as file:
        (packed,) = file.execute("SELECT packed FROM value WHERE key = ?", (key,)).fetchone()
        spoilt = np.nextafter(np.frombuffer(packed), np.inf).tobytes()
        file.execute("UPDATE value SET packed = ? WHERE key = ?", (spoilt, key))
    file.close()


def test_a_refreshed_store_equals_the_lake_in_every_value(flights: Lake, online: OnlineStore) -> None:
    verdict = verified(online, flights)
    assert verdict.passed, verdict.reasons
    assert verdict.figures["as_of"] == SERVED.isoformat()
    assert int(verdict.figures["tailnum"]) > 2000
    assert int(verdict.figures["weather"]) > 50


def test_a_damaged_value_is_named_and_a_rebuild_mends_it(flights: Lake, online: OnlineStore, tmp_path: Path) -> None:
    damage(tmp_path, key="carrier\x1fUA")
    verdict = verified(online, flights)
    assert not verdict.passed
    assert verdict.reasons[0].startswith("carrier__late_rate_1d of 'UA' is ")
    assert verdict.reasons[-1] == "There are more."

    with duckdb.connect() as connection:
        rebuild_online_store(online, snapshot=flights.at(), use_case=USE_CASE, connection=connection)

    assert verified(online, flights).passed


def test_an_empty_store_fails_and_says_what_to_do(flights: Lake, tmp_path: Path) -> None:
    store = open_online_store("flights", data=tmp_path / "other", environment={})
    assert verified(store, flights).reasons == ("The online store is empty: rebuild it.",)
    store.close()

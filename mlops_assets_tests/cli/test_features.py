"""`mlops features` lists what is known of every feature, and computes them for rows of one's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from mlops_assets.cli.features import features_app
from mlops_assets.contract.errors import FeatureError
from mlops_assets.lake.connection import close_embedded_servers
from mlops_assets.lake.lake import Lake
from mlops_assets.use_cases.flights.seed import seed_requests
from mlops_assets.use_cases.flights.use_case import USE_CASE
from mlops_assets_tests.stores.features.flights_lake import LAST, SERVED, VERSION, fill_lake

FOREIGN_SETTINGS = ("LAKEFS_ENDPOINT", "LAKECTL_SERVER_ENDPOINT_URL", "LAKEFS_REPOSITORY", "MLOPS_LAKE_BRANCH")


@pytest.fixture(scope="module", autouse=True)
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A machine where nothing is configured but the data folder, with two weeks of flights in its lake."""
    folder = tmp_path_factory.mktemp("features")
    with pytest.MonkeyPatch.context() as patch:
        for name in FOREIGN_SETTINGS:
            patch.delenv(name, raising=False)
        patch.setenv("LAKECTL_CONFIG_FILE", str(folder / "none.yaml"))
        patch.setenv("MLOPS_DATA_DIR", str(folder))
        fill_lake(Lake.connect())
        yield folder
        close_embedded_servers()


def mlops_features(*words: str) -> str:
    done = CliRunner().invoke(features_app, list(words))
    if done.exception:
        raise done.exception
    return done.output


def test_every_feature_is_listed_with_owner_freshness_importance_and_lineage() -> None:
    told = json.loads(mlops_features("flights", "--json"))

    entries = {entry["name"]: entry for entry in told["entries"]}
    assert list(entries) == [feature.name for feature in USE_CASE.features]
    assert told["champion"] == VERSION
    assert sum(entry["importance"] for entry in entries.values()) == pytest.approx(1)
    assert entries["carrier__late_rate_28d"]["known_through"] == LAST.isoformat()
    assert entries["carrier__late_rate_28d"]["lineage"] == ["flights.arr_delay"]
    assert entries["weather__temp"]["known_through"] == SERVED.isoformat()
    assert entries["plane__seats"]["known_through"] == "all"
    assert entries["plane_age"]["made_by"] == "request"


def test_a_text_finds_features_and_a_page_holds_them_all(tmp_path: Path) -> None:
    page = tmp_path / "features.html"

    told = mlops_features("flights", "--find", "wind", "--page", str(page))

    assert "3 of 152 features of flights" in told
    assert "weather__wind_gust" in told
    assert "weather__temp" not in told
    assert "weather__temp" in page.read_text(encoding="utf-8")


def test_features_of_ones_own_rows_are_written_as_of_their_moments(tmp_path: Path) -> None:
    entities, out = tmp_path / "entities.parquet", tmp_path / "features.parquet"
    rows = seed_requests(SERVED.isoformat())[:50]
    pq.write_table(pa.Table.from_pylist(rows), entities)

    mlops_features("get", "--entities", str(entities), "--out", str(out), "--at", Lake.connect().head())

    table = pq.read_table(out)
    assert table.column_names == ["id", "event_time", *[feature.name for feature in USE_CASE.features]]
    assert table.num_rows == len(rows)
    assert table.column("carrier").to_pylist() == [row["carrier"] for row in rows]
    assert table.column("carrier__flights_7d").null_count == 0


def test_a_file_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    file = tmp_path / "entities.csv"
    file.write_text("carrier\nUA\n")

    with pytest.raises(FeatureError, match=r"entities.csv' cannot be read as Parquet"):
        mlops_features("get", "--entities", str(file), "--out", str(tmp_path / "out.parquet"))

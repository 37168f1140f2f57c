"""Two weeks of real flights in a lake, with history, a champion and an online store; and the service's answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from mlops_assets.contract.paths import WHOLE, history_path, training_view_path, validated_path
from mlops_assets.contract.source import Cadence
from mlops_assets.features.history import IDENTITY, split_by_batch
from mlops_assets.features.sql import quoted
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.tables import parquet_bytes
from mlops_assets.serving.predictor import Predictor
from mlops_assets.stores.features.online import open_online_store
from mlops_assets.stores.features.online_refresh import refresh_online_store
from mlops_assets.stores.models.champion import champion, promote
from mlops_assets.stores.models.registry import load_version, version_files
from mlops_assets.stores.predictions.prediction_log import prediction_log_of
from mlops_assets.training.scoring import MODEL, VOCABULARY, Scorer
from mlops_assets.use_cases.flights import USE_CASE
from mlops_assets.use_cases.flights.seed import SEED, seed_requests
from mlops_assets_tests.lake.factories import make_write, passing
from mlops_assets_tests.stores.models.factories import TINY, make_record, publish_evaluation
from mlops_assets_tests.use_cases.flights.seed_tables import days_from, seed_tables
from mlops_assets_tests.use_cases.flights.seed_view import quick_model, seed_view

FIRST, LAST = date(2013, 6, 17), date(2013, 6, 30)
SERVED = LAST + timedelta(days=1)
VERSION = "2013-06-30-3fa9c1d2"
NOW = datetime(2013, 7, 1, 4, tzinfo=UTC)


def fill_lake(lake: Lake) -> None:
    """Publishes validated flights from FIRST to LAST, weather to SERVED, history, training view and a champion."""
    files: dict[str, bytes] = {}
    with seed_tables(first=FIRST, last=SERVED) as connection:
        connection.execute(f"CREATE TABLE airlines AS FROM read_csv('{SEED / 'airlines.csv'}')")
        connection.execute("DELETE FROM flights WHERE batch > $last", {"last": LAST.isoformat()})
        for source in USE_CASE.sources:
            daily = source.cadence is Cadence.DAILY
            for batch in [day.isoformat() for day in days_from(FIRST, 15)] if daily else [WHOLE]:
                rows = _rows_of(connection, source.name, batch=batch if daily else None)
                if rows.num_rows:
                    files[validated_path("flights", source=source.name, batch=batch)] = parquet_bytes(rows)
        view = seed_view(connection)
        history = connection.sql(f"FROM history ORDER BY {', '.join(IDENTITY)}").to_arrow_table()
        batches = [day.isoformat() for day in days_from(FIRST, 14)]
        for batch, table in split_by_batch(history, batches=batches).items():
            files[history_path("flights", batch=batch)] = parquet_bytes(table)
    files[training_view_path("flights")] = parquet_bytes(view)
    lake.publish(make_write(asset="training_view"), files=files, audit=passing)
    _publish_champion(lake, view)


def refresh_online(lake: Lake, data: Path) -> None:
    """The online store below ``data``, from the head of the lake."""
    store = open_online_store("flights", data=data, environment={})
    with duckdb.connect() as connection:
        done = refresh_online_store(store, snapshot=lake.at(), use_case=USE_CASE, connection=connection)
    assert done.view.as_of == SERVED
    assert all(audit.passed for audit in done.audits)
    store.close()


def serve(lake: Lake, data: Path, *, rows: int = 200) -> pa.Table:
    """The log's records of what the service answers about the first ``rows`` flights of SERVED."""
    head = lake.at()
    serving = champion(head, use_case="flights")
    assert serving is not None
    model = load_version(head, use_case="flights", version=serving.version)
    log = prediction_log_of("flights", folder=data)
    predictor = Predictor(
        use_case=USE_CASE,
        scorer=Scorer.open(model.files),
        record={"version": serving.version, "threshold": 0.5},
        online=open_online_store("flights", data=data, environment={}),
        log=log,
        clock=lambda: NOW,
    )
    predictor.predict([USE_CASE.request.model_validate(row) for row in asked()[:rows]])
    records = log.read_after(0, limit=10_000)
    predictor.close()
    return records


def asked() -> list[dict[str, Any]]:
    """Requests about every flight of SERVED."""
    return seed_requests(SERVED.isoformat())


def _rows_of(connection: duckdb.DuckDBPyConnection, source: str, *, batch: str | None) -> pa.Table:
    where = "" if batch is None else "WHERE batch = $batch"
    leave = "" if batch is None else "EXCLUDE (batch)"
    relation = connection.sql(
        f"SELECT * {leave} FROM {quoted(source)} {where}", params={} if batch is None else {"batch": batch}
    )
    return relation.to_arrow_table()


def _publish_champion(lake: Lake, view: pa.Table) -> None:
    trained, vocabulary = quick_model(view)
    record = make_record(VERSION, data_commit=lake.head())
    files = version_files(record, files={MODEL: trained.booster, VOCABULARY: vocabulary.to_json().encode()})
    lake.publish(make_write(asset="model"), files=files, audit=passing)
    publish_evaluation(lake, VERSION)
    declared = replace(USE_CASE, gates=TINY.gates)
    promote(lake, use_case=declared, version=VERSION, by="test", why="the first", at=NOW)

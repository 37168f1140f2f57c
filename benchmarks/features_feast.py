"""Feast's part in `benchmarks/features.py`: `get_historical_features` on figures that were rolled up for it beforehand.

    python benchmarks/features_feast.py events.parquet

Runs in an environment of its own with Feast in it. Feast has no windows over the past: the figures of every view,
entity and day are made by DuckDB first, and only Feast's own point-in-time join is timed. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import duckdb
import pandas as pd
from memory import peak_mb

VIEWS = {
    "carrier": "carrier",
    "origin": "origin",
    "dest": "dest",
    "route": "origin || '|' || dest",
    "tailnum": "tailnum",
}
FIGURES = {
    "late_rate": "sum(late) OVER {w} / nullif(sum(landed) OVER {w}, 0)",
    "arr_delay_mean": "sum(arr) OVER {w} / nullif(sum(landed) OVER {w}, 0)",
    "arr_delay_std": "sqrt(greatest(sum(arr2) OVER {w} / nullif(sum(landed) OVER {w}, 0) "
    "- (sum(arr) OVER {w} / nullif(sum(landed) OVER {w}, 0)) ** 2, 0))",
    "dep_delay_mean": "sum(dep) OVER {w} / nullif(sum(landed) OVER {w}, 0)",
    "dep_delay_std": "sqrt(greatest(sum(dep2) OVER {w} / nullif(sum(landed) OVER {w}, 0) "
    "- (sum(dep) OVER {w} / nullif(sum(landed) OVER {w}, 0)) ** 2, 0))",
    "cancelled_rate": "(sum(flights) OVER {w} - sum(landed) OVER {w}) / nullif(sum(flights) OVER {w}, 0)",
    "flights": "sum(flights) OVER {w}",
}


def rolled(events: Path, *, key: str, view: str, into: Path) -> None:
    """One row per entity and day on which it flies: the 14 figures of the view, stamped with that day's midnight."""
    figures = ", ".join(
        f"({sql.format(w=f'w{days}')})::DOUBLE AS {view}__{name}_{days}d"
        for days in (7, 28)
        for name, sql in FIGURES.items()
    )
    windows = ", ".join(
        f"w{days} AS (PARTITION BY {view}_key ORDER BY day RANGE BETWEEN {days} PRECEDING AND 1 PRECEDING)"
        for days in (7, 28)
    )
    epoch = "- DATE '1970-01-01'"
    duckdb.sql(
        f"""COPY (WITH daily AS (
            SELECT {key} AS {view}_key, known_on {epoch} AS day, count(*) AS flights, count(arr_delay) AS landed,
                sum(late) AS late, sum(arr_delay) AS arr, sum(arr_delay * arr_delay) AS arr2, sum(dep_delay) AS dep,
                sum(dep_delay * dep_delay) AS dep2
            FROM '{events}' WHERE {key} IS NOT NULL GROUP BY ALL
            UNION ALL BY NAME SELECT DISTINCT {key} AS {view}_key, event_time::DATE {epoch} AS day FROM '{events}'
            WHERE {key} IS NOT NULL
        ), days AS (SELECT {view}_key, day, sum(COLUMNS(* EXCLUDE ({view}_key, day))) FROM daily GROUP BY ALL)
        SELECT {view}_key, (DATE '1970-01-01' + day::INTEGER)::TIMESTAMP AS event_timestamp, {figures}
        FROM days WINDOW {windows}) TO '{into}'"""
    )


def asked(events: Path) -> pd.DataFrame:
    """The flights with a tail number, each at midnight of its day, as Feast wants them."""
    keys = ", ".join(f"{key} AS {view}_key" for view, key in VIEWS.items())
    return duckdb.sql(
        f"SELECT {keys}, event_time::DATE::TIMESTAMP AS event_timestamp FROM '{events}' "
        "WHERE tailnum IS NOT NULL ORDER BY event_time"
    ).df()


def main() -> None:
    """Make the figures, let Feast join them, and print what its join took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("events", type=Path)
    chosen = parser.parse_args()
    import feast
    from feast import Entity, FeatureStore, FeatureView, FileSource, RepoConfig
    from feast.infra.offline_stores.duckdb import DuckDBOfflineStoreConfig

    with tempfile.TemporaryDirectory() as folder:
        config = RepoConfig(
            project="bench",
            provider="local",
            registry=f"{folder}/registry.db",
            offline_store=DuckDBOfflineStoreConfig(),
            entity_key_serialization_version=3,
        )
        store = FeatureStore(config=config)
        views = []
        for view, key in VIEWS.items():
            path = Path(folder) / f"{view}.parquet"
            rolled(chosen.events, key=key, view=view, into=path)
            entity = Entity(name=f"{view}_entity", join_keys=[f"{view}_key"])
            source = FileSource(path=str(path), timestamp_field="event_timestamp")
            views.append(FeatureView(name=view, entities=[entity], ttl=timedelta(days=1), source=source))
            store.apply([entity, views[-1]])
        rows = asked(chosen.events)
        wanted = [f"{view}:{view}__{name}_{days}d" for view in VIEWS for name in FIGURES for days in (7, 28)]
        begun = time.perf_counter()
        frame = store.get_historical_features(entity_df=rows, features=wanted).to_df()
        seconds = time.perf_counter() - begun
    sums = {name: float(frame[name].sum()) for name in (each.split(":")[1] for each in wanted)}
    told = {
        "seconds": seconds,
        "peak_mb": peak_mb(),
        "rows": len(frame),
        "feast": feast.__version__,
        "sums": sums,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()

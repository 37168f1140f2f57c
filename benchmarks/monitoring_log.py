"""What flights' service would have answered from July to December 2013, clean and with faults: its log, in batch.

The product's own features and scorer, on the road that batch scores and parity checks take (equal to the service's to
the bit). A fault is played from a day on into requests, landed weather, looked-up history or answers, and the rows of
those days are computed and scored anew. Belongs to ``monitoring.py``, which judges these logs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ValidationError

from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.relations import compute_relations
from mlops_assets.features.requests import request_table
from mlops_assets.features.training_view import attach_asof, attach_history, training_view
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.steps.replay_faults import Ages, Fault
from mlops_assets.stores.features.offline import examples_of, open_views, reach_between
from mlops_assets.stores.models.champion import require_champion
from mlops_assets.stores.models.registry import load_version
from mlops_assets.stores.predictions.records import SCHEMA
from mlops_assets.training.scoring import Scorer

EPOCH = date(1970, 1, 1)
DAY_MICROSECONDS = 86_400_000_000
NOTHING = Fault(name="clean", what="Nothing is wrong.", stage="requests")


def days_between(first: date, last: date) -> list[date]:
    """Every day from ``first`` to ``last``, both included."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


@dataclass(frozen=True, kw_only=True)
class World:
    """A lake that holds the whole year and a champion that learnt from its first half."""

    use_case: UseCase
    snapshot: Snapshot
    every_feature: bool = False
    """Whether records tell every feature, as the service's do; else looked-up side data alone, which is what is judged.
    """

    @cached_property
    def version(self) -> str:
        """The champion."""
        return require_champion(self.snapshot, use_case=self.use_case.name).version

    @cached_property
    def _model(self) -> tuple[Scorer, float]:
        model = load_version(self.snapshot, use_case=self.use_case.name, version=self.version)
        return Scorer.open(model.files, threads=2), model.record.threshold

    def log(self, *, first: date, last: date, fault: Fault = NOTHING) -> pa.Table:
        """The records of these days as the lake would hold them (``SCHEMA``), with ``fault`` from ``first`` on."""
        asked = self._asked(first=first, last=last, fault=fault)
        with duckdb.connect() as connection:
            attached = self._looked_up(connection, asked, fault=fault, first=first)
            features = training_view(
                connection,
                attached,
                history=(),
                asof=(),
                features_sql=self.use_case.features_sql,
                features=self.use_case.features,
            )
        scorer, threshold = self._model
        rows = asked.append_column("score", pa.array(scorer.scores(features)))
        if fault.stage == "answers":
            rows = fault.alter(rows, _ages(rows["event_time"], first), _random(fault, first))
        return self._records(rows, attached, features, threshold=threshold, lags=_lags(rows, fault=fault, first=first))

    def outcomes(self, *, first: date, last: date, fault: Fault = NOTHING) -> pa.Table:
        """``id``, ``event_time``, ``label`` and request columns of every flight of these days that arrived."""
        with duckdb.connect() as connection:
            reach = reach_between(self.use_case, first=first, last=last)
            open_views(connection, self.snapshot, use_case=self.use_case, reach=reach)
            rows = examples_of(connection, use_case=self.use_case)
        days = _ages(rows["event_time"], first)
        wanted = pa.array((days >= 0) & (days <= (last - first).days))
        rows = rows.filter(pc.and_(wanted, pc.is_valid(rows["label"])))
        if fault.stage == "outcomes":
            rows = fault.alter(rows, _ages(rows["event_time"], first), _random(fault, first))
        return rows

    def _asked(self, *, first: date, last: date, fault: Fault) -> pa.Table:
        """Checked requests as rows; ``_inputs`` is what was sent of each, as JSON."""
        parts = list(self._sent(first=first, last=last, fault=fault))
        checked = [each for part in parts for row in part.to_pylist() if (each := self._checked(row)) is not None]
        rows = request_table(checked, model=self.use_case.request)
        return rows.append_column("_inputs", pa.array([each.model_dump_json() for each in checked], pa.string()))

    def _checked(self, row: dict[str, Any]) -> BaseModel | None:
        """None for what the service refuses: nothing is logged of it."""
        try:
            return self.use_case.request(**row)
        except ValidationError:
            return None

    def _sent(self, *, first: date, last: date, fault: Fault) -> Iterator[pa.Table]:
        for age, day in enumerate(days_between(first, last)):
            rows = pa.Table.from_pylist([dict(row) for row in self.use_case.seed.requests(day.isoformat())])
            if fault.stage == "requests":
                rows = fault.alter(rows, np.full(rows.num_rows, age, dtype=np.int64), _random(fault, day))
            yield rows

    def _looked_up(
        self, connection: duckdb.DuckDBPyConnection, asked: pa.Table, *, fault: Fault, first: date
    ) -> pa.Table:
        """``asked`` with history, as old as the fault makes it, and side data."""
        moments = pc.cast(asked["event_time"], pa.int64()).to_numpy()
        known = moments - _lags(asked, fault=fault, first=first) * DAY_MICROSECONDS
        ends = (EPOCH + timedelta(days=int(end // DAY_MICROSECONDS)) for end in (known.min(), moments.max()))
        reach = reach_between(self.use_case, first=next(ends), last=next(ends))
        open_views(connection, self.snapshot, use_case=self.use_case, reach=reach)
        compute_relations(connection, self.use_case.relations)
        if fault.stage == "source":
            _alter_source(connection, fault, first=first)
        then = asked.set_column(
            asked.column_names.index("event_time"), "event_time", pa.array(known).cast(pa.timestamp("us"))
        )
        columns = attach_history(connection, then, views=self.use_case.history)
        for view in self.use_case.asof:
            columns |= attach_asof(connection, asked, view=view)
        for name, values in columns.items():
            asked = asked.append_column(name, values)
        return asked

    def _records(
        self, rows: pa.Table, attached: pa.Table, features: pa.Table, *, threshold: float, lags: Ages
    ) -> pa.Table:
        number = rows.num_rows
        days = pc.cast(rows["event_time"], pa.int64()).to_numpy() // DAY_MICROSECONDS
        as_of = pa.array((days - lags).astype("int32"), pa.int32()).cast(pa.date32())
        commits = pa.array([self.snapshot.commit] * number, pa.string())
        columns = {
            "seq": pa.array(np.arange(1, number + 1)),
            "prediction_id": pc.cast(pa.array(np.arange(1, number + 1)), pa.string()),
            "example_id": rows["id"],
            "answered_at": pc.cast(rows["event_time"], pa.timestamp("us", tz="UTC")),
            "event_time": rows["event_time"],
            "model_version": pa.array([self.version] * number, pa.string()),
            "score": rows["score"],
            "predicted_positive": pc.greater_equal(rows["score"], threshold),
            "predicted": pa.nulls(number, pa.string()),
            "history_as_of": pc.strftime(as_of, "%Y-%m-%d"),
            "history_commit": commits,
            "inputs": rows["_inputs"],
            "features": _json(features.select(self._told(features.column_names))),
            "flags": self._flags(attached, features, lags=lags),
        }
        return pa.table({name: columns[name] for name in SCHEMA.names}).cast(SCHEMA)

    def _told(self, names: list[str]) -> list[str]:
        views = tuple(view.column("") for view in self.use_case.asof)
        beside = ("id", "event_time")
        return [name for name in names if name not in beside and (self.every_feature or name.startswith(views))]

    def _flags(self, attached: pa.Table, features: pa.Table, *, lags: Ages) -> pa.Array:
        """What the service would flag, as JSON lists."""
        told: list[list[str]] = [[] for _ in range(attached.num_rows)]
        matrix = self._model[0].vocabulary.encode(features, features=self._model[0].features)
        for place, name in enumerate(matrix.names):
            if name in features.column_names and pa.types.is_string(features[name].type):
                texts = features[name]
                unseen = np.isnan(matrix.values[:, place]) & pc.is_valid(texts).to_numpy()
                for row in np.flatnonzero(unseen).tolist():
                    told[row].append(f"unknown {name} '{texts[row].as_py()}'")
        for view in self.use_case.history:
            names = [name for name in attached.column_names if name.startswith(f"{view.name}__")]
            empty = np.all([pc.is_null(attached[name]).to_numpy() for name in names], axis=0)
            for row in np.flatnonzero(empty).tolist():
                entity = ", ".join(str(attached[key][row].as_py()) for key in view.keys)
                told[row].append(f"no history of {' and '.join(view.keys)} '{entity}'")
        for row in np.flatnonzero(lags).tolist():
            told[row].append(f"history is as of an earlier day, {lags[row]} days before the event's day")
        with duckdb.connect() as connection:
            connection.register(
                "told", pa.table({"row": range(len(told)), "flags": pa.array(told, pa.list_(pa.string()))})
            )
            return connection.sql("SELECT to_json(flags)::VARCHAR AS flags FROM told ORDER BY row").to_arrow_table()[
                "flags"
            ]


def _json(rows: pa.Table) -> pa.ChunkedArray:
    """Each row as a JSON object."""
    with duckdb.connect() as connection:
        connection.register("numbered", rows.append_column("_row", pa.array(range(rows.num_rows))))
        return connection.sql(
            "SELECT to_json(part)::VARCHAR AS told FROM "
            "(SELECT part FROM (SELECT * EXCLUDE _row FROM numbered ORDER BY _row) AS part)"
        ).to_arrow_table()["told"]


def _alter_source(connection: duckdb.DuckDBPyConnection, fault: Fault, *, first: date) -> None:
    """Replaces a source by what would have landed of it."""
    rows = connection.table(fault.source).to_arrow_table()
    ages = np.array([(date.fromisoformat(batch) - first).days for batch in rows["batch"].to_pylist()], dtype=np.int64)
    before, after = rows.filter(pa.array(ages < 0)), rows.filter(pa.array(ages >= 0))
    altered = fault.alter(after, ages[ages >= 0], _random(fault, first))
    connection.execute(f'DROP VIEW "{fault.source}"')
    connection.register(fault.source, pa.concat_tables([before, altered], promote_options="permissive"))


def _lags(rows: pa.Table, *, fault: Fault, first: date) -> Ages:
    """How many days too old the history of each row is."""
    ages = np.maximum(_ages(rows["event_time"], first), 0)
    return np.array([fault.lag(age) for age in range(int(ages.max(initial=0)) + 1)], dtype=np.int64)[ages]


def _ages(moments: pa.ChunkedArray, first: date) -> Ages:
    days = pc.cast(pc.cast(moments, pa.timestamp("us")), pa.int64()).to_numpy() // DAY_MICROSECONDS
    return np.asarray(days - (first - EPOCH).days, dtype=np.int64)


def _random(fault: Fault, day: date) -> np.random.Generator:
    return np.random.default_rng([day.toordinal(), *fault.name.encode()])

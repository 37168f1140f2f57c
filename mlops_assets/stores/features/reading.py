"""Features of any rows as they were known at each row's own moment, read from one lake commit.

The same join and the same SQL as training, for whoever has entities and times of their own: a notebook, a back-test, a
batch of questions. The road is in ``offline.py``.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.contract.errors import FeatureError
from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.lineage import columns_needed
from mlops_assets.features.requests import request_schema, request_table
from mlops_assets.lake.batches import EVERY_BATCH
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.stores.features.offline import Reach, compute_features, reach_between

MOMENT = pa.timestamp("us")


def point_in_time_features(
    entities: pa.Table,
    *,
    use_case: UseCase,
    snapshot: Snapshot,
    connection: duckdb.DuckDBPyConnection,
    as_of: date | None = None,
) -> pa.Table:
    """``id``, ``event_time`` and every feature of ``entities``, one row each, in order.

    ``entities`` hold ``event_time`` (a moment without a zone, never missing; where use cases have no time axis there is
    none, neither here nor in what is answered) and the columns that features read; or they
    are requests as the service takes them. Other columns are not looked at; rows without an ``id`` are numbered.
    History counts what was known before the day of ``event_time``, or before ``as_of`` when that is given. Nothing
    later than ``snapshot`` is known. Raises FeatureError naming the columns that are missing or cannot be converted.
    """
    examples = _examples(entities, use_case=use_case)
    reach = _reach(examples, use_case=use_case, as_of=as_of)
    return compute_features(connection, snapshot, use_case=use_case, reach=reach, rows=examples, as_of=as_of).table


def _examples(entities: pa.Table, *, use_case: UseCase) -> pa.Table:
    """The rows with exactly the columns and types that the service would have made of a request."""
    needed = (*(["event_time"] if _has_moments(use_case) else []), *columns_needed(use_case))
    model = use_case.request
    asked = {name for name, field in model.model_fields.items() if field.is_required()}
    if not set(needed) <= set(entities.column_names) and asked <= set(entities.column_names):
        rows = entities.select([name for name in entities.column_names if name in model.model_fields]).to_pylist()
        entities = request_table([model.model_validate(row) for row in rows], model=model)
    missing = sorted(set(needed) - set(entities.column_names))
    if missing:
        raise FeatureError(
            f"The rows lack {', '.join(missing)}. Features of {use_case.name} need {', '.join(sorted(needed))}; "
            f"or give requests as the service takes them: {', '.join(sorted(asked))}."
        )
    ids = entities.column("id") if "id" in entities.column_names else pa.chunked_array([range(entities.num_rows)])
    schema = request_schema(model)
    kinds = dict(zip(schema.names, schema.types, strict=True))
    columns = {"id": pc.cast(ids, pa.string())}
    for name in needed:
        kind = MOMENT if name == "event_time" else kinds.get(name, entities.column(name).type)
        columns[name] = _converted(entities.column(name), name=name, to=kind)
    if "event_time" in columns and columns["event_time"].null_count:
        raise FeatureError(f"{columns['event_time'].null_count} rows have no event_time: features are of a moment.")
    return pa.table(columns)


def _has_moments(use_case: UseCase) -> bool:
    """Whether features may depend on when they are asked for."""
    return use_case.batches.has_event_times or bool(use_case.history or use_case.asof)


def _converted(column: pa.ChunkedArray, *, name: str, to: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_timestamp(column.type) and column.type.tz:
        raise FeatureError(f"Column '{name}' has the time zone {column.type.tz}: give wall time without a zone.")
    try:
        return pc.cast(column, to)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise FeatureError(f"Column '{name}' is {column.type} and cannot be read as {to}: {error}") from error


def _reach(examples: pa.Table, *, use_case: UseCase, as_of: date | None) -> Reach:
    """Which batches of history and, where side data is joined, of sources can matter to these rows."""
    reach = Reach(history=EVERY_BATCH, sources=EVERY_BATCH)
    if use_case.batches.has_event_times and examples.num_rows:
        moments = pc.min_max(examples.column("event_time"))
        first, last = moments["min"].as_py().date(), moments["max"].as_py().date()
        reach = reach_between(use_case, first=first, last=last)
        if as_of is not None:
            if not any(view.by_minute for view in use_case.history):
                first, last = as_of, as_of
            wanted = reach_between(use_case, first=min(first, as_of), last=max(last, as_of))
            reach = replace(reach, history=wanted.history)
    return reach if use_case.asof else replace(reach, sources=None)

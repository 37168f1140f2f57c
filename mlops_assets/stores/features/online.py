"""The online store: what is known of every entity, for one look-up per batch of requests.

Here belong packing an ``OnlineView`` into keys and values, and answering a look-up from them. Where the values lie is a
``Backend`` (``online_backend.py``): SQLite unless a URL names a Redis. A refresh replaces everything at once; a reader
sees one generation or the next, never a mixture, and each knows its lake commit and its day.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.contract.errors import ServingError
from mlops_assets.features.online_view import OnlineView
from mlops_assets.features.relations import entity_column
from mlops_assets.features.roll_up import EPOCH
from mlops_assets.stores.backends import ONLINE_STORES
from mlops_assets.stores.features.online_backend import Asked, Backend, Generation, Layout, MakesBackend, Value
from mlops_assets.stores.features.online_sqlite import SqliteBackend

_DAY = 86_400_000_000  # microseconds


@dataclass(frozen=True, kw_only=True)
class LookUp:
    """``examples`` are the requests with history and as-of columns, all from the one generation named here.

    ``age_days`` is how far the oldest value's day lies behind the latest request: 0 when the store is up to
    date.
    """

    examples: pa.Table
    commit: str
    as_of: date
    age_days: int


class OnlineStore:
    """Values for serving. Look-ups more than ``max_age_days`` (if given) after its day are refused."""

    def __init__(self, backend: Backend, *, max_age_days: int | None = None) -> None:
        self.backend = backend
        self._max_age_days = max_age_days
        self._known: Generation | None = None

    @property
    def current(self) -> Generation | None:
        """The generation in use, ``None`` before the first refresh."""
        return self.backend.current()

    def refresh(self, view: OnlineView, *, commit: str) -> bool:
        """Replace everything by ``view``, read from lake ``commit``. False if that is in use already."""
        current = self.backend.current()
        layout = _layout(view)
        if current and (current.commit, current.as_of, current.layout) == (commit, view.as_of, layout):
            return False
        self.backend.replace(_packed(view), commit=commit, as_of=view.as_of, layout=layout)
        return True

    def go_back(self) -> Generation:
        """Put the generation before the current one in use again."""
        current = self._in_use()
        older = [kept for kept in self.backend.generations() if kept.number < current.number]
        if not older:
            raise ServingError(f"The online store keeps no generation before that of commit {current.commit}.")
        self.backend.use(older[0].number)
        return older[0]

    def look_up(self, requests: pa.Table) -> LookUp:
        """All values for all ``requests`` (``event_time`` and the key columns), in one round trip."""
        generation = self._known or self._in_use()
        moments = _moments(requests)
        while True:
            asked = _asked(requests, generation.layout, moments)
            number, found = self.backend.fetch([one for view in asked for one in view if one])
            if number == generation.number:
                break
            generation = self._in_use()
        self._known = generation
        age = self._age(moments, generation)
        values = iter(found)
        aligned = [[next(values) if one else None for one in view] for view in asked]
        examples = _unpacked(requests, generation.layout, aligned, moments)
        return LookUp(examples=examples, commit=generation.commit, as_of=generation.as_of, age_days=age)

    def close(self) -> None:
        """Let go of files and connections."""
        self.backend.close()

    def _in_use(self) -> Generation:
        current = self.backend.current()
        if current is None:
            raise ServingError("The online store is empty: refresh it from the lake first.")
        return current

    def _age(self, moments: Sequence[int], generation: Generation) -> int:
        if not moments:
            return 0
        age = max(moments) // _DAY - (generation.as_of - EPOCH).days
        if self._max_age_days is not None and age > self._max_age_days:
            raise ServingError(
                f"The online store is as of {generation.as_of}, {age} days before the latest request; "
                f"at most {self._max_age_days} are allowed. Refresh it from a newer history."
            )
        return age


def open_online_store(
    use_case: str, *, data: Path, environment: Mapping[str, str] = os.environ, max_age_days: int | None = None
) -> OnlineStore:
    """The store of a use case: the backend of ``MLOPS_ONLINE_STORE_URL`` by its scheme, else a file below ``data``."""
    url = environment.get("MLOPS_ONLINE_STORE_URL", "")
    if not url:
        return OnlineStore(SqliteBackend(data / "online" / f"{use_case}.sqlite"), max_age_days=max_age_days)
    make: MakesBackend = ONLINE_STORES.load(url)
    return OnlineStore(make(url, use_case=use_case), max_age_days=max_age_days)


def _layout(view: OnlineView) -> Layout:
    history = [{"name": part.name, "keys": list(part.keys), "columns": list(part.columns)} for part in view.history]
    side = [
        {
            "name": part.name,
            "keys": list(part.keys),
            "columns": part.values.column_names,
            "types": [str(kind) for kind in part.values.schema.types],
            "timed": part.observed is not None,
            "delay": part.delay,
            "max_age": part.max_age,
        }
        for part in view.side
    ]
    return {"history": history, "side": side}


def _key(view: str, entity: str) -> str:
    return f"{view}\x1f{entity}"


def _packed(view: OnlineView) -> Iterator[Value]:
    """History rows as float64 bytes, side data as a JSON list: when it was observed, then its columns."""
    for part in view.history:
        for entity, row in zip(part.entities, part.values, strict=True):
            yield _key(part.name, entity), 0, row.tobytes()
    for side in view.side:
        columns = [column.to_pylist() for column in side.values.columns]
        moments = side.observed or [0] * len(side.entities)
        for entity, moment, *row in zip(side.entities, moments, *columns, strict=True):
            yield _key(side.name, entity), moment, json.dumps([moment, *row]).encode()


def _moments(requests: pa.Table) -> list[int]:
    """When each request is, in microseconds since 1970-01-01."""
    moments: list[int] = pc.cast(pc.cast(requests.column("event_time"), pa.timestamp("us")), pa.int64()).to_pylist()
    return moments


def _asked(requests: pa.Table, layout: Layout, moments: Sequence[int]) -> list[list[Asked | None]]:
    """Per view: what to ask for every request, ``None`` where it has no entity."""
    asked: list[list[Asked | None]] = []
    for view in (*layout["history"], *layout["side"]):
        entities = entity_column(requests, view["keys"]).to_pylist()
        latest = [moment - view["delay"] for moment in moments] if view.get("timed") else [0] * len(moments)
        asked.append(
            [entity and (_key(view["name"], entity), until) for entity, until in zip(entities, latest, strict=True)]
        )
    return asked


def _unpacked(requests: pa.Table, layout: Layout, found: list[list[bytes | None]], moments: Sequence[int]) -> pa.Table:
    columns = {name: requests.column(name) for name in requests.column_names}
    split = len(layout["history"])
    for view, values in zip(layout["history"], found[:split], strict=True):
        columns |= _history_columns(view, values)
    for view, values in zip(layout["side"], found[split:], strict=True):
        columns |= _side_columns(view, values, moments)
    return pa.table(columns)


def _history_columns(view: Mapping[str, Any], found: list[bytes | None]) -> dict[str, pa.Array]:
    rows, width = len(found), len(view["columns"])
    values = np.full((width, rows), np.nan)
    for position, packed in enumerate(found):
        if packed is not None:
            values[:, position] = np.frombuffer(packed)
    flat = pa.array(values.ravel(), from_pandas=True)  # one array cut into columns: far cheaper than one per column
    return {name: flat.slice(column * rows, rows) for column, name in enumerate(view["columns"])}


def _side_columns(view: Mapping[str, Any], found: list[bytes | None], moments: Sequence[int]) -> dict[str, pa.Array]:
    nothing = [None] * len(view["columns"])
    rows = [_usable(view, packed, moment) or nothing for packed, moment in zip(found, moments, strict=True)]
    return {
        name: pa.array([row[column] for row in rows], pa.type_for_alias(kind))
        for column, (name, kind) in enumerate(zip(view["columns"], view["types"], strict=True))
    }


def _usable(view: Mapping[str, Any], packed: bytes | None, moment: int) -> list[Any] | None:
    """The columns of a row of side data, unless it is more than ``max_age`` older than ``moment``."""
    if packed is None:
        return None
    observed, *row = json.loads(packed)
    too_old = view["timed"] and view["max_age"] is not None and observed < moment - view["max_age"]
    return None if too_old else row

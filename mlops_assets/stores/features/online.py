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
from functools import lru_cache
from pathlib import Path
from struct import Struct
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops_assets.contract.errors import ServingError
from mlops_assets.features.online_view import OnlineHistory, OnlineView
from mlops_assets.features.relations import entity_column
from mlops_assets.features.roll_up import EPOCH
from mlops_assets.stores.backends import ONLINE_STORES
from mlops_assets.stores.features.online_backend import Asked, Backend, Generation, Layout, MakesBackend, Value
from mlops_assets.stores.features.online_sqlite import SqliteBackend

REMEMBERED = 200_000
"""Entities whose values a process keeps in memory: at the 22 figures of a view about 63 MB."""
_ALWAYS = 0  # until when a value without a moment of its own may have been observed
_DAY = 86_400_000_000  # microseconds
_MOMENT = Struct("<q")


@dataclass(frozen=True, kw_only=True)
class LookUp:
    """What the one generation named here knows of every request, in the order of the requests.

    ``history`` holds per view, over days and over hours apart, its columns and their values (float64, shape (requests,
    columns), NaN = unknown), and ``side`` the columns of side data by name. ``age_days`` is how far the oldest value's
    day lies behind the latest request: 0 when the store is up to date.
    """

    requests: pa.Table
    history: tuple[tuple[tuple[str, ...], NDArray[np.float64]], ...]
    side: Mapping[str, pa.Array]
    generation: Generation
    age_days: int

    @property
    def commit(self) -> str:
        """The lake's commit that the values were made from."""
        return self.generation.commit

    @property
    def as_of(self) -> date:
        """The day before which the history was known."""
        return self.generation.as_of

    @property
    def examples(self) -> pa.Table:
        """The requests with history and as-of columns beside them."""
        columns = dict(zip(self.requests.column_names, self.requests.columns, strict=True))
        for names, values in self.history:
            flat = pa.array(
                values.T.ravel(), from_pandas=True
            )  # one array cut into columns: cheaper than one per column
            columns |= {name: flat.slice(place * len(values), len(values)) for place, name in enumerate(names)}
        return pa.table(columns | dict(self.side))


class OnlineStore:
    """Values for serving. Look-ups more than ``max_age_days`` (if given) after its day are refused.

    What has no moment of its own (history over days, static side data) is kept in memory once it was looked up, for up
    to ``remembered`` entities and as long as its generation is in use.
    """

    def __init__(self, backend: Backend, *, max_age_days: int | None = None, remembered: int = REMEMBERED) -> None:
        self.backend = backend
        self._max_age_days = max_age_days
        self._remembered = remembered
        self._memory: tuple[Generation, dict[str, bytes | None]] | None = None

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
        current = self.in_use()
        older = [kept for kept in self.backend.generations() if kept.number < current.number]
        if not older:
            raise ServingError(f"The online store keeps no generation before that of commit {current.commit}.")
        self.backend.use(older[0].number)
        return older[0]

    def look_up(self, requests: pa.Table) -> LookUp:
        """All values for all ``requests`` (``event_time`` and the key columns), in one round trip."""
        moments = _moments(requests)
        while True:
            generation, memory = self._memory or (self.in_use(), {})
            if len(memory) > self._remembered:
                memory = {}
            keys = _keys(requests, generation.layout)
            asked = list(dict.fromkeys(_asked(keys, generation.layout, moments, memory=memory)))
            number, values = self.backend.fetch(asked)
            if number == generation.number:
                break
            self._memory = None  # refreshed, or gone back, since
        fetched = dict(zip(asked, values, strict=True))
        memory.update((key, value) for (key, until), value in fetched.items() if until == _ALWAYS)
        self._memory = (generation, memory)
        return LookUp(
            requests=requests,
            history=tuple(_history(generation.layout, keys, moments, values=memory, timed=fetched)),
            side=_side(generation.layout, keys, moments, values=memory, timed=fetched),
            generation=generation,
            age_days=self._age(moments, generation),
        )

    def close(self) -> None:
        """Let go of files and connections."""
        self.backend.close()

    def in_use(self) -> Generation:
        """The generation in use; a ServingError before the first refresh."""
        current = self.backend.current()
        if current is None:
            raise ServingError("The online store is empty: refresh it from the lake first.")
        return current

    def last_looked_up(self) -> Generation:
        """The generation that the last look-up used, without asking the backend again; at first the one in use."""
        return self._memory[0] if self._memory else self.in_use()

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
    history = [
        {"name": part.name, "keys": list(part.keys), "columns": list(part.columns), **_timed(part)}
        for part in view.history
    ]
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


def _timed(part: OnlineHistory) -> dict[str, Any]:
    """What the layout says of history that has a moment of its own."""
    return {} if part.observed is None else {"timed": True, "delay": 0}


def _key(view: str, entity: str) -> str:
    return f"{view}\x1f{entity}"


def _packed(view: OnlineView) -> Iterator[Value]:
    """History rows as float64 bytes, side data as a JSON list; with a moment, that stands before the columns.

    So no two values of an entity are the same, which Redis would keep once.
    """
    for part in view.history:
        before = [b""] * len(part.entities) if part.observed is None else map(_MOMENT.pack, part.observed)
        moments = part.observed or [0] * len(part.entities)
        for entity, moment, head, row in zip(part.entities, moments, before, part.values, strict=True):
            yield _key(part.name, entity), moment, head + row.tobytes()
    for side in view.side:
        columns = [column.to_pylist() for column in side.values.columns]
        moments = side.observed or [0] * len(side.entities)
        for entity, moment, *row in zip(side.entities, moments, *columns, strict=True):
            yield _key(side.name, entity), moment, json.dumps([moment, *row]).encode()


def _moments(requests: pa.Table) -> list[int]:
    """When each request is, in microseconds since 1970-01-01."""
    moments: list[int] = pc.cast(pc.cast(requests.column("event_time"), pa.timestamp("us")), pa.int64()).to_pylist()
    return moments


def _keys(requests: pa.Table, layout: Layout) -> dict[str, list[str | None]]:
    """Per view, the key of every request; ``None`` where it has no entity."""
    keys: dict[str, list[str | None]] = {}
    for view in (*layout["history"], *layout["side"]):
        entities = entity_column(requests, view["keys"]).to_pylist()
        keys[view["name"]] = [None if entity is None else _key(view["name"], entity) for entity in entities]
    return keys


def _asked(
    keys: Mapping[str, Sequence[str | None]],
    layout: Layout,
    moments: Sequence[int],
    *,
    memory: Mapping[str, bytes | None],
) -> Iterator[Asked]:
    """What has to be fetched: what has a moment of its own, and what is not in ``memory``."""
    for view in (*layout["history"], *layout["side"]):
        of_view = keys[view["name"]]
        if view.get("timed"):
            latest = ((key, moment - view["delay"]) for key, moment in zip(of_view, moments, strict=True))
            yield from ((key, until) for key, until in latest if key)
        else:
            yield from ((key, _ALWAYS) for key in of_view if key and key not in memory)


def _history(
    layout: Layout,
    keys: Mapping[str, Sequence[str | None]],
    moments: Sequence[int],
    *,
    values: Mapping[str, bytes | None],
    timed: Mapping[Asked, bytes | None],
) -> Iterator[tuple[tuple[str, ...], NDArray[np.float64]]]:
    for view in layout["history"]:
        names, of_view = tuple(view["columns"]), keys[view["name"]]
        unknown = np.full(len(names), np.nan).tobytes()
        if view.get("timed"):
            found = [timed.get((key or "", moment)) for key, moment in zip(of_view, moments, strict=True)]
            packed = b"".join(each[_MOMENT.size :] if each else unknown for each in found)
        else:
            packed = b"".join(values.get(key or "") or unknown for key in of_view)
        yield names, np.frombuffer(packed, dtype=np.float64).reshape(len(of_view), len(names))


def _side(
    layout: Layout,
    keys: Mapping[str, Sequence[str | None]],
    moments: Sequence[int],
    *,
    values: Mapping[str, bytes | None],
    timed: Mapping[Asked, bytes | None],
) -> dict[str, pa.Array]:
    columns: dict[str, pa.Array] = {}
    for view in layout["side"]:
        of_view = zip(keys[view["name"]], moments, strict=True)
        if view["timed"]:
            packed = [timed.get((key or "", moment - view["delay"])) for key, moment in of_view]
        else:
            packed = [values.get(key or "") for key, _ in of_view]
        columns |= _side_columns(view, packed, moments)
    return columns


def _side_columns(view: Mapping[str, Any], found: list[bytes | None], moments: Sequence[int]) -> dict[str, pa.Array]:
    nothing = [None] * len(view["columns"])
    rows = [_usable(view, packed, moment) or nothing for packed, moment in zip(found, moments, strict=True)]
    return {
        name: pa.array([row[column] for row in rows], pa.type_for_alias(kind))
        for column, (name, kind) in enumerate(zip(view["columns"], view["types"], strict=True))
    }


@lru_cache(maxsize=65_536)
def _unpacked(packed: bytes) -> tuple[Any, ...]:
    """A row of side data; few of them are looked up again and again."""
    return tuple(json.loads(packed))


def _usable(view: Mapping[str, Any], packed: bytes | None, moment: int) -> list[Any] | None:
    """The columns of a row of side data, unless it is more than ``max_age`` older than ``moment``."""
    if packed is None:
        return None
    observed, *row = _unpacked(packed)
    too_old = view["timed"] and view["max_age"] is not None and observed < moment - view["max_age"]
    return None if too_old else row

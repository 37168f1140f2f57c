"""What is remembered of answers, as it travels: columns from the service, one blob in a log, rows in the lake.

Belongs here: the schemas, a group of records and its bytes, and the table that a group becomes in the lake. Where
groups are kept is a ``PredictionLog``'s (``prediction_log.py``).

The bytes of a group are Arrow's own record batch message in one Zstandard frame. Compressing the buffers inside the
message instead makes a single record larger than leaving them alone: each of the 30 would carry a frame of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_ANSWER = [
    ("prediction_id", pa.string()),
    ("example_id", pa.string()),
    ("answered_at", pa.timestamp("us", tz="UTC")),
    ("event_time", pa.timestamp("us")),
    ("model_version", pa.string()),
    ("score", pa.float64()),
    ("predicted_positive", pa.bool_()),
    ("predicted", pa.string()),
    ("history_as_of", pa.string()),
    ("history_commit", pa.string()),
    ("inputs", pa.string()),
]
RECORDS = pa.schema(
    [
        *_ANSWER,
        ("numbers", pa.list_(pa.float64())),
        ("texts", pa.list_(pa.string())),
        ("flags", pa.list_(pa.string())),
    ]
)
"""Records as they are answered and logged, one row for each.

``example_id`` is the use case's own name of what was asked about, under which its outcome will be known. ``event_time``
is the use case's wall clock without a zone. ``predicted_positive`` is of two outcomes, ``predicted`` the class of
several; both are null for a number. ``history_as_of`` and ``history_commit`` tell which history was looked up; null
without one. ``inputs`` is a JSON object. ``numbers`` and ``texts`` are the features in the order of a ``Layout``: NaN
and null are missing. ``flags`` say what was unusual, such as an unknown entity.
"""
SCHEMA = pa.schema([("seq", pa.int64()), *_ANSWER, ("features", pa.string()), ("flags", pa.string())])
"""Records as the lake has them: with their number in the log; ``features`` (by name) and ``flags`` are JSON too."""
OUTCOMES = pa.schema(
    [
        ("seq", pa.int64()),
        ("prediction_id", pa.string()),
        ("example_id", pa.string()),
        ("label", pa.float64()),
        ("label_class", pa.string()),
        ("known_at", pa.timestamp("us", tz="UTC")),
        ("recorded_at", pa.timestamp("us", tz="UTC")),
    ]
)
"""Outcomes as the lake has them. ``label`` is a number, 0 or 1 of two outcomes; ``label_class`` is one of several."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CODEC = pa.Codec("zstd", compression_level=1)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The names of the features in ``numbers`` and in ``texts``."""

    numbers: tuple[str, ...]
    texts: tuple[str, ...]

    @property
    def id(self) -> str:
        """Its identity by content."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """As a log keeps it."""
        return json.dumps({"numbers": self.numbers, "texts": self.texts})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Back from ``to_json``."""
        kept = json.loads(text)
        return cls(numbers=tuple(kept["numbers"]), texts=tuple(kept["texts"]))


@dataclass(frozen=True, kw_only=True)
class Repeated:
    """What was answered under a key: the ``answer`` as it was sent, to the request of that ``fingerprint``."""

    fingerprint: bytes
    answer: bytes


@dataclass(frozen=True, kw_only=True)
class Repeatable(Repeated):
    """A request that may be repeated under its ``key``: rows ``first`` to ``first + rows`` (excluded) of its group."""

    key: str
    first: int
    rows: int


@dataclass(frozen=True, kw_only=True)
class RecordGroup:
    """Records (``RECORDS``) that were answered together by one version."""

    rows: pa.RecordBatch
    layout: Layout
    repeatable: tuple[Repeatable, ...] = ()

    def without(self, refused: Sequence[Repeatable]) -> pa.RecordBatch:
        """Its rows but for those of these of its requests."""
        if not refused:
            return self.rows
        kept = np.ones(self.rows.num_rows, dtype=bool)
        for request in refused:
            kept[request.first : request.first + request.rows] = False
        return self.rows.filter(pa.array(kept))


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What turned out to be true of one prediction, named by its id or by the example that it was asked about.

    ``label`` is a number (0 or 1 of two outcomes) or the name of a class. ``known_at`` has a zone.
    """

    label: float | str
    known_at: datetime
    prediction_id: str | None = None
    example_id: str | None = None

    def __post_init__(self) -> None:
        if (self.prediction_id is None) == (self.example_id is None):
            raise ValueError("An outcome names either a prediction or an example.")
        if self.known_at.tzinfo is None:
            raise ValueError("An outcome is known at a moment with a zone.")


def encode(rows: pa.RecordBatch) -> bytes:
    """The bytes of records for a log."""
    packed: bytes = _CODEC.compress(rows.serialize(), asbytes=True)
    return packed


def decode(packed: bytes) -> pa.RecordBatch:
    """Records back from their bytes."""
    with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
        return pa.ipc.read_record_batch(pa.py_buffer(stream.read()), RECORDS)


def lake_rows(rows: pa.RecordBatch, *, layout: Layout, first: int) -> pa.Table:
    """Records as the lake has them (``SCHEMA``), numbered from ``first`` on."""
    answer = {name: rows[name] for name, _ in _ANSWER}
    texts = {"features": _features(rows, layout=layout), "flags": map(json.dumps, rows["flags"].to_pylist())}
    written = {name: pa.array(list(values), pa.string()) for name, values in texts.items()}
    numbers = pa.array(np.arange(first, first + rows.num_rows))
    return pa.table({"seq": numbers, **answer, **written}, schema=SCHEMA)


def read_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the lake's table as a plain mapping, ``inputs``, ``features`` and ``flags`` decoded."""
    return {**row, **{name: json.loads(row[name]) for name in ("inputs", "features", "flags")}}


def micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _features(rows: pa.RecordBatch, *, layout: Layout) -> Iterable[str]:
    """The features by name as JSON, which has no word for NaN."""
    names = (*layout.numbers, *layout.texts)
    for numbers, texts in zip(_finite(rows["numbers"]).to_pylist(), rows["texts"].to_pylist(), strict=True):
        yield json.dumps(dict(zip(names, (*numbers, *texts), strict=True)), allow_nan=False)


def _finite(lists: pa.ListArray) -> pa.ListArray:
    values = lists.flatten()
    offsets = pa.array(np.concatenate([[0], np.cumsum(lists.value_lengths())]), pa.int32())
    return pa.ListArray.from_arrays(offsets, pc.if_else(pc.is_finite(values), values, None))

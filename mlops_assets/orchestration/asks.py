"""What the sensor has asked for: each batch and content once, under a run key that was never used before.

A run goes over one batch or over many that are asked for at once, which then share its key.

Dagster starts no second run under a key that some run has had, not even if that run failed. So a key is what names the
content, with a number behind it if Dagster has ended a run under it already: it is the same for as long as the same is
asked for, also by a sensor that has lost its memory, and another one when a content comes back.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import dagster as dg
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, RUN_KEY_TAG, SENSOR_NAME_TAG, WILL_RETRY_TAG
from pydantic import BaseModel

from mlops_assets.stores.landing.arrivals import Arrival
from mlops_assets.stores.landing.landing import Seen

UNTIL_STARTED_AGAIN = timedelta(minutes=5)
"""Dagster says of a failed run that it will be started again, and may be ended before it does."""


class Memory(BaseModel):
    """What the sensor has seen and asked for, in a file: a cursor would be stored again with each of 8,640 ticks a day.

    ``seen`` are the landed files, ``asked`` digest and run key by batch, ``unfinished`` what the lake held half-way at
    ``commit``. Losing it costs one more reading of the files that have landed, and of what was refused one more run.
    """

    seen: dict[str, Seen] = {}
    asked: dict[str, tuple[str, str]] = {}
    commit: str = ""
    unfinished: dict[str, tuple[str, ...]] = {}

    @classmethod
    def read(cls, path: Path) -> Self:
        """What was remembered; nothing if there is no readable file."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValueError):
            return cls()

    def write(self, path: Path) -> None:
        """Replaces the file as a whole."""
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".tmp")
        unfinished.write_text(self.model_dump_json(), encoding="utf-8")
        unfinished.replace(path)

    def has_asked(self, arrival: Arrival) -> bool:
        """Whether a run was asked for already for this very content."""
        return self.asked.get(arrival.batch, ("", ""))[0] == arrival.digest


class Asks:
    """What one tick of the sensor ``name`` asks for; ``memory`` keeps it."""

    def __init__(self, memory: Memory, *, instance: dg.DagsterInstance, name: str) -> None:
        self.memory, self.instance, self.name = memory, instance, name

    def run_of(self, arrival: Arrival) -> dg.RunRecord | None:
        """The run that was asked for of this very content, as far as Dagster has it; also by a sensor that has lost its
        memory, if it was asked for by itself.
        """
        if not self.memory.has_asked(arrival):
            self.memory.asked[arrival.batch] = (arrival.digest, self._unused(_name([arrival])))
        return self.run(self.memory.asked[arrival.batch][1])

    def together(self, arrival: Arrival) -> list[str]:
        """The batches that were asked for by the same run."""
        key = self.memory.asked[arrival.batch][1]
        return [batch for batch, (_, asked) in self.memory.asked.items() if asked == key]

    def run_key(self, arrivals: Sequence[Arrival]) -> str:
        """The key under which one run over these is asked for, the same for as long as the same is asked for."""
        key = self._unused(_name(arrivals))
        self.memory.asked |= {arrival.batch: (arrival.digest, key) for arrival in arrivals}
        return key

    def _unused(self, name: str) -> str:
        return next(key for key in _keys(name) if not self._has_ended(key))

    def run(self, key: str) -> dg.RunRecord | None:
        """The newest run that Dagster has under a key, or the one that it has started again instead."""
        tags = {RUN_KEY_TAG: key, SENSOR_NAME_TAG: self.name}
        record = next(iter(self.instance.get_run_records(dg.RunsFilter(tags=tags), limit=1)), None)
        while record is not None and (again := record.dagster_run.tags.get(AUTO_RETRY_RUN_ID_TAG)):
            record = self.instance.get_run_record_by_id(again)
        return record

    def last_run(self, batch: str) -> dg.RunRecord | None:
        """The run of what was asked for last of a batch."""
        key = self.memory.asked.get(batch, ("", ""))[1]
        return self.run(key) if key else None

    def _has_ended(self, key: str) -> bool:
        run = self.run(key)
        return run is not None and not goes_on(run)


def goes_on(record: dg.RunRecord | None) -> bool:
    """Whether a run has not ended, or has ended a moment ago and is to be started again."""
    if record is None or not record.dagster_run.is_finished:
        return record is not None
    to_be_started = record.dagster_run.tags.get(WILL_RETRY_TAG) == "true"
    return to_be_started and datetime.now(UTC) - record.update_timestamp < UNTIL_STARTED_AGAIN


def _name(arrivals: Sequence[Arrival]) -> str:
    """What names the content of one batch, or of many from a first to a last."""
    if len(arrivals) == 1:
        return f"{arrivals[0].batch}-{arrivals[0].digest}"
    digest = hashlib.sha256(" ".join(f"{each.batch}-{each.digest}" for each in arrivals).encode()).hexdigest()[:16]
    return f"{arrivals[0].batch}-to-{arrivals[-1].batch}-{digest}"


def _keys(key: str) -> Iterator[str]:
    number = 1
    while True:
        yield key if number == 1 else f"{key}-{number}"
        number += 1

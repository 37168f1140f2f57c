"""What the sensor has asked for: one run for each batch and content, under a run key that was never used before.

Dagster starts no second run under a key that some run has had, not even if that run failed. So a key is what names the
content, with a number behind it if Dagster has ended a run under it already: it is the same for as long as the same is
asked for, also by a sensor that has lost its memory, and another one when a content comes back.
"""

from collections.abc import Iterator
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

    def run_key(self, arrival: Arrival) -> str:
        """The key under which a run is asked for, the same until the content changes."""
        if not self.memory.has_asked(arrival):
            key = next(key for key in _keys(arrival) if not self._has_ended(key))
            self.memory.asked[arrival.batch] = (arrival.digest, key)
        return self.memory.asked[arrival.batch][1]

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


def _keys(arrival: Arrival) -> Iterator[str]:
    key, number = f"{arrival.batch}-{arrival.digest}", 1
    while True:
        yield key if number == 1 else f"{key}-{number}"
        number += 1

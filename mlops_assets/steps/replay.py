"""Replay: the outside world of a use case day by day, as its seed has it: what lands, what is asked, how right it was.

Faults (``replay_faults.py``) are played into it from a day on. What a schedule would do on such a day is for whoever
calls this; it knows nothing of an orchestrator.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.contract.errors import DeclarationError, LandingError, ServingError
from mlops_assets.contract.source import Source
from mlops_assets.contract.tasks import Binary
from mlops_assets.contract.use_case import DailyBatches, UseCase
from mlops_assets.judge.report import evaluate
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import Connect
from mlops_assets.steps.replay_faults import Fault
from mlops_assets.stores.landing.landing import LandingZone
from mlops_assets.stores.models.running_service import RunningService, answers_of
from mlops_assets.stores.predictions.collected_files import records_of_day
from mlops_assets.stores.predictions.labels import landed_labels

ROWS_PER_REQUEST = 50
PLAYABLE = ("requests", "source", "history")
"""What a fault may be of: the service answers and the outcomes land as they are, whoever asks."""


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """``faults`` that are there from ``first`` on, until ``last`` if that is given."""

    faults: tuple[Fault, ...] = ()
    first: date = date.min
    last: date = date.max

    def __post_init__(self) -> None:
        for fault in self.faults:
            if fault.stage not in PLAYABLE:
                raise DeclarationError(
                    f"'{fault.name}' cannot be played through the real service: it is a fault of {fault.stage}. What "
                    "can be is a fault of requests, of a source that lands ahead, or of history."
                )

    def of(self, stage: str, day: date, *, source: str = "") -> Iterator[tuple[Fault, int]]:
        """The faults of a stage on a day, with their age."""
        if self.first <= day <= self.last:
            age = (day - self.first).days
            yield from ((fault, age) for fault in self.faults if (fault.stage, fault.source) == (stage, source))


@dataclass(frozen=True, kw_only=True)
class PlayedDay:
    """What came of one day. ``opened`` and ``resolved`` are causes of alerts, ``retrained`` says what for and what came
    of it. ``seq``, ``cursor`` and ``event`` are where log, checks and alerts had come to: the next day goes on there.
    """

    day: str
    asked: int
    answered: int
    refused: int
    champion: str
    opened: tuple[str, ...] = ()
    resolved: tuple[str, ...] = ()
    retrained: str = ""
    seq: int = 0
    cursor: str = ""
    event: int = 0


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The days played so far, a line each in ``path``; the first line says what is played, so that it goes on alike."""

    path: Path
    settings: Mapping[str, str]
    days: tuple[PlayedDay, ...] = field(default=())

    @classmethod
    def open(cls, path: Path, *, settings: Mapping[str, str]) -> Progress:
        """What was played before; DeclarationError when that was something else."""
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(dict(settings)) + "\n", encoding="utf-8")
        first, *lines = path.read_text(encoding="utf-8").splitlines()
        if json.loads(first) != dict(settings):
            raise DeclarationError(
                f"{path} is of a replay of {first}: play this one with another --data, or remove it."
            )
        return cls(path=path, settings=settings, days=tuple(_days(lines)))

    def after(self, day: PlayedDay) -> Progress:
        """With one day more, on the disk."""
        kept = [json.dumps(asdict(each)) for each in (*self.days, day)]
        part = self.path.with_suffix(".part")
        part.write_text("\n".join([json.dumps(dict(self.settings)), *kept, ""]), encoding="utf-8")
        part.replace(self.path)
        return Progress(path=self.path, settings=self.settings, days=(*self.days, day))


def _days(lines: Sequence[str]) -> Iterator[PlayedDay]:
    for line in lines:
        told = json.loads(line)
        yield PlayedDay(**{**told, "opened": tuple(told["opened"]), "resolved": tuple(told["resolved"])})


@dataclass(frozen=True, kw_only=True)
class Realised:
    """How right a version was on the days that it served; ``figures`` by metric, None where they cannot be told."""

    version: str
    first: str
    last: str
    answered: int
    labelled: int
    figures: Mapping[str, float | None]


def days_to_play(use_case: UseCase, *, first: str, last: str) -> list[str]:
    """The days from ``first`` to ``last``; DeclarationError when the use case has none, or not these."""
    if not isinstance(use_case.batches, DailyBatches):
        raise DeclarationError(
            f"{use_case.name} has no days to play: its batches have names. `mlops demo {use_case.name}` asks about one."
        )
    try:
        begin, end = date.fromisoformat(first), date.fromisoformat(last)
    except ValueError as error:
        raise DeclarationError(f"A replay goes from a day to a day, such as 2013-07-01: {error}.") from error
    for day in (first, last):
        if reason := use_case.batches.why_not_taken(day):
            raise DeclarationError(f"{day} cannot be played: {reason}.")
    if end < begin or first <= use_case.player.first:
        raise DeclarationError(f"A replay from {first} to {last} has no days, or none before it to learn from.")
    return [(begin + timedelta(days=number)).isoformat() for number in range((end - begin).days + 1)]


def day_before(day: str) -> str:
    """The day before."""
    return (date.fromisoformat(day) - timedelta(days=1)).isoformat()


def land_ahead(zone: Path, *, use_case: UseCase, day: str, trouble: Trouble) -> tuple[str, ...]:
    """Lands what arrives ahead of the outcomes, as the faults leave it; the sources that came."""
    return tuple(name for name in use_case.player.ahead if _land_source(zone, use_case, day, name, trouble))


def land_outcomes(zone: Path, *, use_case: UseCase, day: str, came: Sequence[str]) -> None:
    """Lands the rest of the day: what did not come ahead comes at last, and with it the outcomes."""
    left = tuple(source.name for source in use_case.sources if source.name not in came)
    use_case.player.land(zone, first=day, last=day, sources=left)


def _land_source(zone: Path, use_case: UseCase, day: str, name: str, trouble: Trouble) -> bool:
    faults = list(trouble.of("source", date.fromisoformat(day), source=name))
    if not faults:
        use_case.player.land(zone, first=day, last=day, sources=(name,))
        return True
    source = use_case.source(name)
    with TemporaryDirectory() as folder:
        use_case.player.land(Path(folder), first=day, last=day, sources=(name,))
        content = LandingZone(Path(folder)).path(use_case.name, source=source, batch=day).read_bytes()
    rows = _typed(content, source)
    for fault, age in faults:
        rows = fault.alter(rows, np.full(rows.num_rows, age, dtype=np.int64), _random(fault, day))
    if not rows.num_rows:
        return False
    LandingZone(zone).land(_written(rows, source), use_case=use_case.name, source=source, batch=day)
    return True


def _typed(content: bytes, source: Source) -> pa.Table:
    """The rows of a file: numbers where the schema has them, text for the rest."""
    names, *lines = csv.reader(io.StringIO(content.decode()), delimiter=source.delimiter)
    columns = {name: list(values) for name, values in zip(names, zip(*lines, strict=True), strict=True)}
    types = {column.name: column.type for column in source.columns.columns}
    return pa.table(
        {name: _column(values, types[name], nulls=source.nulls_of(name)) for name, values in columns.items()}
    )


def _column(values: Sequence[str], kind: pa.DataType, *, nulls: Sequence[str]) -> pa.Array:
    texts = pa.array([None if value in nulls else value for value in values], pa.string())
    return texts.cast(kind) if pa.types.is_integer(kind) or pa.types.is_floating(kind) else texts


def _written(rows: pa.Table, source: Source) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=source.delimiter, lineterminator="\n")
    writer.writerow(rows.column_names)
    nulls = [source.nulls_of(name)[0] for name in rows.column_names]
    for row in zip(*(column.to_pylist() for column in rows.columns), strict=True):
        writer.writerow([null if value is None else value for value, null in zip(row, nulls, strict=True)])
    return text.getvalue().encode()


def requests_by_hour(
    use_case: UseCase, *, day: str, trouble: Trouble
) -> list[tuple[datetime | None, list[dict[str, Any]]]]:
    """What is asked of a day, as the faults leave it, in the order and by the hours of the events as the seed has them.

    The hour is None where events have no time.
    """
    rows = [(_hour(use_case, row), dict(row)) for row in use_case.player.requests(day)]
    hours = [(hour, [row for _, row in of]) for hour, of in groupby(rows, key=lambda each: each[0])]
    return [(hour, _altered(asked, day=day, trouble=trouble)) for hour, asked in hours]


def _altered(rows: list[dict[str, Any]], *, day: str, trouble: Trouble) -> list[dict[str, Any]]:
    for fault, age in trouble.of("requests", date.fromisoformat(day)):
        table = pa.Table.from_pylist(rows)
        table = fault.alter(table, np.full(table.num_rows, age, dtype=np.int64), _random(fault, day))
        rows = table.to_pylist()
    return rows


def _hour(use_case: UseCase, row: Mapping[str, Any]) -> datetime | None:
    moment: datetime | None = use_case.request(**row).model_dump().get("event_time")
    return moment and moment.replace(minute=0, second=0, microsecond=0)


def history_lag(day: str, *, trouble: Trouble) -> int:
    """How many days too old what is looked up on a day is."""
    return max((fault.lag(age) for fault, age in trouble.of("history", date.fromisoformat(day))), default=0)


def ask(service: RunningService, rows: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """How many rows were answered and how many refused; a service that answers none of a request is a ServingError."""
    answered = 0
    for start in range(0, len(rows), ROWS_PER_REQUEST):
        status, body = service.post("/predict", json.dumps({"rows": rows[start : start + ROWS_PER_REQUEST]}).encode())
        if status >= 500:
            raise ServingError(f"{service.url}/predict answered {status}: {body.decode(errors='replace')[:500]}")
        answered += sum(not each.get("error") for each in answers_of(body)) if status == 200 else 0
    return answered, len(rows) - answered


def unanswered(
    rows: Sequence[dict[str, Any]], *, use_case: UseCase, answered: Counter[str | None]
) -> list[dict[str, Any]]:
    """The rows that were not answered before a replay was stopped; takes what was out of ``answered``."""
    if not answered.total():
        return list(rows)
    left = []
    for row in rows:
        name = _name(use_case, row)
        if answered[name] > 0:
            answered[name] -= 1
        else:
            left.append(row)
    return left


def _name(use_case: UseCase, row: Mapping[str, Any]) -> str | None:
    try:
        name: str | None = use_case.request(**row).model_dump().get("id")
    except ValueError:  # what a fault made of it is none: the service will say so
        return None
    return name


def realised(head: Snapshot, *, use_case: UseCase, days: Sequence[str], connect: Connect) -> list[Realised]:
    """How right each version was on the days that it answered, in the order of these."""
    wanted = ["example_id", "event_time", "model_version", "score"]
    moments = map(date.fromisoformat, days)
    parts = (records_of_day(head, use_case=use_case.name, event_day=day).select(wanted) for day in moments)
    records = pa.concat_tables(list(parts))
    labels = landed_labels(head, use_case=use_case, days=map(date.fromisoformat, days), connect=connect)
    told = records.join(labels, keys="example_id", right_keys="id", join_type="left outer").sort_by("event_time")
    versions = dict.fromkeys(told["model_version"].to_pylist())
    return [_realised(version, told.filter(pc.equal(told["model_version"], version)), use_case) for version in versions]


def _realised(version: str, rows: pa.Table, use_case: UseCase) -> Realised:
    known = rows.filter(pc.is_valid(rows["label"]))
    figures: dict[str, float | None] = {}
    if known.num_rows and isinstance(use_case.task, Binary):
        report = evaluate(known["label"].to_numpy(), known["score"].to_numpy(), slice_columns=known, slices=())
        figures = {name: each.value for name, each in report.overall.metrics.items()}
    moments = pc.strftime(rows["event_time"], "%Y-%m-%d").to_pylist()
    return Realised(
        version=version,
        first=moments[0],
        last=moments[-1],
        answered=rows.num_rows,
        labelled=known.num_rows,
        figures=figures,
    )


def _random(fault: Fault, day: str) -> np.random.Generator:
    return np.random.default_rng([date.fromisoformat(day).toordinal(), *fault.name.encode()])


def refuse_servers(environ: Mapping[str, str]) -> None:
    """Made-up traffic must not reach what production works on: LandingError naming the setting that leads there."""
    named = ("LAKEFS_ENDPOINT", "LAKECTL_SERVER_ENDPOINT_URL", "MLOPS_ONLINE_STORE_URL", "MLOPS_PREDICTION_LOG_URL")
    for name in named:
        if environ.get(name):
            raise LandingError(f"A replay plays in a folder of its own, and {name} leads elsewhere: unset it first.")

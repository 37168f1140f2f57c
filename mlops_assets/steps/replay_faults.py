"""Faults to play into what a use case is asked, looks up, answers and is told: what monitoring must find.

A ``Fault`` changes one table of a day, and nothing else of it. It is named as ``KIND[:WHERE][=VALUE]``, by the columns
and sources of whatever use case is played. What belongs here is what goes wrong, not how a day is played.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.requests import request_schema
from mlops_assets.watch.served.table import ERRORS, LATENCY

Stage: TypeAlias = Literal["requests", "source", "history", "answers", "outcomes", "service"]
Ages: TypeAlias = NDArray[np.int64]
"""How many days a row is after the first day of the fault: 0 on that day."""
Alter: TypeAlias = Callable[[pa.Table, Ages, np.random.Generator], pa.Table]
Where: TypeAlias = tuple[str, str]
"""A column and the text of its value: the rows that a fault is about."""
KILOMETRES = 1.609344


def _nothing(rows: pa.Table, ages: Ages, rng: np.random.Generator) -> pa.Table:
    return rows


def _up_to_date(age: int) -> int:
    return 0


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong from some day on; ``what`` is a sentence.

    ``alter`` changes the rows of its ``stage``: the requests' fields as they are sent, the rows of ``source`` as they
    land, answers (with ``score``), outcomes (with ``label``), or what a service says of itself (``METRICS``).
    ``lag`` is how many days too old the history is that is looked up, by the fault's age in days.
    """

    name: str
    what: str
    stage: Stage
    source: str = ""
    alter: Alter = _nothing
    lag: Callable[[int], int] = _up_to_date


def unit_changed(column: str, *, factor: float = KILOMETRES) -> Fault:
    """A number is sent in another unit; whole numbers stay whole."""

    def alter(rows: pa.Table, ages: Ages, rng: np.random.Generator) -> pa.Table:
        was = rows[column]
        new = pc.multiply(pc.cast(was, pa.float64()), factor)
        return _with(rows, column, pc.cast(pc.round(new), was.type) if pa.types.is_integer(was.type) else new)

    return _of_requests(f"unit:{column}={factor:g}", f"{column} is sent times {factor:g}.", alter)


def emptied(column: str) -> Fault:
    """A value is no longer sent."""

    def alter(rows: pa.Table, ages: Ages, rng: np.random.Generator) -> pa.Table:
        return _with(rows, column, pa.nulls(rows.num_rows, rows[column].type))

    return _of_requests(f"missing:{column}", f"{column} is null.", alter)


def renamed(column: str, *, old: str, new: str) -> Fault:
    """A value is written otherwise."""

    def alter(rows: pa.Table, ages: Ages, rng: np.random.Generator) -> pa.Table:
        return _with(rows, column, pc.if_else(_holds(rows, (column, old)), new, rows[column]))

    return _of_requests(f"renamed:{column}={old}>{new}", f"{column} {old} is sent as {new}.", alter)


def clock_ahead(column: str, *, hours: int = 1) -> Fault:
    """The caller's clock is ahead: a time is sent ``hours`` late."""

    def alter(rows: pa.Table, ages: Ages, rng: np.random.Generator) -> pa.Table:
        sent = rows[column]
        moved = pc.add(pc.cast(sent, pa.timestamp("us")), pa.scalar(hours * 3_600_000_000, pa.duration("us")))
        text = pa.types.is_string(sent.type)
        return _with(
            rows, column, pc.strftime(pc.cast(moved, pa.timestamp("s")), "%Y-%m-%dT%H:%M:%S") if text else moved
        )

    return _of_requests(f"clock:{column}={hours}", f"{column} is sent {hours} hours ahead.", alter)


def thinned(*, share: float) -> Fault:
    """Only a share of the requests comes."""

    def alter(rows: pa.Table, ages: Ages, rng: np.random.Generator) -> pa.Table:
        return rows.filter(pa.array(rng.random(rows.num_rows) < share))

    return _of_requests(f"traffic={share:g}", f"{share:.0%} of the requests come.", alter)


def crowded(column: str, *, by: int) -> Fault:
    """Every request comes a second time under another name: ``column``, a whole number of it, plus ``by``."""

    def alter(rows: pa.Table, ages: Ages, rng: np.random.Generator) -> pa.Table:
        more = _with(rows, column, pc.cast(pc.add(rows[column], by), rows[column].type))
        return pa.concat_tables([rows, more])

    return _of_requests(f"crowded:{column}={by}", f"Twice as much is asked, the more with {column} {by} higher.", alter)


def sent_twice() -> Fault:
    """Every request comes twice, word for word."""

    def alter(rows: pa.Table, ages: Ages, rng: np.random.Generator) -> pa.Table:
        return pa.concat_tables([rows, rows])

    return _of_requests("sent_twice", "Every request is sent twice.", alter)


def stopped(source: str) -> Fault:
    """A source that lands ahead of the outcomes lands with them only."""

    def alter(rows: pa.Table, ages: Ages, rng: np.random.Generator) -> pa.Table:
        return rows.slice(0, 0)

    return Fault(
        name=f"stopped:{source}", what=f"{source} no longer lands in time.", stage="source", source=source, alter=alter
    )


def drifting(source: str, *, add: Mapping[str, float] | None = None, grow: Mapping[str, float] | None = None) -> Fault:
    """Numbers of a source move a little more each day: ``add`` to them, and ``grow`` by a share of them."""
    added, grown = add or {}, grow or {}

    def alter(rows: pa.Table, ages: Ages, rng: np.random.Generator) -> pa.Table:
        days = ages + 1.0
        for column, step in added.items():
            rows = _with(rows, column, pc.add(pc.cast(rows[column], pa.float64()), pa.array(step * days)))
        for column, share in grown.items():
            rows = _with(rows, column, pc.multiply(pc.cast(rows[column], pa.float64()), pa.array(1 + share * days)))
        return rows

    steps = [*(f"{name} {step:+g}" for name, step in added.items()), *(f"{name} {s:+.0%}" for name, s in grown.items())]
    what = f"{source} drifts each day: {', '.join(steps)}."
    return Fault(
        name=f"drift:{source}.{'+'.join([*added, *grown])}", what=what, stage="source", source=source, alter=alter
    )


def stuck(source: str, *, where: Where, values: Mapping[str, float]) -> Fault:
    """A part of a source says the same again and again."""

    def alter(rows: pa.Table, ages: Ages, rng: np.random.Generator) -> pa.Table:
        mask = _holds(rows, where)
        for column, value in values.items():
            rows = _with(rows, column, pc.if_else(mask, pa.scalar(value).cast(rows[column].type), rows[column]))
        return rows

    said = ", ".join(f"{name} {value:g}" for name, value in values.items())
    what = f"{source} of {where[0]} {where[1]} is stuck: {said}."
    return Fault(name=f"stuck:{source}.{where[0]}={where[1]}", what=what, stage="source", source=source, alter=alter)


def history_stops() -> Fault:
    """The online store is not refreshed any more."""
    return Fault(name="history_stops", what="History grows a day older each day.", stage="history", lag=lambda age: age)


def history_late(*, days: int) -> Fault:
    """The online store holds an old day."""
    return Fault(
        name=f"history_late={days}", what=f"History is {days} days old.", stage="history", lag=lambda age: days
    )


def answers_stuck(*, score: float, where: Where | None = None) -> Fault:
    """One answer for all, or for the rows of a segment."""

    def alter(rows: pa.Table, ages: Ages, rng: np.random.Generator) -> pa.Table:
        return _with(rows, "score", pc.if_else(_holds(rows, where), score, rows["score"]))

    of = f":{where[0]}={where[1]}>" if where else "="
    return Fault(name=f"answers{of}{score:g}", what=f"{_said(where)} scores {score:g}.", stage="answers", alter=alter)


def scores_shifted(*, by: float) -> Fault:
    """Every score is higher by the same, at most 1."""

    def alter(rows: pa.Table, ages: Ages, rng: np.random.Generator) -> pa.Table:
        return _with(rows, "score", pa.array(np.clip(rows["score"].to_numpy() + by, 0.0, 1.0)))

    return Fault(name=f"scores_shifted={by:g}", what=f"Every score is off by {by:+g}.", stage="answers", alter=alter)


def scores_shuffled() -> Fault:
    """Every row gets the score of another row of its day."""

    def alter(rows: pa.Table, ages: Ages, rng: np.random.Generator) -> pa.Table:
        order = np.lexsort((rng.random(rows.num_rows), ages))
        shuffled = np.empty(rows.num_rows)
        shuffled[np.argsort(ages, kind="stable")] = rows["score"].to_numpy()[order]
        return _with(rows, "score", pa.array(shuffled))

    return Fault(
        name="scores_shuffled", what="Scores are dealt out anew within each day.", stage="answers", alter=alter
    )


def labels_flipped(*, share: float = 1.0, where: Where | None = None) -> Fault:
    """A share of the outcomes, of all rows or of a segment, is told the wrong way round."""

    def alter(rows: pa.Table, ages: Ages, rng: np.random.Generator) -> pa.Table:
        chosen = pc.and_(_holds(rows, where), pa.array(rng.random(rows.num_rows) < share))
        label = rows["label"]
        return _with(rows, "label", pc.if_else(chosen, pc.cast(pc.subtract(1, label), label.type), label))

    of = f":{where[0]}={where[1]}" if where else ""
    name = f"labels{of}={share:g}" if not where else f"labels{of}"
    return Fault(name=name, what=f"{share:.0%} of outcomes of {_said(where)} are wrong.", stage="outcomes", alter=alter)


def failing(*, share: float) -> Fault:
    """A share of the requests ends in an error of the service."""

    def alter(rows: pa.Table, ages: Ages, rng: np.random.Generator) -> pa.Table:
        failed = pc.multiply(pc.cast(rows["n"], pa.float64()), share)
        return _with(rows, "value", pc.if_else(pc.equal(rows["metric"], ERRORS), failed, rows["value"]))

    return Fault(name=f"errors={share:g}", what=f"{share:.0%} of the requests fail.", stage="service", alter=alter)


def slower(*, times: float) -> Fault:
    """The service takes longer to answer."""

    def alter(rows: pa.Table, ages: Ages, rng: np.random.Generator) -> pa.Table:
        slow = pc.multiply(rows["value"], times)
        return _with(rows, "value", pc.if_else(pc.equal(rows["metric"], LATENCY), slow, rows["value"]))

    return Fault(name=f"slow={times:g}", what=f"Answers take {times:g} times as long.", stage="service", alter=alter)


KINDS: Mapping[str, str] = {
    "unit:COLUMN=FACTOR": "a number of the request in another unit; without a factor kilometres for miles",
    "missing:COLUMN": "a column of the request is null",
    "renamed:COLUMN=OLD>NEW": "a value of the request is written otherwise",
    "clock:COLUMN=HOURS": "a time of the request is ahead; without hours one",
    "traffic=SHARE": "only that share of the requests",
    "crowded:COLUMN=BY": "twice the requests, the more with a whole number that is higher",
    "sent_twice": "every request twice",
    "stopped:SOURCE": "a source that lands ahead lands too late",
    "drift:SOURCE.COLUMN=STEP": "a number of a source moves by so much a day; 10% grows by a share",
    "stuck:SOURCE.COLUMN=VALUE>NAME NUMBER,…": "a part of a source says the same all day",
    "history_stops": "what is looked up grows older",
    "history_late=DAYS": "what is looked up is of an old day",
    "answers:COLUMN=VALUE>SCORE": "one score for a segment, or without COLUMN=VALUE> for all",
    "scores_shifted=BY": "every score is off",
    "scores_shuffled": "scores dealt out anew within a day",
    "labels:COLUMN=VALUE": "outcomes of a segment the wrong way round; labels=SHARE of all",
    "errors=SHARE": "requests fail",
    "slow=TIMES": "answers take longer",
}
"""How each kind is written, and what it does."""
_NAME = re.compile(r"(?P<kind>[a-z_]+)(?::(?P<place>[\w.]+))?(?:=(?P<value>.+))?\Z", re.DOTALL)


def fault_of(name: str, *, use_case: UseCase) -> Fault:
    """The fault of that name; DeclarationError lists the kinds, or what the use case has, when there is none."""
    parts = _NAME.match(name)
    build = _BUILD.get(parts["kind"]) if parts else None
    if parts is None or build is None:
        told = "\n".join(f"  {kind}: {what}" for kind, what in KINDS.items())
        raise DeclarationError(f"'{name}' is no fault. Faults are:\n{told}")
    try:
        fault = build(parts["place"] or "", parts["value"] or "")
    except ValueError as error:
        form = next(kind for kind in KINDS if re.split("[:=]", kind)[0] == parts["kind"])
        raise DeclarationError(f"The fault '{name}' is written as {form}: {error}.") from error
    _refuse_unknown(fault, place=parts["place"] or "", use_case=use_case)
    return fault


def _refuse_unknown(fault: Fault, *, place: str, use_case: UseCase) -> None:
    if fault.stage == "source" and fault.source not in use_case.player.ahead:
        ahead = ", ".join(use_case.player.ahead) or "none"
        raise DeclarationError(f"{use_case.name} has no source '{fault.source}' that lands ahead of outcomes: {ahead}.")
    columns: Sequence[str] = request_schema(use_case.request).names
    if fault.stage == "source":
        place, columns = place.partition(".")[2], use_case.source(fault.source).columns.names
    if place and place not in columns:
        raise DeclarationError(f"Unknown column '{place}' in the fault '{fault.name}'. Columns: {', '.join(columns)}.")


def _drift(place: str, value: str) -> Fault:
    source, _, column = place.partition(".")
    if value.endswith("%"):
        return drifting(source, grow={column: float(value[:-1]) / 100})
    return drifting(source, add={column: float(value)})


def _stuck(place: str, value: str) -> Fault:
    source, _, column = place.partition(".")
    chosen, values = _pair(value)
    pairs = (each.split() for each in values.split(","))
    return stuck(source, where=(column, chosen), values={name: float(number) for name, number in pairs})


def _answers(place: str, value: str) -> Fault:
    if not place:
        return answers_stuck(score=float(value))
    chosen, score = _pair(value)
    return answers_stuck(score=float(score), where=(place, chosen))


def _renamed(place: str, value: str) -> Fault:
    old, new = _pair(value)
    return renamed(_named(place), old=old, new=new)


def _pair(value: str) -> tuple[str, str]:
    first, mark, second = value.partition(">")
    if not (first and mark and second):
        raise ValueError(f"'{value}' has no two sides around >")
    return first, second


def _named(place: str) -> str:
    if not place:
        raise ValueError("it names no column or source")
    return place


_BUILD: Mapping[str, Callable[[str, str], Fault]] = {
    "unit": lambda place, value: unit_changed(_named(place), factor=float(value or KILOMETRES)),
    "missing": lambda place, value: emptied(_named(place)),
    "renamed": _renamed,
    "clock": lambda place, value: clock_ahead(_named(place), hours=int(value or 1)),
    "traffic": lambda place, value: thinned(share=float(value)),
    "crowded": lambda place, value: crowded(_named(place), by=int(value)),
    "sent_twice": lambda place, value: sent_twice(),
    "stopped": lambda place, value: stopped(_named(place)),
    "drift": _drift,
    "stuck": _stuck,
    "history_stops": lambda place, value: history_stops(),
    "history_late": lambda place, value: history_late(days=int(value)),
    "answers": _answers,
    "scores_shifted": lambda place, value: scores_shifted(by=float(value)),
    "scores_shuffled": lambda place, value: scores_shuffled(),
    "labels": lambda place, value: (
        labels_flipped(where=(place, value)) if place else labels_flipped(share=float(value))
    ),
    "errors": lambda place, value: failing(share=float(value)),
    "slow": lambda place, value: slower(times=float(value)),
}


def _of_requests(name: str, what: str, alter: Alter) -> Fault:
    return Fault(name=name, what=what, stage="requests", alter=alter)


def _with(rows: pa.Table, column: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    return rows.set_column(rows.column_names.index(column), column, values)


def _holds(rows: pa.Table, where: Where | None) -> pa.Array | pa.ChunkedArray:
    """Which rows a fault is about: all without a ``where``."""
    if where is None:
        return pa.array(np.ones(rows.num_rows, dtype=bool))
    return pc.fill_null(pc.equal(pc.cast(rows[where[0]], pa.string()), where[1]), False)


def _said(where: Where | None) -> str:
    return f"{where[0]} {where[1]}" if where else "everything"

"""Keeping the online store equal to the lake: refreshed from one commit, judged, taken back if wrong, verified whole.

The store itself is in ``online.py``, what it must hold in ``features/online_view.py``. The asset and the command
line both work through here, so that a store can be rebuilt without an orchestrator.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from itertools import islice

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.errors import LakeError
from mlops_assets.contract.features import KEY_SEPARATOR
from mlops_assets.contract.paths import history_path
from mlops_assets.contract.periods import Period
from mlops_assets.contract.severity import Severity
from mlops_assets.contract.use_case import DailyBatches, UseCase
from mlops_assets.features.online_view import OnlineHistory, OnlineSideData, OnlineView, online_view
from mlops_assets.features.relations import compute_relations
from mlops_assets.lake.batches import PathOf, batch_files, newest_day
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import read_parquet
from mlops_assets.stores.features.offline import attached_rows, examples_of, open_views, reach_back, since
from mlops_assets.stores.features.online import OnlineStore
from mlops_assets.stores.landing.progress import history_inputs

SAMPLE = 500
NAMED_DIFFERENCES = 5
_HOUR = 3_600_000_000  # microseconds
_NOTHING = 0  # the number of no generation: a store that uses it is empty


@dataclass(frozen=True, kw_only=True)
class Refresh:
    """What a refresh did: the view that was written, whether anything changed, and the verdicts on it."""

    view: OnlineView
    changed: bool
    audits: tuple[CheckResult, ...]


def refresh_online_store(
    online: OnlineStore,
    *,
    snapshot: Snapshot,
    use_case: UseCase,
    connection: duckdb.DuckDBPyConnection,
    as_of: date | None = None,
) -> Refresh:
    """Replaces what ``online`` holds by what the lake knows at ``snapshot``, for the day after its last batch.

    An earlier ``as_of`` leaves out what became known on that day or later, but for figures over hours, which no look-up
    counts before their moment. Judged right after by what it answers; if it
    differs from the offline features the store goes back to what it held before, or to nothing.
    """
    as_of = as_of or next_day(snapshot, use_case=use_case)
    later = as_of + (timedelta(days=1) if _goes_on(use_case) else timedelta(0))
    left_out = _left_out(snapshot, use_case=use_case, as_of=later)
    seed = int(snapshot.commit[:8], 16)
    open_views(connection, snapshot, use_case=use_case, reach=reach_back(use_case, as_of=as_of))
    minutes = any(part.by_minute for part in use_case.history)
    asked = _drawn(examples_of(connection, use_case=use_case), day=as_of, seed=seed, by_minute=minutes)
    offline = attached_rows(connection, asked, use_case=use_case, as_of=as_of)
    view = online_view(connection, as_of=as_of, history=use_case.history, asof=use_case.asof)
    changed = online.refresh(view, commit=snapshot.commit)
    audits = (
        _every_view(view),
        _freshness(view, last=later - timedelta(days=1), left_out=left_out),
        _equality(online, asked=asked, offline=offline, seed=seed),
    )
    if changed and any(audit.blocks for audit in audits):
        _take_back(online)
    return Refresh(view=view, changed=changed, audits=audits)


def rebuild_online_store(
    online: OnlineStore, *, snapshot: Snapshot, use_case: UseCase, connection: duckdb.DuckDBPyConnection
) -> Refresh:
    """As a refresh, but what the store holds of the same commit is written again, as if nothing of it could be trusted.

    Meanwhile such a store is empty: no answer is better than a wrong one.
    """
    current = online.current
    if current and (current.commit, current.as_of) == (snapshot.commit, next_day(snapshot, use_case=use_case)):
        online.backend.use(_NOTHING)
    return refresh_online_store(online, snapshot=snapshot, use_case=use_case, connection=connection)


def verify_online_store(
    online: OnlineStore, *, lake: Lake, use_case: UseCase, connection: duckdb.DuckDBPyConnection
) -> CheckResult:
    """Every value that the lake gives for the store's own commit and day, compared with what the store answers."""
    generation = online.current
    if generation is None:
        return CheckResult(name="store_equals_lake", passed=False, reasons=("The online store is empty: rebuild it.",))
    snapshot = lake.at(generation.commit)
    open_views(connection, snapshot, use_case=use_case, reach=reach_back(use_case, as_of=generation.as_of))
    compute_relations(connection, use_case.relations)
    view = online_view(connection, as_of=generation.as_of, history=use_case.history, asof=use_case.asof)
    asked = [*(part.keys for part in view.history), *(side.keys for side in view.side)]
    keys = tuple(dict.fromkeys(key for part in asked for key in part))
    named = list(islice(_differences(online, view, keys=keys), NAMED_DIFFERENCES + 1))
    more = ("There are more.",) if len(named) > NAMED_DIFFERENCES else ()
    return CheckResult(
        name="store_equals_lake",
        passed=not named,
        figures={
            "as_of": generation.as_of.isoformat(),
            "commit": generation.commit,
            **_entities(view),
        },
        reasons=(*named[:NAMED_DIFFERENCES], *more),
    )


def next_day(snapshot: Snapshot, *, use_case: UseCase) -> date:
    """The first day about which the lake holds no history yet: what is known now serves that day.

    Of weeks and months, the last of which may go on, and of batches with names it is the day after what became known
    last; not later than the day after the last week or month.
    Where rows come within the day it is that last day itself, which goes on.
    """
    path = partial(history_path, use_case.name)
    period = use_case.batches.period
    newest = newest_day(snapshot, path=path) if period is Period.DAY else _known_last(snapshot, use_case, path=path)
    if newest is None:
        raise LakeError(f"No history of {use_case.name} in the lake yet: materialise {use_case.name}/history first.")
    return newest + (timedelta(0) if _goes_on(use_case) else timedelta(days=1))


def _goes_on(use_case: UseCase) -> bool:
    """Whether the last day of the history is the running one, of which more will come."""
    within = isinstance(use_case.batches, DailyBatches) and use_case.batches.within_the_day
    return within or any(view.by_minute for view in use_case.history)


def _known_last(snapshot: Snapshot, use_case: UseCase, *, path: PathOf) -> date | None:
    """The last day on which something became known, in the newest week or month, or in any batch with a name."""
    files, period = batch_files(snapshot, path=path), use_case.batches.period
    newest = max(files, default=None)
    if newest is None:
        return None
    read = snapshot.local_files([files[newest]] if period else list(files.values()))
    known = [pc.max(read_parquet(local, columns=["known_on"])["known_on"]).as_py() for local in read.values()]
    last: date | None = max((day for day in known if day), default=None)
    if period is None:
        return last
    end = period.last_day(newest)
    return min(last or end, end)


def _left_out(snapshot: Snapshot, *, use_case: UseCase, as_of: date) -> Collection[str]:
    """The validated batches that reach beyond the store's day; of those that may go on, the ones without history."""
    wanted = since(use_case, as_of)
    whole = history_inputs(snapshot, use_case=use_case, wanted=wanted).keys()
    if use_case.batches.period is Period.DAY:
        return whole
    return whole - batch_files(snapshot, path=partial(history_path, use_case.name), wanted=wanted).keys()


def _take_back(online: OnlineStore) -> None:
    if len(online.backend.generations()) > 1:
        online.go_back()
    else:
        online.backend.use(_NOTHING)


def _every_view(view: OnlineView) -> CheckResult:
    counts = _entities(view)
    hourly = {part.name for part in view.history if part.observed is not None}  # an hour may well have none
    empty = sorted(name for name, count in counts.items() if not count and name not in hourly)
    return CheckResult(
        name="every_view_has_entities",
        passed=not empty,
        severity=Severity.WARN if any(counts.values()) else Severity.ERROR,
        figures=counts,
        reasons=(f"No entities in {', '.join(empty)}: nothing is known yet, or a key of every row is NULL.",)
        if empty
        else (),
    )


def _freshness(view: OnlineView, *, last: date, left_out: Collection[str]) -> CheckResult:
    """``left_out`` are batches after ``last`` that are validated; side data must be young enough for the day."""
    reasons = []
    if left_out:
        reasons.append(f"History goes up to {last}, but {max(left_out)} is validated: materialise history.")
    midnight = datetime.combine(view.as_of, time())
    for side in view.side:
        if side.observed is not None and side.max_age is not None:
            youngest = datetime(1970, 1, 1) + timedelta(microseconds=max(side.observed, default=0))
            if youngest + timedelta(microseconds=side.max_age) < midnight:
                reasons.append(f"The youngest {side.name} is of {youngest}: too old to be used on {view.as_of}.")
    return CheckResult(
        name="is_fresh",
        passed=not reasons,
        severity=Severity.WARN,
        figures={"as_of": view.as_of.isoformat(), "newest_batch": max(left_out, default=last.isoformat())},
        reasons=tuple(reasons),
    )


def _entities(view: OnlineView) -> dict[str, int]:
    return {
        **{part.name: len(set(part.entities)) for part in view.history},
        **{side.name: len(side.entities) for side in view.side},
    }


def _drawn(examples: pa.Table, *, day: date, seed: int, by_minute: bool) -> pa.Table:
    """Recent rows, drawn at random, to be asked again at noon of ``day``, or ``by_minute`` at any moment of it."""
    draw = np.random.default_rng(seed)
    drawn = examples.take(np.sort(draw.permutation(examples.num_rows)[:SAMPLE]))
    noon = np.full(drawn.num_rows, np.datetime64(datetime.combine(day, time(12)), "us"))
    if by_minute:
        noon += draw.integers(-12 * _HOUR, 12 * _HOUR, drawn.num_rows).astype("timedelta64[us]")
    return drawn.set_column(drawn.column_names.index("event_time"), "event_time", pa.array(noon))


def _equality(online: OnlineStore, *, asked: pa.Table, offline: pa.Table, seed: int) -> CheckResult:
    """Online look-up against the offline join of the same rows."""
    served = online.look_up(asked).examples
    differing = [
        name
        for name in offline.column_names
        if name not in asked.column_names and not _equal(offline.column(name), served.column(name))
    ]
    return CheckResult(
        name="online_equals_offline",
        passed=not differing,
        figures={"rows": asked.num_rows, "columns": offline.num_columns - asked.num_columns, "seed": seed},
        reasons=(f"These columns differ: {', '.join(differing)}.",) if differing else (),
    )


def _equal(offline: pa.ChunkedArray, served: pa.ChunkedArray) -> bool:
    return bool(offline.combine_chunks().equals(pc.cast(served, offline.type).combine_chunks()))


def _differences(online: OnlineStore, view: OnlineView, *, keys: Sequence[str]) -> Iterator[str]:
    """One sentence for every value in which the store differs from ``view``."""
    noon = datetime.combine(view.as_of, time(12))
    for part in view.history:
        moments = pa.repeat(pa.scalar(noon, pa.timestamp("us")), len(part.entities))
        if part.observed is not None:
            moments = pa.array(part.observed, pa.int64()).cast(pa.timestamp("us"))
        columns = pa.table({name: pa.array(part.values[:, i], from_pandas=True) for i, name in enumerate(part.columns)})
        yield from _compared(online, part, columns=columns, moments=moments, keys=keys)
    for side in view.side:
        observed = np.asarray(side.observed or [0] * len(side.entities), dtype=np.int64)
        moments = pa.array(observed + side.delay).cast(pa.timestamp("us"))
        yield from _compared(online, side, columns=side.values, moments=moments, keys=keys)


def _compared(
    online: OnlineStore,
    part: OnlineHistory | OnlineSideData,
    *,
    columns: pa.Table,
    moments: pa.Array,
    keys: Sequence[str],
) -> Iterator[str]:
    served = online.look_up(_requests(part, moments=moments, keys=keys)).examples
    for name in columns.column_names:
        if name not in served.column_names:
            yield f"The store has no {name}: rebuild it."
        elif not _equal(columns.column(name), served.column(name)):
            pairs = zip(part.entities, columns.column(name).to_pylist(), served.column(name).to_pylist(), strict=True)
            for entity, expected, found in pairs:
                if expected != found:
                    yield f"{name} of '{entity}' is {found!r}, the lake says {expected!r}."


def _requests(part: OnlineHistory | OnlineSideData, *, moments: pa.Array, keys: Sequence[str]) -> pa.Table:
    """One request per entity of a view; the keys of other views are missing."""
    split = [entity.split(KEY_SEPARATOR) for entity in part.entities]
    mine = {key: pa.array([values[i] for values in split], pa.string()) for i, key in enumerate(part.keys)}
    missing = pa.nulls(len(split), pa.string())
    return pa.table({"event_time": moments, **{key: mine.get(key, missing) for key in keys}})

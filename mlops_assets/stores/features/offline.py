"""The one offline road to features: the lake's sources and history at a commit, rows, the join, the request SQL.

Training views, batch scores, what a notebook asks and what the online store is compared with all go this way; which
batches they read and which rows they ask for is all that they differ in. The arithmetic is in
``features/training_view.py``, which the service shares; the service's own road is the online store (``online.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TypeAlias

import pyarrow as pa
from duckdb import DuckDBPyConnection

from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.online_view import EARLIER
from mlops_assets.features.relations import compute_relations
from mlops_assets.features.training_view import attach, labelled_examples, training_view
from mlops_assets.lake.batches import EVERY_BATCH, Wanted
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.stores.features.source_tables import create_history_view, create_source_views

LATE_OUTCOMES = timedelta(days=3)
"""How long after its batch's day an outcome may become known: batches this much older than a window still count."""

Rows: TypeAlias = pa.Table | Callable[[pa.Table], pa.Table]
"""The rows that are asked for: a table of one's own, or what is chosen from the labelled examples of the lake."""


@dataclass(frozen=True, kw_only=True)
class Reach:
    """Which batches are read; ``sources`` is None where no source is."""

    history: Wanted
    sources: Wanted | None


@dataclass(frozen=True, kw_only=True)
class FeatureRows:
    """id, label and times as far as the rows have them, what is kept beside, and every feature; in order.

    ``batches`` are those of the arriving sources that were read.
    """

    table: pa.Table
    batches: tuple[str, ...]


def compute_features(
    connection: DuckDBPyConnection,
    snapshot: Snapshot,
    *,
    use_case: UseCase,
    reach: Reach,
    rows: Rows,
    as_of: date | None = None,
    beside: tuple[str, ...] = (),
) -> FeatureRows:
    """Every feature of ``rows`` as it was known at each row's moment, at one commit, with the columns ``beside``.

    History over days counts what was known before the day of ``event_time``, or before ``as_of`` when that is given,
    history over hours what was known before the minute of ``event_time``.
    """
    batches = open_views(connection, snapshot, use_case=use_case, reach=reach)
    table = training_view(
        connection,
        attached_rows(connection, rows, use_case=use_case, as_of=as_of),
        history=(),  # attached already, where `as_of` is heeded
        asof=(),
        features_sql=use_case.features_sql,
        features=use_case.features,
        beside=beside,
    )
    return FeatureRows(table=table, batches=batches)


def open_views(
    connection: DuckDBPyConnection, snapshot: Snapshot, *, use_case: UseCase, reach: Reach
) -> tuple[str, ...]:
    """Makes the validated sources and the history views of ``connection``; the batches of arriving sources found."""
    found = {}
    if reach.sources is not None:
        found = create_source_views(connection, snapshot, use_case=use_case, wanted=reach.sources)
    create_history_view(connection, snapshot, use_case=use_case, wanted=reach.history)
    return tuple(sorted({batch for source in use_case.arriving for batch in found.get(source.name, ())}))


def attached_rows(
    connection: DuckDBPyConnection, rows: Rows, *, use_case: UseCase, as_of: date | None = None
) -> pa.Table:
    """``rows`` with every history and as-of column, from the views that are open in ``connection``."""
    if not isinstance(rows, pa.Table):
        rows = rows(examples_of(connection, use_case=use_case))
    elif use_case.asof:
        compute_relations(connection, use_case.relations)
    return attach(connection, rows, history=use_case.history, asof=use_case.asof, as_of=as_of)


def examples_of(connection: DuckDBPyConnection, *, use_case: UseCase) -> pa.Table:
    """Every labelled example of the sources that are open in ``connection``; relations are there from then on."""
    return labelled_examples(connection, examples_sql=use_case.examples_sql, relations=use_case.relations)


def reach_back(use_case: UseCase, *, as_of: date) -> Reach:
    """What can matter to rows of ``as_of`` and later: as far back as windows and the age of side data ask."""
    return Reach(history=_history_since(use_case, as_of), sources=_side_data_since(use_case, as_of))


def reach_between(use_case: UseCase, *, first: date, last: date) -> Reach:
    """What can matter to rows of the days ``first`` to ``last``."""
    reach = reach_back(use_case, as_of=first)
    return Reach(
        history=_until(use_case, reach.history, last), sources=_until(use_case, reach.sources or EVERY_BATCH, last)
    )


def reach_of_batch(use_case: UseCase, *, batch: str) -> Reach:
    """What can matter to the rows of one batch; of batches with names it is their own rows and every past."""
    period, own = use_case.batches.period, Wanted.these([batch])
    if period is None:
        return Reach(history=EVERY_BATCH if use_case.batches.has_event_times else own, sources=own)
    return reach_between(use_case, first=period.first_day(batch), last=period.last_day(batch))


def since(use_case: UseCase, day: date) -> Wanted:
    """The batches that can hold something of ``day`` or later."""
    period = use_case.batches.period
    return Wanted(first=period.name_of(day)) if period else EVERY_BATCH


def _until(use_case: UseCase, wanted: Wanted, day: date) -> Wanted:
    period = use_case.batches.period
    return Wanted(first=wanted.first, last=period.name_of(day)) if period else wanted


def _history_since(use_case: UseCase, as_of: date) -> Wanted:
    """The batches that can reach into a window before ``as_of``, or in the day before it by the minute."""
    longest = max((view.longest for view in use_case.history), default=0)
    earlier = EARLIER if any(view.by_minute for view in use_case.history) else timedelta(0)
    return since(use_case, as_of - timedelta(days=longest) - earlier - LATE_OUTCOMES)


def _side_data_since(use_case: UseCase, as_of: date) -> Wanted:
    """The batches that can hold side data which is young enough on ``as_of`` or later."""
    ages = [view.max_age for view in use_case.asof if view.time_column is not None]
    if None in ages:
        return EVERY_BATCH
    oldest = max((age for age in ages if age), default=timedelta(0))
    return since(use_case, (datetime.combine(as_of, time()) - oldest - LATE_OUTCOMES).date())

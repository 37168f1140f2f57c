"""What stands still and why: files that were refused, days that are missing, training that cannot run, a service that
answers by another version than the champion.

Read off the lake, the landing zone and what the service says of itself; nothing is changed. What Dagster knows of it,
schedules that are off and runs that failed, is in ``orchestration/standstill.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mlops_assets.contract.retraining import why_retrain, why_wait
from mlops_assets.contract.splits import TimeSplit
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.stores.landing.arrivals import Arrivals, refusals
from mlops_assets.stores.landing.landing import Scan
from mlops_assets.stores.landing.progress import history_inputs, said_missing, said_unfinished
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.explanation import why_held
from mlops_assets.stores.models.listing import ListedVersion, Status, listed_versions
from mlops_assets.stores.predictions.training_state import training_state
from mlops_assets.stores.serving_orders import ServingOrders


@dataclass(frozen=True, kw_only=True)
class Standstill:
    """One thing that does not go on. ``what`` is files, days, training, automation or service; ``why`` a sentence."""

    what: str
    why: str


def data_standstills(lake: Lake, *, use_case: UseCase, scan: Scan, found: Arrivals) -> Iterator[Standstill]:
    """Files and batches that were refused, that wait or were left half-way, and days that are missing in between."""
    refused = [f"{each.path}: {each.reason}" for each in scan.refused]
    refused += [str(each) for each in refusals(lake.branches(), use_case=use_case, found=found)]
    for why in (*refused, *found.left_out, *found.waiting, *said_unfinished(use_case, found.unfinished)):
        yield Standstill(what="files", why=why)
    for why in said_missing(use_case, found.there):
        yield Standstill(what="days", why=why)


def training_standstills(lake: Lake, *, use_case: UseCase, folder: Path, now: datetime) -> Iterator[Standstill]:
    """Why there is no model yet, why the newest is no champion, and what holds back a retraining that is due."""
    head = lake.at()
    reasons = [
        _too_few_days(head, use_case=use_case),
        _newest_refused(head, use_case=use_case),
        _newest_held(head, use_case=use_case),
        _held_back(lake, use_case=use_case, folder=folder, now=now),
    ]
    yield from (Standstill(what="training", why=why) for why in reasons if why)


def service_standstills(head: Snapshot, *, use_case: UseCase, folder: Path, now: datetime) -> Iterator[Standstill]:
    """Workers that answer by another version than the champion."""
    serving = champion(head, use_case=use_case.name)
    for worker in ServingOrders(folder, use_case=use_case.name).workers(now=now):
        if serving is not None and worker.version != serving.version:
            refused = worker.refused.get(serving.version)
            because = f": it refused it, {refused.rstrip('.')}" if refused else ""
            why = (
                f"Process {worker.pid} on {worker.host} answers by {worker.version}, not the champion {serving.version}"
            )
            yield Standstill(what="service", why=f"{why}{because}.")


def fewest_days(split: TimeSplit) -> int:
    """A split by time needs its windows, and a day before them to learn from."""
    return split.test_days + split.validation_days + 2 * split.gap_days + 1


def _too_few_days(head: Snapshot, *, use_case: UseCase) -> str:
    split = use_case.split
    if not isinstance(split, TimeSplit) or champion(head, use_case=use_case.name) is not None:
        return ""
    there, needed = len(history_inputs(head, use_case=use_case)), fewest_days(split)
    return f"{there} days are whole, and the split needs {needed} at least." if 0 < there < needed else ""


def _newest_refused(head: Snapshot, *, use_case: UseCase) -> str:
    newest = _newest(head, use_case=use_case)
    if newest is None or newest.status is not Status.REJECTED or newest.decision is None:
        return ""
    reason, *more = newest.decision.decision.reasons or ("its decision did not pass",)
    others = f" and {len(more)} more, on its card" if more else ""
    return f"The newest version {newest.record.version} was refused by its gates: {reason}{others}."


def _newest_held(head: Snapshot, *, use_case: UseCase) -> str:
    """Why the newest version waits for a person's word, where its figures are too good to be true."""
    newest = _newest(head, use_case=use_case)
    if newest is None or newest.status is not Status.CHALLENGER:
        return ""
    return why_held(head, use_case=use_case, version=newest.record.version)


def _newest(head: Snapshot, *, use_case: UseCase) -> ListedVersion | None:
    listed = listed_versions(head, use_case=use_case.name).versions
    return max(listed, key=lambda each: each.record.created_at, default=None)


def _held_back(lake: Lake, *, use_case: UseCase, folder: Path, now: datetime) -> str:
    """Why a retraining that is due does not start; nothing where none is due."""
    plan, state = use_case.retrain, training_state(lake, use_case=use_case, folder=folder)
    if plan is None or why_retrain(plan, state=state, now=now) is None:
        return ""
    return why_wait(plan, state=state, now=now) or ""

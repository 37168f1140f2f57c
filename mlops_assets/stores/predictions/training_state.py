"""What a use case's lake and alerts tell of its training: how the champion does, what changed, what is not learnt."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from mlops_assets.contract.retraining import TrainingState
from mlops_assets.contract.splits import TimeSplit
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.stores.alerts.inputs import input_drifts, open_input_alerts
from mlops_assets.stores.landing.progress import history_inputs
from mlops_assets.stores.models.champion import champion, events
from mlops_assets.stores.models.listing import listed_versions
from mlops_assets.stores.models.proposal import proposal
from mlops_assets.stores.models.record import ModelRecord
from mlops_assets.stores.models.registry import load_record
from mlops_assets.stores.models.unlearnt import unlearnt_batches
from mlops_assets.stores.predictions.watch_reports import latest_reports
from mlops_assets.watch.served.promise import worse_than_promised

WATCHED = 28
"""Days whose reports are read: two weeks of outcomes, which come late."""


def training_state(lake: Lake, *, use_case: UseCase, folder: Path) -> TrainingState:
    """What is known without the runs: those are the orchestrator's to add. ``folder`` holds the deployment's alerts."""
    snapshot, name = lake.at(), use_case.name
    serving = champion(snapshot, use_case=name)
    if serving is None:
        return TrainingState(champion=None, trained_at=None)
    record = load_record(snapshot, use_case=name, version=serving.version)
    versions = [listed.record for listed in listed_versions(snapshot, use_case=name).versions]
    newest = max(versions, key=lambda each: each.created_at, default=record)
    reports = latest_reports(snapshot, use_case=name, days=WATCHED)
    mine = [report for report in reports if report.version == record.version]
    waiting = proposal(snapshot, use_case=name)
    return TrainingState(
        champion=record.version,
        trained_at=record.created_at,
        worse=worse_than_promised(mine, metric=use_case.task.by_slice[1]),
        drifts=input_drifts(folder, use_case=name, since=record.created_at),
        open_alerts=open_input_alerts(folder, use_case=name),
        unlearnt=unlearnt_batches(lake, use_case=use_case, record=newest),
        immature=_immature(snapshot, use_case=use_case, record=record),
        tried=waiting.version if waiting and waiting.is_tried else None,
        rolled_back_at=_rolled_back_at(snapshot, use_case=name),
    )


def _immature(snapshot: Snapshot, *, use_case: UseCase, record: ModelRecord) -> str:
    """Why a model trained now could not be compared with the champion; empty if it can.

    A refit has learnt every day there was: until as many have passed as judge, it would be judged on what it has seen.
    """
    learnt = max((part.last for name, part in record.split.items() if name != "test" and part.last), default=None)
    if learnt is None or not isinstance(use_case.split, TimeSplit):
        return ""
    last, period = max(history_inputs(snapshot, use_case=use_case), default=""), use_case.batches.period
    if period is None:
        return ""
    tested_from = period.last_day(last) - timedelta(days=use_case.split.test_days - 1) if last else learnt
    if tested_from > learnt:
        return ""
    needed = learnt + timedelta(days=use_case.split.test_days)
    return (
        f"the champion has learnt the days to {learnt}, the {use_case.split.test_days} days that judge would begin on "
        f"{tested_from}, and so nothing could be compared before {needed} has landed"
    )


def _rolled_back_at(snapshot: Snapshot, *, use_case: str) -> datetime | None:
    moments = [move.at for move in events(snapshot, use_case=use_case) if move.action == "rolled back"]
    return max(moments, default=None)

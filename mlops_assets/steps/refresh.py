"""Refresh: what serving looks up, replaced as a whole from one lake commit, and taken back if it is wrong."""

from __future__ import annotations

from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import Connect
from mlops_assets.steps.step import Step
from mlops_assets.stores.features.online import OnlineStore
from mlops_assets.stores.features.online_refresh import Refresh, refresh_online_store


def refresh(head: Snapshot, *, use_case: UseCase, online: OnlineStore, connect: Connect) -> Step[Refresh]:
    """The online store as of the day after the last batch. It lies outside the lake: nothing is left to publish."""
    with connect() as connection:
        done = refresh_online_store(online, snapshot=head, use_case=use_case, connection=connection)
    return Step(outcome=done, checks=done.audits)

"""What people must know of challengers and promotions that nobody watches: who waits for them, stopped, or went back.

Read off the lake as it is, so saying it again is no news, and what is over is resolved by whoever looks next.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from mlops_assets.contract.alerts import Finding, Look, Urgency
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.steps.move_champion import BY_ITSELF
from mlops_assets.stores.alerts.book import AlertBook
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.proposal import proposal

WAITS, STOPPED, WENT_BACK = "trial/waits_for_approval", "trial/stopped", "trial/rolled_back"


def tell_of_challenger(lake: Lake, *, use_case: str, folder: Path, now: datetime) -> None:
    """Opens, keeps or resolves the alerts about the last proposal and the last move, in the deployment ``folder``."""
    found = {finding.cause: finding for finding in _findings(lake.at(), use_case=use_case)}
    looks = [
        Look(
            use_case=use_case,
            subject=cause,
            places=frozenset({""}),
            by=found[cause].what if cause in found else "",
            findings=(found[cause],) if cause in found else (),
        )
        for cause in (WAITS, STOPPED, WENT_BACK)
    ]
    with AlertBook(folder) as book:
        book.record(looks, now=now)


def _findings(head: Snapshot, *, use_case: str) -> Iterator[Finding]:
    told: dict[str, Any] = {"use_case": use_case, "urgency": Urgency.INFORM}
    proposed, serving = proposal(head, use_case=use_case), champion(head, use_case=use_case)
    if proposed and proposed.waits and serving and serving.version == proposed.champion:
        yield Finding(
            **told,
            cause=WAITS,
            since=proposed.at,
            what=f"The challenger {proposed.version} waits for approval: {proposed.why}.",
            normal=f"{proposed.champion} serves. The retraining was due: {proposed.reason}",
            to_do=f"Read its card (`mlops card {proposed.version}`), then `mlops approve {use_case} --why TEXT`.",
        )
    if proposed and proposed.stage == "stopped":
        yield Finding(
            **told,
            cause=STOPPED,
            since=proposed.at,
            what=f"The challenger {proposed.version} was stopped: {proposed.why}.",
            to_do="The champion serves on. The next retraining proposes another one.",
        )
    if serving and serving.action == "rolled back" and serving.by == BY_ITSELF:
        yield Finding(
            **told,
            cause=WENT_BACK,
            since=serving.at,
            what=f"{serving.version} serves again: {serving.why}",
            to_do="Find out what the version that went back has learnt; the next retraining waits for the cooldown.",
        )

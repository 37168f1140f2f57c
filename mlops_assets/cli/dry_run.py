"""`mlops run --dry-run`: what would be taken, refused and trained; no file, commit or Dagster run comes of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.markup import escape

from mlops_assets.cli.data import arrivals_of, scan_landing
from mlops_assets.cli.output import console, show
from mlops_assets.contract.paths import WHOLE
from mlops_assets.contract.splits import TimeSplit
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.connection import embedded_server
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import LakeKind, LakeSettings
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.steps.standstill import fewest_days
from mlops_assets.stores.landing.arrivals import Arrival, Arrivals
from mlops_assets.stores.landing.batch_files import judge_file
from mlops_assets.stores.landing.landing import Scan
from mlops_assets.stores.landing.progress import history_inputs


def show_dry_run(use_case: UseCase, *, through: str | None, train: bool, as_json: bool) -> bool:
    """Says what `mlops run` would do, every landed file judged as it would be; whether it would take everything."""
    with _lake_as_it_is() as lake:
        told = _would_do(use_case, lake.at(), through=through, train=train)
    show(told, as_json=as_json, text=lambda: _show(told))
    return not told["would_refuse"]


@contextmanager
def _lake_as_it_is() -> Iterator[Lake]:
    """The deployment's lake; where there is none yet, an empty one elsewhere that is gone afterwards."""
    settings = LakeSettings.from_environment()
    if settings.kind is not LakeKind.EMBEDDED or settings.root.exists():
        yield Lake.connect(settings)
        return
    with tempfile.TemporaryDirectory() as folder:
        elsewhere = LakeSettings.embedded(Path(folder))
        try:
            yield Lake.connect(elsewhere)
        finally:
            embedded_server(elsewhere.root).close()


def _would_do(use_case: UseCase, head: Snapshot, *, through: str | None, train: bool) -> dict[str, Any]:
    scan = scan_landing(use_case, settle_seconds=0)
    found = arrivals_of(use_case, scan, head=head)
    judged = {arrival.batch: _why_refused(arrival, use_case=use_case, head=head) for arrival in found.all}
    refused = {each.path.name: [each.reason] for each in scan.refused}
    refused.update({batch: why for batch, why in judged.items() if why})
    taken = [batch for batch, why in judged.items() if not why]
    return {
        "use_case": use_case.name,
        "would_take": [batch for batch in taken if batch != WHOLE],
        "would_take_reference": WHOLE in taken,
        "would_refuse": refused,
        "waits": [*found.left_out, *found.waiting, *_after_reference(use_case, scan, found=found)],
        "training": _training(use_case, head, taken=taken, through=through) if train else "not asked for",
    }


def _after_reference(use_case: UseCase, scan: Scan, *, found: Arrivals) -> list[str]:
    """Batches are judged with reference files, which a run takes before them."""
    waiting = {each.batch for each in scan.files if each.batch != WHOLE}
    if found.reference is None or found.batches or not waiting:
        return []
    return [f"{len(waiting)} batches of {use_case.name} are judged once the reference files are in the lake."]


def _why_refused(arrival: Arrival, *, use_case: UseCase, head: Snapshot) -> list[str]:
    reasons = []
    for file in arrival.files:
        source = use_case.source(file.source)
        report = judge_file(file.path, use_case=use_case, source=source, batch=arrival.batch, head=head).anomalies
        if report.refused:
            reasons += [f"{source.name}: {each.message}" for each in report.anomalies if each.severity == "ERROR"]
    return reasons


def _training(use_case: UseCase, head: Snapshot, *, taken: list[str], through: str | None) -> str:
    """What would be trained on, or why nothing could be."""
    there = {*history_inputs(head, use_case=use_case), *(batch for batch in taken if batch != WHOLE)}
    batches = sorted(batch for batch in there if through is None or batch <= through)
    if not batches:
        return "nothing to train on"
    if isinstance(use_case.split, TimeSplit) and len(batches) < (needed := fewest_days(use_case.split)):
        return f"cannot run: {len(batches)} days would be whole, and the split needs {needed} at least"
    return f"on {len(batches)} batches, {batches[0]} to {batches[-1]}"


def _show(told: Mapping[str, Any]) -> None:
    taken = told["would_take"]
    span = f", {taken[0]} to {taken[-1]}" if taken else ""
    reference = " and the reference files" if told["would_take_reference"] else ""
    console.print(f"Would take {len(taken)} batches{span}{reference}.")
    for name, reasons in told["would_refuse"].items():
        console.print(f"[red]Would refuse {escape(name)}[/]: {escape(' '.join(reasons))}", soft_wrap=True)
    for why in told["waits"]:
        console.print(f"[yellow]{escape(why)}[/]", soft_wrap=True)
    console.print(f"Training: {told['training']}. Nothing was changed.")

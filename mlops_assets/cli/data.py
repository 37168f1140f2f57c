"""`mlops land`, `run` and `status`: from landed files to the champion, and where things stand."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mlops_assets.cli.alerts import show_open
from mlops_assets.cli.checks import show_checks
from mlops_assets.cli.deployment import HELP, UseCaseName, dagster_instance, landing_zone, use_case_of
from mlops_assets.cli.progress import Steps
from mlops_assets.cli.trials import show_service
from mlops_assets.contract.errors import DeclarationError, PlatformError
from mlops_assets.contract.paths import batch_of
from mlops_assets.contract.source import Cadence, Source
from mlops_assets.contract.use_case import UseCase
from mlops_assets.judge.plausibility import BELIEVABLE
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import environment_directory
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.steps.tell_service import tell_champion
from mlops_assets.stores.landing.arrivals import Arrivals, arrivals, refusals
from mlops_assets.stores.landing.landing import Scan
from mlops_assets.stores.landing.own_files import land_files
from mlops_assets.stores.landing.progress import (
    judge_completeness,
    said_missing,
    said_unfinished,
    unfinished_batches,
)
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.listing import listed_versions
from mlops_assets.stores.predictions.served_days import served_days
from mlops_assets.use_cases import registry

console = Console()
SOME_REFUSED = 3
"""The exit code of `mlops run` when something that landed was refused and the rest was taken."""
HELD = 4
"""The exit code of `mlops run` when the version waits for a person, because its figures are too good to be true."""


def land(
    use_case: UseCaseName,
    files: Annotated[list[Path] | None, typer.Argument(metavar="[FILE]…", help="Your own files.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="First batch; the seed's first by default.")] = None,
    last: Annotated[
        str | None, typer.Option("--to", help="Last batch; by default the last that the demo trains on.")
    ] = None,
    source: Annotated[list[str] | None, typer.Option(help="Only this source; may be repeated.")] = None,
    batch: Annotated[
        str | None, typer.Option(help="The batch that your file is; by its name, or cut by time, by default.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace batches that have landed with other rows.")
    ] = False,
) -> None:
    """Land your own files, or without any play the source systems with seed data, one file per source and batch.

    A file of many days is cut into the days, weeks or months in which its source arrives. Files that are there with the
    same content are left alone. Real systems drop theirs in the same place,
    `data/landing/<use case>/<source>/<batch>.csv`. Exit code 3 if something was refused and the rest has landed.
    """
    chosen = use_case_of(use_case)
    for name in source or ():
        chosen.source(name)
    if files:
        refuse_no_batch(chosen, batch)
        _land_own(chosen, files, source=_one_source(chosen, source or ()), batch=batch, replace=replace)
        return
    _land_seed(chosen, first=first, last=last, source=source)


def _one_source(use_case: UseCase, named: Sequence[str]) -> Source:
    """The source that files are of: the one that is named, or the only one."""
    names = list(named) or [source.name for source in use_case.sources]
    if len(names) != 1:
        raise DeclarationError(f"Say with --source which of {', '.join(names)} the files are of: one at a time.")
    return use_case.source(names[0])


def _land_own(use_case: UseCase, files: Sequence[Path], *, source: Source, batch: str | None, replace: bool) -> None:
    landed = land_files(files, zone=landing_zone(), use_case=use_case.name, source=source, batch=batch, replace=replace)
    place = landing_zone().root / use_case.name / source.name
    rows = "" if landed.rows is None else f" of {landed.rows:,} rows"
    many = len(landed.written) + len(landed.unchanged)
    first_to_last = said_batches([*landed.written, *landed.unchanged])
    typer.echo(
        f"{place}: {many:,} {'batch' if many == 1 else 'batches'}{rows}{first_to_last}, {len(landed.written):,} "
        f"written, {len(landed.unchanged):,} were there already. `mlops run {use_case.name}` takes them in."
    )
    for reason in landed.refused:
        console.print(f"[red]{escape(reason)}[/]", soft_wrap=True)
    if landed.refused:
        raise typer.Exit(SOME_REFUSED)


def said_batches(batches: Sequence[str]) -> str:
    """``, 2013-01 to 2013-12``; nothing for none."""
    if not batches:
        return ""
    return f", {min(batches)} to {max(batches)}" if len(batches) > 1 else f", {batches[0]}"


def _land_seed(chosen: UseCase, *, first: str | None, last: str | None, source: list[str] | None) -> None:
    if chosen.seed is None:
        raise DeclarationError(
            f"{chosen.name} has no seed data to play back: land your own files, `mlops land {chosen.name} FILE…`."
        )
    for batch in (first, last):
        refuse_no_batch(chosen, batch)
    landed = chosen.player.land(
        landing_zone().root, first=first or chosen.player.first, last=last or chosen.player.last, sources=source or None
    )
    typer.echo(f"{landing_zone().root / chosen.name}: {landed}.")


def run(
    use_case: UseCaseName,
    through: Annotated[str | None, typer.Option(help="The last batch to train on; all by default.")] = None,
    ingest_only: Annotated[bool, typer.Option("--ingest-only", help="Stop before training.")] = False,
) -> None:
    """Take everything that has landed through the assets, up to the packaged champion.

    Batches that the lake holds already are left alone. What is refused is told and the rest goes on, with exit code 3.
    A version whose figures are too good to be true is held until you say why they are right, with exit code 4.
    Every run is in the Dagster UI.
    """
    chosen = use_case_of(use_case)
    refuse_no_batch(chosen, through)
    refused, trained = "", []
    with dagster_instance() as instance, Steps(console) as steps:
        from mlops_assets.orchestration.pipeline import SomeRefused, ingest, train

        try:
            ingested = ingest(chosen, instance=instance, steps=steps)
        except SomeRefused as error:
            ingested, refused = error.taken, str(error)
        _show_incomplete(chosen, _arrivals(chosen, scan_landing(chosen, settle_seconds=0), head=Lake.connect().at()))
        if not ingest_only:
            show_incomplete_data(chosen, through=through)
            trained = [train(chosen, instance=instance, steps=steps, through=through)]
    show_checks(console, trained)
    taken = sum(len(done.batches) for done in ingested)
    console.print(f"{taken} batches were taken in. `mlops status {use_case}` shows where things stand.")
    if refused:
        console.print(f"[red]{escape(refused)}[/]")
        raise typer.Exit(SOME_REFUSED)
    if any(check.check_name == BELIEVABLE and not check.passed for done in trained for check in done.checks):
        raise typer.Exit(HELD)


def status(use_case: Annotated[str | None, typer.Argument(help=f"{HELP} All by default.")] = None) -> None:
    """Show what has landed, what each stage of the lake holds, what waits and why, and which version serves."""
    use_cases, broken = registry.loaded() if use_case is None else ((use_case_of(use_case),), ())
    lake = Lake.connect()
    for chosen in use_cases:
        _show_status(chosen, lake=lake)
    for each in broken:
        console.print(f"[red]{escape(each.reason)}[/]", soft_wrap=True)


def _show_status(chosen: UseCase, *, lake: Lake) -> None:
    use_case, head = chosen.name, lake.at()
    scan = scan_landing(chosen)
    title = f"{use_case} on branch '{lake.target}' at {head.commit[:12]}"
    table = Table("batches of", "landed", "raw", "validated", "quarantine", "from – to", title=title)
    for source in chosen.sources:
        landed = [file.batch for file in scan.files if file.source == source.name]
        stages = [_batches(head, f"{use_case}/{stage}/{source.name}/") for stage in ("raw", "validated", "quarantine")]
        _row(table, source.name, landed, *stages)
    for made in ("history", "predictions", "monitoring"):
        _row(table, f"[dim]{made}[/]", [], _batches(head, f"{use_case}/{made}/"), [], [])
    console.print(table)
    found = _arrivals(chosen, scan, head=head)
    for refused in scan.refused:
        console.print(f"[yellow]{refused.path}[/]: {escape(refused.reason)}", soft_wrap=True)
    for reason in (*found.left_out, *refusals(lake.branches(), use_case=chosen, found=found)):
        console.print(f"[yellow]{escape(str(reason))}[/]", soft_wrap=True)
    _show_incomplete(chosen, found)
    if fresh := [arrival for arrival in found.batches if not arrival.lacking]:
        console.print(f"Landed and not in the lake like that: {len(fresh)} batches. `mlops run {use_case}`.")
    if any(arrival.lacking for arrival in found.all):
        console.print(f"`mlops run {use_case}` finishes what is unfinished.")
    show_open(use_case)
    _show_served(head, chosen)
    _tell_service(chosen, lake=lake)
    serving = champion(head, use_case=use_case)
    listing = listed_versions(head, use_case=use_case)
    damaged = f", and {len(listing.unreadable)} that cannot be read" if listing.unreadable else ""
    trained = max((each.record.created_at for each in listing.versions), default=None)
    console.print(
        f"Champion: {serving.version if serving else 'none yet'} of {len(listing.versions)} versions{damaged}."
        + (f" The newest was trained {trained:%Y-%m-%d %H:%M} UTC." if trained else "")
    )


def _tell_service(use_case: UseCase, *, lake: Lake) -> None:
    """Shows what the running service says; told here is what a promotion that was killed did not come to tell it."""
    try:
        tell_champion(lake, use_case=use_case, folder=environment_directory())
        show_service(use_case)
    except PlatformError as error:
        console.print(f"[red]The service cannot be told who serves:[/] {escape(str(error))}", soft_wrap=True)


def _arrivals(use_case: UseCase, scan: Scan, *, head: Snapshot) -> Arrivals:
    left = unfinished_batches(head, use_case=use_case)
    return arrivals(scan, head, use_case=use_case, today=datetime.now(UTC).date(), unfinished=left)


def _show_incomplete(use_case: UseCase, found: Arrivals) -> None:
    """What waits, what a run has left half-way, and which days are missing between those that are there."""
    unfinished, missing = said_unfinished(use_case, found.unfinished), said_missing(use_case, found.there)
    for reason in (*found.waiting, *unfinished, *missing):
        console.print(f"[yellow]{escape(reason)}[/]", soft_wrap=True)


def show_incomplete_data(use_case: UseCase, *, through: str | None = None) -> None:
    """Warns before training of what is not whole in the lake."""
    for reason in judge_completeness(Lake.connect().at(), use_case=use_case, through=through).reasons:
        console.print(f"[yellow]Training goes on without what is not there. {escape(reason)}[/]", soft_wrap=True)


def _show_served(head: Snapshot, use_case: UseCase) -> None:
    """When answers were last collected and watched, and what is left of both; nothing where nothing was served."""
    served = served_days(head, use_case=use_case, folder=environment_directory(), now=datetime.now(UTC))
    for folder, word in (("prediction_log", "collected"), ("monitoring", "watched")):
        if at := max((info.modified for info in head.paths(f"{use_case.name}/{folder}/")), default=0):
            console.print(f"Answers were last {word} {datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC.")
    if served.unwatched:
        console.print(f"Served and not watched like that: {len(served.unwatched)} days. `mlops watch {use_case.name}`.")
    elif served.uncollected:
        days = len(served.uncollected)
        console.print(f"Answers of {days} days wait to be collected. `mlops collect {use_case.name}`.")


def refuse_no_batch(use_case: UseCase, batch: str | None) -> None:
    """An error unless the use case can have a batch of that name; ``None`` is none to refuse."""
    faults = [
        fault
        for source in use_case.sources
        if source.cadence is not Cadence.STATIC and batch
        if (fault := source.batch_fault(batch))
    ]
    if faults:
        raise DeclarationError(f"'{batch}' is no batch of {use_case.name}: it {faults[0]}.")


def scan_landing(use_case: UseCase, *, settle_seconds: float = 2.0) -> Scan:
    """What has landed now."""
    return landing_zone().scan(use_case.name, sources=use_case.sources, now=time.time(), settle_seconds=settle_seconds)


def _batches(head: Snapshot, folder: str) -> list[str]:
    return [batch_of(info.path) for info in head.paths(folder)]


def _row(table: Table, name: str, *stages: Sequence[str]) -> None:
    there = sorted({batch for stage in stages for batch in stage})
    if there:
        table.add_row(
            name,
            *(str(len(stage)) if stage else "" for stage in stages),
            f"{there[0]} – {there[-1]}" if len(there) > 1 else there[0],
        )

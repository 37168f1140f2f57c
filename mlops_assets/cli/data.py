"""`mlops land` and `run`: from landed files to the champion. Where things stand is in ``status.py``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from mlops_assets.cli.checks import show_checks
from mlops_assets.cli.deployment import UseCaseName, dagster_instance, landing_zone, use_case_of
from mlops_assets.cli.exit_codes import ExitCode
from mlops_assets.cli.progress import Steps
from mlops_assets.cli.refusals import refusal_is_no_crash
from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.source import Cadence, Source
from mlops_assets.contract.use_case import UseCase
from mlops_assets.judge.plausibility import BELIEVABLE
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.stores.landing.arrivals import Arrivals, arrivals
from mlops_assets.stores.landing.landing import Scan
from mlops_assets.stores.landing.own_files import land_files
from mlops_assets.stores.landing.progress import (
    judge_completeness,
    said_missing,
    said_unfinished,
    unfinished_batches,
)

console = Console()


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
        raise typer.Exit(ExitCode.SOME_REFUSED)


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
    start, end = first or chosen.player.first, last or chosen.player.last
    landed = chosen.player.land(landing_zone().root, first=start, last=end, sources=source or None)
    _refuse_none_landed(chosen, first=start, last=end, names=source or [])
    typer.echo(f"{landing_zone().root / chosen.name}: {landed}.")


def _refuse_none_landed(use_case: UseCase, *, first: str, last: str, names: Sequence[str]) -> None:
    """Reference files land with whatever is asked for, so that none having landed shows in the batches alone."""
    arriving = {each.name for each in use_case.arriving} & set(names or [each.name for each in use_case.sources])
    landed = (each.batch for each in scan_landing(use_case, settle_seconds=0).files if each.source in arriving)
    if arriving and not any(first <= batch <= last for batch in landed):
        raise DeclarationError(f"The seed of {use_case.name} has no batch from {first} to {last}.")


def run(
    use_case: UseCaseName,
    through: Annotated[str | None, typer.Option(help="The last batch to train on; all by default.")] = None,
    ingest_only: Annotated[bool, typer.Option("--ingest-only", help="Stop before training.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be taken, refused, trained.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --dry-run: one JSON document, for programs.")] = False,
) -> None:
    """Take everything that has landed through the assets, up to the packaged champion.

    Batches that the lake holds already are left alone. What is refused is told and the rest goes on, with exit code 3.
    A version whose figures are too good to be true is held until you say why they are right, with exit code 4; with 5
    the gates refused the new version and the champion stays.
    Every run is in the Dagster UI.
    """
    chosen = use_case_of(use_case)
    refuse_no_batch(chosen, through)
    if dry_run:
        from mlops_assets.cli.dry_run import show_dry_run

        all_good = show_dry_run(chosen, through=through, train=not ingest_only, as_json=as_json)
        raise typer.Exit(ExitCode.DONE if all_good else ExitCode.SOME_REFUSED)
    if as_json:
        raise typer.BadParameter("a run is not one document: give --dry-run too, or ask `mlops status --json`.")
    refused, trained = "", []
    with dagster_instance() as instance, Steps(console) as steps:
        from mlops_assets.orchestration.pipeline import SomeRefused, ingest, train

        try:
            ingested = ingest(chosen, instance=instance, steps=steps)
        except SomeRefused as error:
            ingested, refused = error.taken, str(error)
        console.print(f"{sum(len(done.batches) for done in ingested)} batches were taken in.")
        if refused:
            console.print(f"[red]{escape(refused)}[/]", soft_wrap=True)
        _show_incomplete(chosen, arrivals_of(chosen, scan_landing(chosen, settle_seconds=0), head=Lake.connect().at()))
        if not ingest_only:
            show_incomplete_data(chosen, through=through)
            with refusal_is_no_crash(chosen):
                trained = [train(chosen, instance=instance, steps=steps, through=through)]
    show_checks(console, trained)
    console.print(f"`mlops status {use_case}` shows where things stand.")
    if refused:
        raise typer.Exit(ExitCode.SOME_REFUSED)
    if any(check.check_name == BELIEVABLE and not check.passed for done in trained for check in done.checks):
        raise typer.Exit(ExitCode.HELD)


def arrivals_of(use_case: UseCase, scan: Scan, *, head: Snapshot) -> Arrivals:
    """What has landed and is not in the lake like that, and what it holds half-way."""
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

"""`mlops accept`: a person says that unusual batches are the new usual, and why; or sees what was accepted."""

from __future__ import annotations

import getpass
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from mlops_assets.cli.deployment import UseCaseName, use_case_of
from mlops_assets.cli.output import AsJson, Table, show
from mlops_assets.contract.acceptance import Acceptance
from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.paths import served_profile_path
from mlops_assets.contract.source import Cadence, Source
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.stores.landing.acceptances import acceptances, publish_acceptance
from mlops_assets.stores.landing.batch_surroundings import recorded_unusual, stored_batches
from mlops_assets.stores.predictions.served_profiles import REQUESTS

console = Console()


def accept(
    use_case: UseCaseName,
    day: Annotated[str | None, typer.Option("--day", "--batch", help="The batch, such as 2013-03-10.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="The last day, if there are several.")] = None,
    source: Annotated[list[str] | None, typer.Option(help="Only this source, or `requests`; may be repeated.")] = None,
    reason: Annotated[str, typer.Option(help="Why these batches are usual from now on.")] = "",
    listed: Annotated[bool, typer.Option("--list", help="Show what was accepted, and what waits for it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say that batches that were unusual are the new usual: they count again for what is compared with the past.

    `--source requests` says it of what the service was asked on these days. Until then an unusual batch does not
    widen what is usual. Kept in the lake with who, when and why.
    """
    chosen = use_case_of(use_case)
    lake = Lake.connect()
    if listed:
        told = _accepted(chosen, head=lake.at())
        show(told, as_json=as_json, text=lambda: _show(told["accepted"], told["waiting"]))
        return
    if day is None:
        raise DeclarationError("Which batch? Say --day 2013-03-10 and --reason, or --list.")
    if not reason.strip():
        raise DeclarationError(f"Why is {day} usual from now on? Say --reason.")
    names = source or _arriving(chosen)
    sources = [chosen.source(name) for name in names if name != REQUESTS]
    _refuse_no_batches(sources, first=day, last=to or day)
    _refuse_unknown(chosen, sources, batch=day, head=lake.at())
    if REQUESTS in names:
        _refuse_unserved(chosen, first=day, last=to or day, head=lake.at())
    accepted = Acceptance(
        use_case=chosen.name,
        sources=tuple(names),
        first=day,
        last=to or day,
        reason=reason,
        by=getpass.getuser(),
        at=datetime.now(UTC),
    )
    publication = publish_acceptance(lake, accepted)
    several = f" to {to}" if to else ""
    typer.echo(f"Accepted {day}{several} of {', '.join(accepted.sources)}: commit {publication.commit[:12]}.")


def _arriving(use_case: UseCase) -> list[str]:
    return [one.name for one in use_case.sources if one.cadence is not Cadence.STATIC]


def _refuse_no_batches(sources: Sequence[Source], *, first: str, last: str) -> None:
    for one in sources:
        for batch in (first, last):
            if fault := one.batch_fault(batch):
                raise DeclarationError(f"'{batch}' is no batch of {one.name}: it {fault}.")
        if one.cadence is Cadence.NAMED and first != last:
            raise DeclarationError(f"Batches of {one.name} have names: accept them one by one, without --to.")
        if one.period and first > last:
            raise DeclarationError(f"{last} is before {first}: --to is the last {one.period}.")


def _refuse_unknown(use_case: UseCase, sources: Sequence[Source], *, batch: str, head: Snapshot) -> None:
    """A batch that the lake does not have in any of the sources was not unusual yet: nobody can accept it."""
    if sources and not any(batch in stored_batches(use_case, source=one, head=head) for one in sources):
        names = ", ".join(one.name for one in sources)
        raise DeclarationError(f"The lake has no batch {batch} of {names}: there is nothing to accept yet.")


def _refuse_unserved(use_case: UseCase, *, first: str, last: str, head: Snapshot) -> None:
    """A day whose requests were not watched yet was not unusual yet."""
    try:
        span = date.fromisoformat(first), date.fromisoformat(last)
    except ValueError as error:
        raise DeclarationError(f"'{first}' to '{last}' are no days, such as 2013-07-01: {error}.") from error
    if span[0] > span[1]:
        raise DeclarationError(f"{last} is before {first}: --to is the last day.")
    if not head.exists(served_profile_path(use_case.name, batch=first)):
        raise DeclarationError(f"No requests of {first} were watched: there is nothing to accept yet.")


def _accepted(use_case: UseCase, *, head: Snapshot) -> dict[str, Any]:
    """What was accepted, and by source the unusual batches, with their columns, that nobody accepted."""
    known = acceptances(use_case.name, head=head)
    waiting: dict[str, dict[str, list[str]]] = {}
    for name in _arriving(use_case):
        source = use_case.source(name)
        batches = stored_batches(use_case, source=source, head=head)
        unusual = recorded_unusual(batches, use_case=use_case, source=source, head=head)
        waiting[name] = {
            batch: sorted(columns)
            for batch, columns in unusual.items()
            if not any(each.covers(batch, source=name) for each in known)
        }
    return {"accepted": known, "waiting": waiting}


def _show(known: Sequence[Acceptance], waiting: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
    table = Table("batches", "sources", "by", "when", "why")
    for each in known:
        span = each.first if each.first == each.last else f"{each.first} to {each.last}"
        table.add_row(span, ", ".join(each.sources), each.by, f"{each.at:%Y-%m-%d %H:%M}", escape(each.reason))
    console.print(table if known else "Nothing was accepted.")
    for name, batches in waiting.items():
        told = [f"{batch} ({', '.join(columns)})" for batch, columns in batches.items()]
        console.print(f"[bold]{name}[/]: {len(told)} unusual batches that nobody accepted", *told, sep="\n  ")

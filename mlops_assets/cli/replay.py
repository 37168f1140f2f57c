"""`mlops replay`: a use case's seed as live traffic, day by day through the real service, with faults if asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import duckdb
import typer
from rich.console import Console
from rich.markup import escape

from mlops_assets.cli.deployment import UseCaseName, dagster_instance, landing_zone, use_case_of
from mlops_assets.cli.output import Table
from mlops_assets.cli.progress import Steps
from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import data_directory
from mlops_assets.steps.replay import (
    PlayedDay,
    Progress,
    Realised,
    Trouble,
    days_to_play,
    realised,
    refuse_servers,
)
from mlops_assets.steps.replay_faults import KINDS, fault_of
from mlops_assets.stores.models.champion import require_champion
from mlops_assets.stores.models.running_service import RunningService

if TYPE_CHECKING:
    from mlops_assets.orchestration.replay import Player

console = Console()
_FAULTS = "  ".join(f"`{kind}`: {what};" for kind, what in KINDS.items())


def replay(
    use_case: UseCaseName,
    first: Annotated[str, typer.Option("--from", help="The first day that is served.")],
    last: Annotated[str, typer.Option("--to", help="The last day.")],
    fault: Annotated[list[str] | None, typer.Option(help=f"What goes wrong; can be given twice. {_FAULTS}")] = None,
    fault_from: Annotated[str | None, typer.Option(help="Since when; without it from the first day.")] = None,
    fault_to: Annotated[str | None, typer.Option(help="The last day with the fault.")] = None,
    pace: Annotated[
        float | None, typer.Option(min=1, help="Seconds of a day in one of yours; without it as fast as it goes.")
    ] = None,
    loop: Annotated[bool, typer.Option("--loop/--no-loop", help="Retrain when the use case says so.")] = True,
    data: Annotated[Path | None, typer.Option(help="Its folder; without it one beside your data.")] = None,
) -> None:
    """Play a use case's seed as live traffic through the real service, in a data folder of its own.

    Every day: what arrives ahead, the day's requests over HTTP, watching, outcomes, alerts, and a retraining if one is
    due. Stopped and started again it goes on where it was. At the end it shows what came of it.
    """
    chosen = use_case_of(use_case)
    days = days_to_play(chosen, first=first, last=last)
    trouble = _trouble(chosen, fault or [], first=fault_from or first, last=fault_to)
    refuse_servers(os.environ)
    settings = {"from": first, "loop": str(loop), "faults": " ".join(fault or []), "fault_from": fault_from or first}
    settings["fault_to"] = fault_to or ""
    folder = data or data_directory() / _folder_name(chosen, settings)
    with _playing_in(folder):
        progress = Progress.open(folder / "replay.jsonl", settings=settings)
        progress = _play(chosen, days, progress=progress, trouble=trouble, loop=loop, pace=pace)
        _show(chosen, progress)
    console.print(
        f"Look at it with MLOPS_DATA_DIR={folder}, for example `mlops alerts` or `mlops dev`.", soft_wrap=True
    )


def _trouble(use_case: UseCase, names: list[str], *, first: str, last: str | None) -> Trouble:
    faults = tuple(fault_of(name, use_case=use_case) for name in names)
    try:
        end = date.fromisoformat(last) if last else date.max
        return Trouble(faults=faults, first=date.fromisoformat(first), last=end)
    except ValueError as error:
        raise DeclarationError(f"A fault is there from a day to a day, such as 2013-08-12: {error}.") from error


def _folder_name(use_case: UseCase, settings: dict[str, str]) -> str:
    named = "".join(each if each.isalnum() else "-" for each in settings["faults"]).strip("-")
    return "-".join(
        ["replay", use_case.name, *([named] if named else []), *([] if settings["loop"] == "True" else ["no-loop"])]
    )


@contextmanager
def _playing_in(folder: Path) -> Iterator[None]:
    """The deployment is ``folder`` meanwhile, for this process and the service that it starts."""
    before = os.environ.get("MLOPS_DATA_DIR")
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["MLOPS_DATA_DIR"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["MLOPS_DATA_DIR"]
        else:
            os.environ["MLOPS_DATA_DIR"] = before


def _play(
    use_case: UseCase, days: list[str], *, progress: Progress, trouble: Trouble, loop: bool, pace: float | None
) -> Progress:
    from mlops_assets.orchestration.replay import Player

    played = {each.day for each in progress.days}
    left = [day for day in days if day not in played]
    if not left:
        return progress
    with dagster_instance() as instance, Steps(console) as steps:
        player = Player(
            use_case=use_case,
            zone=landing_zone().root,
            instance=instance,
            steps=steps,
            trouble=trouble,
            loop=loop,
            pace=pace,
        )
        player.prepare(first=days[0])
        while left:
            with _service(use_case) as (service, version):
                while left and require_champion(Lake.connect().at(), use_case=use_case.name).version == version:
                    progress = progress.after(_day(player, service, left.pop(0), version=version, progress=progress))
    return progress


@contextmanager
def _service(use_case: UseCase) -> Iterator[tuple[RunningService, str]]:
    """The champion's service, and which version that is."""
    from mlops_assets.cli.serving import champion_tag

    tag = champion_tag(use_case)
    with RunningService.start(tag, data_dir=data_directory(), log=data_directory() / "replay-service.log") as service:
        yield service, tag.partition(":")[2]


def _day(player: Player, service: RunningService, day: str, *, version: str, progress: Progress) -> PlayedDay:
    from mlops_assets.orchestration.replay import with_news

    after, cursor, event = player.begin(progress.days[-1] if progress.days else None)
    came = player.look_ahead(day)
    with player.steps.step(f"Ask about {day}", total=24) as tell:  # type: ignore[attr-defined]
        asked, answered, refused = player.answer(service, day, after=after, tell=tell)
    seq = player.last_seq()
    player.end(day, came=came)
    events, cursor = player.news(day, cursor=cursor, event=event)
    told = PlayedDay(
        day=day,
        asked=asked,
        answered=answered,
        refused=refused,
        champion=version,
        retrained=player.retrain(day),
        seq=seq,
        cursor=cursor,
        event=event,
    )
    return with_news(told, events)


def _show(use_case: UseCase, progress: Progress) -> None:
    days = [each.day for each in progress.days]
    figures = realised(Lake.connect().at(), use_case=use_case, days=days, connect=duckdb.connect)
    for line in _lines_of_days(progress):
        console.print(escape(line), soft_wrap=True)
    console.print(_table_of_champions(figures))


def _lines_of_days(progress: Progress) -> Iterator[str]:
    """How many days and answers there were, and the days on which something was to be told."""
    answered = sum(each.answered for each in progress.days)
    yield f"{len(progress.days)} days, {answered:,} answers"
    for each in progress.days:
        told = {
            "opened": each.opened,
            "resolved": each.resolved,
            "retrained": (each.retrained,) if each.retrained else (),
        }
        if each.refused or any(told.values()):
            refused = f", {each.refused} requests refused" if each.refused else ""
            yield f"{each.day}: {each.answered:,} answers{refused}, by {each.champion}"
            yield from (f"  {what:<10}{said}" for what, every in told.items() for said in every)


def _table_of_champions(figures: list[Realised]) -> Table:
    table = Table(title="Champions over time, by what came true", title_justify="left", box=None)
    metrics = [name for name in ("roc_auc_score", "log_loss") if any(name in each.figures for each in figures)]
    for name in ("version", "from", "to"):
        table.add_column(name, no_wrap=True)
    for name in ("answers", "with outcome", *(metric.replace("_", " ") for metric in metrics)):
        table.add_column(name, justify="right")
    for each in figures:
        told = [each.figures.get(name) for name in metrics]
        shown = ["" if value is None else f"{value:.4f}" for value in told]
        table.add_row(each.version, each.first, each.last, f"{each.answered:,}", f"{each.labelled:,}", *shown)
    return table

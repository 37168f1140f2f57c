"""`mlops shadow …` and `mlops canary …`: a challenger beside the champion in the running service."""

from __future__ import annotations

import getpass
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import duckdb
import typer
from rich.console import Console
from rich.markup import escape

from mlops_assets.cli.comparison import overall_table, show_slices
from mlops_assets.cli.deployment import UseCaseName, VersionName, use_case_of
from mlops_assets.cli.output import AsJson, Table, show
from mlops_assets.contract.errors import ServingError, SettingError
from mlops_assets.contract.slices import OVERALL
from mlops_assets.contract.use_case import UseCase
from mlops_assets.judge.canary import Guards, Ruling, Tally, rulings
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import data_directory, environment_directory
from mlops_assets.steps import tell_service
from mlops_assets.steps.package import make_ready
from mlops_assets.steps.shadow_report import Agreement, ShadowReport, shadow_report
from mlops_assets.stores.serving_orders import CanaryOrder, ServingOrders, WorkerStatus

shadow_app = typer.Typer(no_args_is_help=True, help="A challenger that scores what is served, and answers nobody.")
canary_app = typer.Typer(no_args_is_help=True, help="A challenger that answers a share of the rows, step by step.")
console = Console()

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@shadow_app.command("start")
def start_shadow(use_case: UseCaseName, version: VersionName) -> None:
    """Let a version score the same requests off the answer's path, until it is stopped."""
    chosen, lake = use_case_of(use_case), Lake.connect()
    _package(lake, chosen, version=version)
    tell_service.start_shadow(lake, use_case=chosen, version=version, folder=environment_directory(), **_by_me())
    console.print(f"{version} scores what {use_case} answers from now on. `mlops shadow report {use_case}` compares.")


@shadow_app.command("stop")
def stop_shadow(use_case: UseCaseName) -> None:
    """Score no more; the pairs are kept."""
    orders = _orders(use_case_of(use_case))
    with orders.changing():
        orders.end_shadow()
    console.print(f"{use_case} has no shadow any more.")


@shadow_app.command("report")
def report(
    use_case: UseCaseName,
    version: Annotated[str | None, typer.Option(help="By default the shadow that scores now.")] = None,
    as_json: AsJson = False,
) -> None:
    """How far both agree, overall and by slice, and who was right once outcomes are in: paired, with intervals."""
    chosen, orders = use_case_of(use_case), _orders(use_case_of(use_case))
    order = orders.shadow()
    if version is None and order is None:
        raise ServingError(f"{use_case} has no shadow now: name one that it had, --version.")
    shadow = version or (order.version if order else "")
    told = shadow_report(
        Lake.connect().at(), use_case=chosen, version=shadow, folder=environment_directory(), connect=duckdb.connect
    )
    show(
        {"version": shadow, "report": told and _as_data(told)},
        as_json=as_json,
        text=lambda: _show_report(told, chosen, orders=orders, version=shadow),
    )


def _as_data(told: ShadowReport) -> dict[str, object]:
    """Without the pairs themselves."""
    named = ("challenger", "champion", "agreement", "collected", "labelled", "days", "lacking")
    differences = told.comparison.differences if told.comparison else ()
    return {**{name: getattr(told, name) for name in named}, "differences": differences}


def _show_report(told: ShadowReport | None, use_case: UseCase, *, orders: ServingOrders, version: str) -> None:
    _show_lost(orders, version=version)
    if told is None:
        console.print(f"{version} has scored nothing yet.")
        return
    console.print(_agreement_table(told.agreement, title=f"{told.challenger} beside {told.champion}"))
    console.print(f"{told.collected} of these predictions are collected, of {told.labelled} the outcome is known.")
    if told.comparison is None:
        console.print(f"Who was right cannot be said yet: {escape(told.lacking)}.", soft_wrap=True)
        return
    differences = told.comparison.differences
    overall = [each for each in differences if each.segment == OVERALL]
    console.print(overall_table(overall, gates=use_case.gates, of="served rows (first: the shadow)"))
    by_slice = use_case.task.by_slice[1]
    show_slices([each for each in differences if each.segment != OVERALL and each.metric == by_slice])


@canary_app.command("start")
def start_canary(
    use_case: UseCaseName,
    version: VersionName,
    steps: Annotated[str, typer.Option(help="Shares of the rows in percent, one after another.")] = "1,5,25,50",
    every: Annotated[str, typer.Option(help="The least time of a step, such as 90s, 10m or 2h.")] = "10m",
    rows: Annotated[int, typer.Option(min=1, help="Rows that each version must answer in a step.")] = Guards.rows,
    slower: Annotated[float, typer.Option(help="How many times the champion's time it may take.")] = Guards.slower,
    refused: Annotated[float, typer.Option(help="Share of requests that may be refused.")] = Guards.refused,
    shares: Annotated[float, typer.Option(help="How far the share of positives may differ.")] = Guards.shares,
) -> None:
    """Let a version answer a share of the rows: it rises while the guards hold, and is zero again if one does not."""
    chosen, lake = use_case_of(use_case), Lake.connect()
    _package(lake, chosen, version=version)
    order = tell_service.start_canary(
        lake,
        use_case=chosen,
        version=version,
        folder=environment_directory(),
        steps=_shares(steps),
        every=_seconds(every),
        guards=Guards(rows=rows, slower=slower, refused=refused, shares=shares),
        **_by_me(),
    )
    console.print(f"{version} answers {order.share:.0%} of the rows of {use_case}. `mlops canary status {use_case}`.")


@canary_app.command("stop")
def stop_canary(use_case: UseCaseName) -> None:
    """The champion answers every row again."""
    over = tell_service.stop_canary(use_case=use_case_of(use_case), folder=environment_directory(), **_by_me())
    console.print(f"{over.version} answers nobody any more.")


@canary_app.command("status")
def canary_status(use_case: UseCaseName, as_json: AsJson = False) -> None:
    """Where the canary is, what its guards say now, and every step with its reason."""
    orders = _orders(use_case_of(use_case))
    order, events = orders.canary(), list(orders.events())
    if order is None:
        show({"canary": None}, as_json=as_json, text=lambda: console.print(f"{use_case} has had no canary yet."))
        return
    said = [str(ruling) for ruling in _rulings(order, orders=orders)]
    canary = {name: getattr(order, name) for name in ("version", "state", "share", "since", "champion", "reason")}
    told = {"canary": canary, "guards": said, "events": events}
    show(told, as_json=as_json, text=lambda: _show_canary(order, said, events))


def _rulings(order: CanaryOrder, *, orders: ServingOrders) -> Sequence[Ruling]:
    """What the guards say of what all workers have counted in this step; nothing where it answers nobody."""
    if not order.share:
        return ()
    said = (worker.canary for worker in orders.workers(now=datetime.now(UTC)))
    tally = sum_of([each.tally for each in said if each and each.since == order.since])
    return rulings(tally, guards=order.guards, whole=order.state == "ready")


def _show_canary(order: CanaryOrder, said: Sequence[str], events: Sequence[Mapping[str, Any]]) -> None:
    console.print(f"{order.version}: {order.state}, {order.share:.0%} of the rows since {order.since:%Y-%m-%d %H:%M}.")
    for ruling in said:
        console.print(f"  {escape(ruling)}", soft_wrap=True)
    if order.state == "ready":
        console.print(f"Every guard held: `mlops promote {order.version}` makes it the champion.")
    for event in events:
        console.print(
            f"{event['at'][:19]} {event['canary']} {event['state']} at {event['share']:.0%}: {escape(event['reason'])}",
            soft_wrap=True,
        )


def sum_of(tallies: Sequence[Tally]) -> Tally:
    """What all workers counted."""
    total = Tally()
    for tally in tallies:
        total = total.plus(tally)
    return total


def show_worker(worker: WorkerStatus) -> None:
    """What a running worker answers with, and which versions it would not take, for `mlops status`."""
    console.print(_told(worker), soft_wrap=True)
    for version, reason in worker.refused.items():
        console.print(f"[red]It refused {version}[/]: {escape(reason)}", soft_wrap=True)


def _told(worker: WorkerStatus) -> str:
    beside = [f"{worker.shadow.version} is its shadow"] if worker.shadow else []
    beside += [f"{worker.canary.version} is its canary"] if worker.canary else []
    return (
        f"The service (process {worker.pid} on {worker.host}) answers by " + "; ".join([worker.version, *beside]) + "."
    )


def _show_lost(orders: ServingOrders, *, version: str) -> None:
    for worker in orders.workers(now=datetime.now(UTC)):
        if (shadow := worker.shadow) and shadow.version == version and shadow.dropped + shadow.failed:
            console.print(
                f"[yellow]Process {worker.pid} scored {shadow.scored} rows, dropped {shadow.dropped} that it had no "
                f"time or room for, and failed for {shadow.failed}.[/]",
                soft_wrap=True,
            )


def _agreement_table(agreement: Sequence[Agreement], *, title: str) -> Table:
    table = Table("segment", "pairs", "same decision", "mean difference", "mean size", title=title)
    for each in agreement:
        same = "" if each.same_decision is None else f"{each.same_decision:.2%}"
        figures = f"{each.mean_difference:+.4f}", f"{each.mean_size:.4f}"
        table.add_row(each.segment, f"{each.pairs:,}", same, *figures)
    return table


def _orders(use_case: UseCase) -> ServingOrders:
    return ServingOrders(environment_directory(), use_case=use_case.name)


def _package(lake: Lake, use_case: UseCase, *, version: str) -> None:
    make_ready(lake, use_case=use_case, data_dir=data_directory(), connect=duckdb.connect, version=version)


def _by_me() -> dict[str, object]:
    return {"by": getpass.getuser(), "at": datetime.now(UTC)}


def _shares(text: str) -> list[float]:
    try:
        return [float(part) / 100 for part in text.split(",")]
    except ValueError:
        raise SettingError(f"--steps '{text}' are no shares: write percents as 1,5,25,50.") from None


def _seconds(text: str) -> float:
    if not (match := re.fullmatch(r"(\d+)([smhd])", text)):
        raise SettingError(f"--every '{text}' is no time: write it as 90s, 10m or 2h.")
    return int(match[1]) * SECONDS[match[2]]

"""`mlops alerts …`: what stands, what is known of it, and what a person says of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from mlops_assets.cli.keys import end_of
from mlops_assets.cli.output import AsJson, show
from mlops_assets.contract.alerts import Alert, Event, State, acknowledge, lines_of, resolve, said_places, silence
from mlops_assets.contract.errors import SettingError
from mlops_assets.lake.settings import environment_directory
from mlops_assets.stores.alerts.book import AlertBook
from mlops_assets.stores.alerts.outbox import undelivered

alerts_app = typer.Typer(help="What somebody must know: list alerts, acknowledge, silence and resolve them.")
console = Console()
AlertId = Annotated[str, typer.Argument(help="An alert's id, or the beginning of one.", metavar="ID")]
COLOURS = {"page": "red", "inform": "yellow"}


@alerts_app.callback(invoke_without_command=True)
def alerts(context: typer.Context, as_json: AsJson = False) -> None:
    """Without a command: the list."""
    if context.invoked_subcommand is None:
        list_alerts(as_json=as_json)


@alerts_app.command("list")
def list_alerts(
    everything: Annotated[bool, typer.Option("--all", help="Those that are resolved too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what stands: what wakes somebody first, then the oldest first."""
    with AlertBook(environment_directory()) as book:
        standing, waiting = book.standing(), undelivered(book)
        shown = [*standing, *(book.resolved() if everything else [])]
    told = {
        "alerts": [_as_data(alert) for alert in shown],
        "undelivered": [
            {"channel": channel, "messages": count, "error": error} for channel, (count, error) in waiting.items()
        ],
    }
    show(told, as_json=as_json, text=lambda: _show_list(standing, shown, waiting))


def _as_data(alert: Alert) -> dict[str, object]:
    return {"id": alert.id, "state": alert.state, **alert.model_dump(mode="json")}


def _show_list(standing: Sequence[Alert], shown: Sequence[Alert], waiting: Mapping[str, tuple[int, str]]) -> None:
    console.print(said_standing(standing) or "No alert is open.")
    for alert in shown:
        _show_line(alert)
    for channel, (count, error) in waiting.items():
        console.print(f"[yellow]{count} messages wait for {escape(channel)}[/]: {escape(error) or 'not tried yet'}.")


@alerts_app.command("show")
def show_alert(name: AlertId, as_json: AsJson = False) -> None:
    """Show all that is known of one alert, and what became of it."""
    with AlertBook(environment_directory()) as book:
        alert = book.alert(name)
        events = book.events(alert)
    happened = [{"at": each.at, "kind": each.kind, "told": each.told, "places": each.alert.places} for each in events]
    told = {**_as_data(alert), "events": happened}
    show(told, as_json=as_json, text=lambda: _show_one(alert, events))


def _show_one(alert: Alert, events: Sequence[Event]) -> None:
    console.print(_heading(alert))
    for line in lines_of(alert):
        console.print(f"  {escape(line)}")
    if alert.silence:
        until, reason = alert.silence.until, alert.silence.reason
        console.print(f"  Silenced until {until:%Y-%m-%d %H:%M} UTC: {escape(reason)}")
    for event in events:
        places = said_places(event.alert.places)
        untold = "" if event.told else " (silenced: nobody was told)"
        console.print(f"  {event.at:%Y-%m-%d %H:%M}  {event.kind}{f', {places}' if places else ''}{untold}")


@alerts_app.command()
def ack(name: AlertId) -> None:
    """Say that somebody is at it; it is still told when it changes or is over."""
    _change(name, acknowledge, said="is acknowledged")


@alerts_app.command("silence")
def silence_alert(
    name: AlertId,
    until: Annotated[str, typer.Option(help="Its last day (UTC), such as 2027-06-30, or 7d.")],
    reason: Annotated[str, typer.Option(help="Why nobody needs to be told.")],
) -> None:
    """Tell nobody of it until the end of a day; if it stands then, it is told again."""
    now = datetime.now(UTC)
    end = end_of(until, option="--until", now=now)
    if end <= now or not reason.strip():
        raise SettingError("A silence needs a reason, and an end that is still to come.")
    _change(
        name, lambda alert: silence(alert, until=end, reason=reason), said=f"is silent until {end:%Y-%m-%d %H:%M} UTC"
    )


@alerts_app.command("resolve")
def resolve_alert(name: AlertId) -> None:
    """Say that it is over, where no later check can; the next that finds its cause opens it again."""
    _change(name, resolve, said="is resolved")


def said_standing(alerts: Iterable[Alert]) -> str:
    """``3 alerts are open, 1 of them pages.``"""
    standing = list(alerts)
    pages = sum(alert.finding.urgency == "page" for alert in standing)
    if not standing:
        return ""
    count = "1 alert is" if len(standing) == 1 else f"{len(standing)} alerts are"
    return f"{count} open; {pages or 'none'} to page somebody for."


def _change(name: str, by: Callable[[Alert], Alert], *, said: str) -> None:
    with AlertBook(environment_directory()) as book:
        alert = book.change(name, by, now=datetime.now(UTC))
    console.print(f"Alert {alert.id} ({escape(alert.finding.cause)}) {said}.")


def _heading(alert: Alert) -> str:
    urgency = alert.finding.urgency
    colour = "dim" if alert.state is State.RESOLVED else COLOURS[urgency]
    since = f"since {alert.finding.since:%Y-%m-%d %H:%M}"
    return f"{alert.id}  [{colour}]{urgency:<6}[/]  {alert.state:<12}  {escape(alert.finding.use_case)}, {since}"


def _show_line(alert: Alert) -> None:
    console.print(_heading(alert))
    places = said_places(alert.places)
    console.print(f"  {escape(alert.finding.cause)}{f': {places}' if places else ''}")
    console.print(f"  [dim]{escape(alert.finding.what)}[/]")

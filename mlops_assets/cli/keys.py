"""`mlops keys …`: who may ask this deployment's service. A secret is shown once, by `new`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from mlops_assets.cli.output import AsJson, Table, show
from mlops_assets.contract.errors import SettingError
from mlops_assets.lake.settings import keys_file
from mlops_assets.stores.keys import Key, Scope, new_key, read_keys, revoke_key

keys_app = typer.Typer(no_args_is_help=True, help="Who may ask the service: make, list and revoke keys.")
console = Console()


@keys_app.command()
def new(
    name: Annotated[str, typer.Argument(help="Whose it is, such as `shop` or `shop-2027`.")],
    scope: Annotated[list[Scope], typer.Option(help="What it opens; several times for several.")],
    rate: Annotated[float | None, typer.Option(min=0.001, help="Requests per second, counted by each worker.")] = None,
    burst: Annotated[int | None, typer.Option(min=1, help="Requests at once after a pause; --rate by default.")] = None,
    expires: Annotated[str | None, typer.Option(help="Its last day (UTC), such as 2027-06-30, or 90d.")] = None,
) -> None:
    """Make a key and print it: it is shown this once."""
    now = datetime.now(UTC)
    if burst is not None and rate is None:
        raise SettingError("--burst says how far a rate may be exceeded for a moment: give --rate too.")
    written = new_key(
        keys_file(),
        name=name,
        scopes=tuple(scope),
        now=now,
        expires_at=end_of(expires, option="--expires", now=now) if expires else None,
        rate=rate,
        burst=burst,
    )
    typer.echo(written)
    typer.echo("Keep it now: only its hash is stored. Send it as `Authorization: Bearer mlops_…`.", err=True)


@keys_app.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List all keys by id and name, with what they open and whether they still work."""
    keys, now = read_keys(keys_file()), datetime.now(UTC)
    told = {"keys": [_as_data(key, now=now) for key in keys]}
    show(told, as_json=as_json, text=lambda: _show_keys(keys, now=now))


def _as_data(key: Key, *, now: datetime) -> dict[str, object]:
    """Without the hash of its secret."""
    named = ("id", "name", "scopes", "rate", "burst", "created_at", "expires_at")
    return {**{name: getattr(key, name) for name in named}, "state": key.state(now)}


def _show_keys(keys: Sequence[Key], *, now: datetime) -> None:
    if not keys:
        console.print(
            "There are no keys: the service answers this machine alone. `mlops keys new NAME --scope predict`."
        )
        return
    table = Table(show_edge=False, pad_edge=False)
    for heading in ("id", "name", "scopes", "state", "per second", "made", "expires"):
        table.add_column(heading)
    for key in keys:
        table.add_row(*_row(key, now=now))
    console.print(table)


@keys_app.command()
def revoke(name: Annotated[str, typer.Argument(help="A key's id, or its name.")]) -> None:
    """Revoke a key for good; a running service refuses it within seconds."""
    key = revoke_key(keys_file(), name=name, now=datetime.now(UTC))
    console.print(f"{escape(key.name)} ({key.id}) is revoked.")


def _row(key: Key, *, now: datetime) -> tuple[str, ...]:
    return (
        key.id,
        escape(key.name),
        ", ".join(key.scopes),
        key.state(now),
        "any" if key.rate is None else f"{key.rate:g}, {key.burst} at once",
        f"{key.created_at:%Y-%m-%d}",
        "never" if key.expires_at is None else f"{key.expires_at:%Y-%m-%d %H:%M}",
    )


def end_of(text: str, *, option: str, now: datetime) -> datetime:
    """The end of that day, or so many days from now."""
    if days := re.fullmatch(r"([1-9][0-9]{0,4})d", text):
        return now + timedelta(days=int(days[1]))
    try:
        return datetime.combine(date.fromisoformat(text) + timedelta(days=1), time(), UTC)
    except (ValueError, OverflowError):
        raise SettingError(f"{option} '{text}' is neither a day such as 2027-06-30 nor a time such as 90d.") from None

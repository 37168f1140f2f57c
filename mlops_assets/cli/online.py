"""`mlops online …`: the store that serving looks up, rebuilt from the lake and verified against it at any time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import duckdb
import typer
from rich.console import Console

from mlops_assets.cli.deployment import UseCaseName, use_case_of
from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.errors import ServingError
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import environment_directory
from mlops_assets.stores.features.online import OnlineStore, open_online_store
from mlops_assets.stores.features.online_refresh import rebuild_online_store, verify_online_store

online_app = typer.Typer(no_args_is_help=True, help="The store that serving looks up.")
console = Console()


@online_app.command()
def rebuild(
    use_case: UseCaseName,
    at: Annotated[str | None, typer.Option(help="A lake commit, branch or tag; the target branch by default.")] = None,
) -> None:
    """Fill the online store from the lake, without Dagster; an older --at goes back to what was known then."""
    chosen = use_case_of(use_case)
    snapshot = Lake.connect().at(at)
    with _open(use_case) as online, duckdb.connect() as connection:
        done = rebuild_online_store(online, snapshot=snapshot, use_case=chosen, connection=connection)
    refuse(done.audits)
    entities = sum(len(view.entities) for view in done.view.history)
    console.print(f"As of {done.view.as_of}, from commit {snapshot.commit[:12]}: {entities:,} entities have a history.")


@online_app.command()
def verify(use_case: UseCaseName) -> None:
    """Compare every value in the store with what the lake says for its commit and day; exit code 1 if one differs."""
    lake = Lake.connect()
    with _open(use_case) as online, duckdb.connect() as connection:
        verdict = verify_online_store(online, lake=lake, use_case=use_case_of(use_case), connection=connection)
    refuse([verdict])
    as_of, commit = verdict.figures["as_of"], str(verdict.figures["commit"])
    console.print(f"Every value equals the lake's at commit {commit[:12]}, as of {as_of}.")
    if commit != (head := lake.head()):
        console.print(f"The lake has moved on to {head[:12]} since.")


def refuse(verdicts: tuple[CheckResult, ...] | list[CheckResult]) -> None:
    """Raises with the reasons of what did not pass."""
    reasons = [reason for verdict in verdicts if not verdict.passed for reason in verdict.reasons]
    if reasons:
        raise ServingError("\n".join(reasons))


@contextmanager
def _open(use_case: str) -> Iterator[OnlineStore]:
    store = open_online_store(use_case, data=environment_directory())
    try:
        yield store
    finally:
        store.close()

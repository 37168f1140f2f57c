"""`mlops lake …` (branches, log, diff, merge, revert, copy) and `mlops lakefs …` (the embedded server by
itself).

What the commands do is in ``stores/``; here are only their words, options and tables.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from mlops_assets.cli.output import AsJson, Table, show
from mlops_assets.contract.errors import LakeError
from mlops_assets.lake.branches import BranchInfo
from mlops_assets.lake.connection import embedded_lakefs_needed
from mlops_assets.lake.copy import copy_repository
from mlops_assets.lake.history import Change, CommitInfo
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import LakeKind, LakeSettings

DEFAULT_PORT = 8000
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}

lake_app = typer.Typer(no_args_is_help=True, help="Branches, history and environments of the lake.")
lakefs_app = typer.Typer(help="The embedded lakeFS server standing alone, and its garbage collection.")


@lake_app.command("branch")
def make_branch(
    name: Annotated[str, typer.Argument(help="Such as dev-alice: letters, digits, hyphens, underscores.")],
    source: Annotated[str | None, typer.Option("--from", help="Branch or commit; the target branch.")] = None,
) -> None:
    """Make a zero-copy branch to work on apart from production.

    Then `export MLOPS_LAKE_BRANCH=NAME`: every asset, sensor and command works there.
    """
    commit = Lake.connect().branch(name, source=source)
    typer.echo(f"Branch '{name}' starts at {commit[:12]}. To work on it: export MLOPS_LAKE_BRANCH={name}")


@lake_app.command("branches")
def show_branches(
    clean: Annotated[bool, typer.Option("--clean", help="Delete old branches of unpublished writes.")] = False,
    older_than: Annotated[str, typer.Option(help="Age limit for --clean, such as 7d, 12h or 30m.")] = "7d",
    delete: Annotated[str | None, typer.Option(help="Delete this branch, whatever its age.")] = None,
    as_json: AsJson = False,
) -> None:
    """List branches: environments, pinned model versions, and what failed or unfinished writes have left."""
    lake = Lake.connect()
    if delete is not None:
        lake.delete_branch(delete)
        typer.echo(f"Branch '{delete}' is gone.", err=as_json)
    found = lake.branches()
    if clean:
        found = lake.clean_branches(older_than=age(older_than), now=datetime.now(UTC))
        typer.echo(f"{len(found)} branches of unpublished writes older than {older_than} deleted.", err=as_json)
    if delete is None or as_json:
        show({"branches": found}, as_json=as_json, text=lambda: _print_branches(found))


@lake_app.command("diff")
def show_diff(
    other: Annotated[str, typer.Argument(help="The branch or commit whose changes to show.")],
    base: Annotated[str | None, typer.Option(help="What it would be merged into; the target branch.")] = None,
    prefix: Annotated[str, typer.Option(help="Only paths that start so.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show what merging a branch would bring."""
    changes = Lake.connect().diff(other, base=base, prefix=prefix)
    show({"changes": changes}, as_json=as_json, text=lambda: _print_changes(changes))


def _print_changes(changes: Sequence[Change]) -> None:
    for change in changes:
        typer.echo(f"{change.kind:<9} {change.path}")
    typer.echo(f"{len(changes)} files differ." if changes else "Nothing differs.")


@lake_app.command("log")
def show_log(
    path: Annotated[str | None, typer.Argument(help="Only what touched this file; a folder ends in '/'.")] = None,
    ref: Annotated[str | None, typer.Option(help="Branch, tag or commit; the target branch.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many commits.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show the newest commits: when, what, by which run, and how it was audited."""
    commits = Lake.connect().log(path, ref=ref, limit=limit)
    show({"commits": commits}, as_json=as_json, text=lambda: _print_log(commits))


def _print_log(commits: Sequence[CommitInfo]) -> None:
    table = Table("commit", "when", "what", "run", "audit")
    for commit in commits:
        metadata = commit.metadata
        when = commit.created.strftime("%Y-%m-%d %H:%M:%S")
        run, audit = metadata.get("run_id", "")[:8], metadata.get("audit", "")
        table.add_row(commit.id[:12], when, escape(commit.message), run, audit)
    Console().print(table)


@lake_app.command("merge")
def merge(
    source: Annotated[str, typer.Argument(help="The branch to merge.")],
    into: Annotated[str | None, typer.Option(help="The branch to merge into; the target branch.")] = None,
) -> None:
    """Bring the changes of a branch into another, all or none."""
    lake = Lake.connect()
    merged = lake.merge(source, into=into)
    onto = into or lake.target
    typer.echo(f"Nothing new for '{onto}'." if merged is None else f"'{onto}' is now at {merged[:12]}.")


@lake_app.command("revert")
def revert(
    commit: Annotated[str, typer.Argument(help="The commit to undo, as `mlops lake log` shows it.")],
    branch: Annotated[str | None, typer.Option(help="Where; the target branch.")] = None,
) -> None:
    """Undo one commit by a new one; what has happened since stays."""
    undone = Lake.connect().revert(commit, branch=branch)
    typer.echo(f"{commit[:12]} is undone by {undone.id[:12]}.")


@lake_app.command("copy")
def copy(
    data: Annotated[Path | None, typer.Option(help="Data folder of the embedded lake; the present one.")] = None,
    heads_only: Annotated[bool, typer.Option(help="Only the newest state of every branch.")] = False,
) -> None:
    """Copy the embedded lake into the real lakeFS that the settings name.

    Set LAKEFS_ENDPOINT and its keys first. Branches arrive with their history; every commit is found under
    its old id. A copy that was interrupted goes on where it stopped.
    """
    settings = LakeSettings.from_environment()
    if settings.kind is LakeKind.EMBEDDED:
        raise LakeError("Nowhere to copy to: set LAKEFS_ENDPOINT and its keys to the real lakeFS.")
    source = Lake.connect(LakeSettings.embedded(data or settings.root.parent, repository=settings.repository))
    for copied in copy_repository(source, Lake.connect(settings), heads_only=heads_only):
        typer.echo(f"{copied.branch}: {copied.commits} commits, {copied.files} files, {copied.bytes:,} bytes")


@lakefs_app.callback(invoke_without_command=True)
def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Loopback unless told otherwise.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free one.")] = DEFAULT_PORT,
) -> None:
    """Serve the embedded lake to other programs until stopped; without a subcommand."""
    if context.invoked_subcommand is None:
        with embedded_lakefs_needed():
            from lakefs_embedded import run_standalone
        run_standalone(LakeSettings.from_environment().root, host=host, port=port)


@lakefs_app.command("gc")
def gc(
    keep: Annotated[str, typer.Option(help="Keep what unreached commits younger than this hold.")] = "30d",
    dry_run: Annotated[bool, typer.Option(help="Only say what would go.")] = False,
) -> None:
    """Remove from the embedded store what no branch, tag or young commit reaches."""
    with embedded_lakefs_needed():
        from lakefs_embedded import collect_garbage
    root = LakeSettings.from_environment().root
    report = collect_garbage(root, keep=age(keep), now=datetime.now(UTC), dry_run=dry_run)
    typer.echo(str(report))


def age(text: str) -> timedelta:
    """`7d`, `12h` or `30m` as a time span."""
    found = re.fullmatch(r"(\d+)([dhm])", text)
    if found is None:
        raise typer.BadParameter(f"'{text}' is no age: such as 7d, 12h or 30m.")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _print_branches(branches: tuple[BranchInfo, ...]) -> None:
    table = Table("branch", "what it is", "commit", "last worked on", "run", "why")
    for branch in branches:
        when, run = branch.updated.strftime("%Y-%m-%d %H:%M"), branch.metadata.get("run_id", "")[:8]
        why = "\n".join(f"{batch}: {reasons}" if batch else reasons for batch, reasons in branch.refusals.items())
        table.add_row(
            branch.name, branch.kind.value, branch.commit[:12], when, run if branch.staged else "", escape(why)
        )
    if branches:
        Console().print(table)

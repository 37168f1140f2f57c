"""`mlops doctor`: what is configured, what can be reached, what is missing, and how to mend it."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import typer
from rich.markup import escape

from mlops_assets.cli.output import AsJson, Table, console, show
from mlops_assets.cli.status import standstills
from mlops_assets.contract.errors import PlatformError
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import LakeSettings, data_directory
from mlops_assets.stores.alerts.channels import alert_channels
from mlops_assets.stores.code import git_state
from mlops_assets.stores.models.champion import champion
from mlops_assets.use_cases import registry

LIBRARIES = ("dagster", "dagster-webserver", "lakefs", "duckdb", "xgboost", "bentoml", "pandas", "pandera")
LEAST_FREE_BYTES = 2 * 1024**3


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at. ``mend`` says what to do when it is not well, empty when it is; what ``stands_still`` waits
    in a deployment that is well.
    """

    what: str
    found: str
    mend: str = ""
    stands_still: bool = False


def doctor(as_json: AsJson = False) -> None:
    """Look at everything this deployment needs and say what to mend. Exit code 1 if something is missing."""
    findings = [
        finding
        for look in (_python, _libraries, _code, _use_cases, _data, _lake, _champions, _standing_still, _alerts, _ports)
        for finding in look()
    ]
    show({"findings": findings}, as_json=as_json, text=lambda: _show(findings))
    if any(finding.mend for finding in findings):
        raise typer.Exit(1)


def _show(findings: Sequence[Finding]) -> None:
    table = Table("", "what", "found", "what to do")
    for each in findings:
        mark = "[red]✗[/]" if each.mend else "[yellow]![/]" if each.stands_still else "[green]✓[/]"
        table.add_row(mark, each.what, escape(each.found), escape(each.mend))
    console.print(table)


def _python() -> Iterator[Finding]:
    supported = (3, 11) <= sys.version_info < (3, 14)
    yield Finding(
        what="Python", found=platform.python_version(), mend="" if supported else "Use Python 3.11, 3.12 or 3.13."
    )


def _libraries() -> Iterator[Finding]:
    for name in LIBRARIES:
        try:
            yield Finding(what=name, found=version(name))
        except PackageNotFoundError:
            yield Finding(what=name, found="not installed", mend="`make setup`")


def _code() -> Iterator[Finding]:
    """The commit that models record: one that git does not tell is said, never passed over."""
    git = git_state()
    changed = ", changed since" if git.dirty and not git.problem else ""
    yield Finding(what="git commit", found=f"{git.commit[:16]}{changed}", mend=git.problem)


def _use_cases() -> Iterator[Finding]:
    """A broken one stops no other, so it is said here."""
    use_cases, broken = registry.loaded()
    yield Finding(what="use cases", found=", ".join(each.name for each in use_cases) or "none")
    for each in broken:
        yield Finding(what=f"use case {each.name}", found=f"broken, {each.distribution}", mend=each.reason)


def _data() -> Iterator[Finding]:
    folder = data_directory()
    source = "MLOPS_DATA_DIR" if os.environ.get("MLOPS_DATA_DIR") else "the default"
    there = folder if folder.exists() else next(parent for parent in folder.parents if parent.exists())
    writable = os.access(there, os.W_OK)
    yield Finding(
        what="data folder",
        found=f"{folder}, {source}",
        mend="" if writable else f"{there} cannot be written: set MLOPS_DATA_DIR to a folder of yours.",
    )
    free = shutil.disk_usage(there).free
    enough = free >= LEAST_FREE_BYTES
    yield Finding(
        what="disk", found=f"{free / 1024**3:.1f} GiB free", mend="" if enough else "Make room: 2 GiB at least."
    )


def _lake() -> Iterator[Finding]:
    try:
        settings = LakeSettings.from_environment()
        yield Finding(what="lake", found=f"{settings.kind.value}: {settings.source}")
        yield from _file_systems(settings.root)
        lake = Lake.connect(settings)
        yield Finding(
            what="lake reachable",
            found=f"repository '{settings.repository}', branch '{lake.target}' at {lake.head()[:12]}",
        )
        left = [branch for branch in lake.branches() if branch.staged]
        yield Finding(what="branches of unpublished writes", found=f"{len(left)}; `mlops lake branches` lists them")
    except PlatformError as error:
        yield Finding(what="lake reachable", found="no", mend=str(error))


def _file_systems(root: Path) -> Iterator[Finding]:
    """The embedded lake moves files within its folder, which only works within one file system."""
    elsewhere = (
        [each.name for each in root.iterdir() if each.stat().st_dev != root.stat().st_dev] if root.exists() else []
    )
    if elsewhere:
        mend = f"Nothing can be written: put {' and '.join(elsewhere)} and {root} on one file system."
        yield Finding(what="lake folder", found=f"{', '.join(elsewhere)} on another file system", mend=mend)


def _champions() -> Iterator[Finding]:
    for name in (each.name for each in registry.loaded()[0]):
        try:
            serving = champion(Lake.connect().at(), use_case=name)
        except PlatformError as error:
            yield Finding(what=f"champion of {name}", found="unknown", mend=str(error))
            continue
        packaged = Path(
            data_directory() / "bentoml" / "bentos" / name / (serving.version if serving else "none")
        ).exists()
        found = f"{serving.version}, {'packaged' if packaged else 'not packaged here'}" if serving else "none yet"
        yield Finding(what=f"champion of {name}", found=found)


def _standing_still() -> Iterator[Finding]:
    """What waits in a deployment that works, by use case: `mlops status` says the same."""
    try:
        lake = Lake.connect()
        for use_case in registry.loaded()[0]:
            for each in standstills(use_case, lake=lake):
                yield Finding(what=f"{each.what} of {use_case.name}", found=each.why, stands_still=True)
    except PlatformError as error:
        yield Finding(what="what stands still", found="unknown", mend=str(error))


def _alerts() -> Iterator[Finding]:
    try:
        channels = ", ".join(alert_channels()) or "none, MLOPS_ALERT_URLS is not set: `mlops alerts` lists them"
        yield Finding(what="alerts are told by", found=channels)
    except PlatformError as error:
        yield Finding(what="alerts are told by", found="a URL that cannot be used", mend=str(error))


def _ports() -> Iterator[Finding]:
    for port, use in ((3000, "make dev"), (3001, "make serve")):
        taken = _is_taken(port)
        yield Finding(what=f"port {port} for `{use}`", found="in use, maybe by itself" if taken else "free")


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

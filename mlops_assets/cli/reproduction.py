"""`mlops reproduce`: a version trained again, with the code, data and hyperparameters of its record."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mlops_assets.cli.deployment import VersionName
from mlops_assets.cli.output import AsJson, Table, show
from mlops_assets.cli.versions import use_case_of_version
from mlops_assets.contract.errors import RegistryError
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import data_directory
from mlops_assets.stores.code import PACKAGE
from mlops_assets.stores.models.identity import use_case_code_version
from mlops_assets.stores.models.registry import load_record
from mlops_assets.stores.models.reproduction import Compared, Reproduction
from mlops_assets.stores.models.reproduction import reproduce as train_again

console = Console()
ROOT = PACKAGE.parent
SHORT = 16


def reproduce(
    version: VersionName,
    use_case: Annotated[str | None, typer.Option(help="Its use case, if two have such a version.")] = None,
    here: Annotated[
        bool, typer.Option("--here", help="Use the code of this checkout, whatever the record says.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train a version again from its record and compare bytes, figures and predictions; exit code 1 if one differs.

    The recorded git commit is checked out beside this one if its code differs, and the recorded lakeFS commit is read.
    """
    chosen = use_case_of_version(version, use_case=use_case)
    lake = Lake.connect()
    record = load_record(lake.at(), use_case=chosen.name, version=version)
    if here or record.code_version == use_case_code_version(chosen):
        found, with_code = train_again(lake, use_case=chosen, version=version), "this checkout"
    else:
        with _checked_out(record.git_commit) as code:
            found = _run_in(code, version=version, use_case=chosen.name)
            with_code = f"commit {record.git_commit[:SHORT]}, checked out for it"
    show(found, as_json=as_json, text=lambda: _show(found, with_code=with_code))
    if not found.same:
        raise typer.Exit(1)


@contextmanager
def _checked_out(commit: str) -> Iterator[Path]:
    """A work tree of that commit beside this one, for as long as it is needed."""
    if _git("cat-file", "-e", f"{commit}^{{commit}}").returncode:
        raise RegistryError(
            f"Commit {commit} of the record is not in this checkout: `git fetch --all` may bring it, "
            "and --here uses today's code instead."
        )
    with tempfile.TemporaryDirectory(prefix="mlops-reproduce-") as folder:
        tree = Path(folder) / "code"
        added = _git("worktree", "add", "--detach", str(tree), commit)
        if added.returncode:
            raise RegistryError(f"Commit {commit[:SHORT]} could not be checked out: {added.stderr.strip()}")
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _run_in(code: Path, *, version: str, use_case: str) -> Reproduction:
    """This command with another checkout's code on this deployment's data."""
    command = "from mlops_assets.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", command, "reproduce", version, "--use-case", use_case, "--here", "--json"],
        cwd=code,
        env={**os.environ, "PYTHONPATH": str(code), "MLOPS_DATA_DIR": str(data_directory().absolute())},
        capture_output=True,
        text=True,
        check=False,
    )
    if not done.stdout.strip():
        raise RegistryError(f"The code of the record could not train the version again: {done.stderr.strip()[-2000:]}")
    return Reproduction.model_validate_json(done.stdout)


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)


def _show(found: Reproduction, *, with_code: str) -> None:
    table = Table("", "compared", "recorded", "rebuilt", title=f"{found.version}, trained again")
    for each in found.compared:
        table.add_row(
            "[green]✓[/]" if each.same else "[red]✗[/]", each.what, _short(each.recorded), _short(each.rebuilt)
        )
    console.print(table)
    console.print(f"Trained with the code of {with_code}.", soft_wrap=True)
    if found.same:
        console.print("[green]Identical to the last bit.[/]")
        return
    console.print("[red]Not the same.[/] What may explain it:")
    for each in _suspects(found):
        console.print(f"  {each.what} was {each.recorded}, is {each.rebuilt}")
    if not _suspects(found):
        console.print("  Code and libraries are those of the record: another kind of processor, or a damaged library.")


def _suspects(found: Reproduction) -> list[Compared]:
    return [each for each in found.surroundings if not each.same]


def _short(value: str) -> str:
    """Checksums by their beginning."""
    return value[:SHORT] if len(value) == 64 else value

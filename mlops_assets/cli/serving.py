"""`mlops dev` and `mlops serve`: the Dagster UI, and the champion's service."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from typing import Annotated

import typer

from mlops_assets.cli.deployment import UseCaseName, use_case_of
from mlops_assets.contract.errors import ServingError
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import data_directory, environment_directory
from mlops_assets.stores.models.bento_store import find_bento, serve_command, serve_environment
from mlops_assets.stores.models.champion import champion


def dev(port: Annotated[int, typer.Option(help="Port of the UI.")] = 3000) -> None:
    """Start the Dagster UI, the pages it links to, and its daemon at 127.0.0.1, so sensors tick; Ctrl-C ends it."""
    from mlops_assets.orchestration.instance import dagster_home

    os.environ["DAGSTER_HOME"] = str(dagster_home(environment_directory()))
    command = [
        sys.executable,
        "-m",
        "dagster",
        "dev",
        "-m",
        "mlops_assets.definitions",
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
    ]
    _serve_pages()
    os.execv(sys.executable, command)


def _serve_pages() -> None:
    """A process beside this one that ends with it: it reads what only this one could write."""
    read, write = os.pipe()
    os.set_inheritable(write, True)  # stays open in the process that this one becomes
    subprocess.Popen([sys.executable, "-m", "mlops_assets.stores.pages"], stdin=read)
    os.close(read)


def serve(use_case: UseCaseName, port: Annotated[int, typer.Option(help="Port of the service.")] = 3001) -> None:
    """Serve the champion's Bento at 127.0.0.1 with `bentoml serve`; Ctrl-C ends it."""
    tag = champion_tag(use_case_of(use_case))
    os.execve(sys.executable, serve_command(tag, port=port), serve_environment(data_directory()))


def env() -> None:
    """Print what a shell needs to use `bentoml` by hand on this deployment: `eval "$(mlops env)"`."""
    for name, value in serve_environment(data_directory(), environ={}).items():
        typer.echo(f"export {name}={shlex.quote(value)}")


def champion_tag(use_case: UseCase) -> str:
    """The tag of the champion's Bento; a ServingError when there is no champion or it is not packaged."""
    serving = champion(Lake.connect().at(), use_case=use_case.name)
    if serving is None:
        raise ServingError(f"{use_case.name} has no champion yet: `mlops run {use_case.name}`.")
    if find_bento(use_case.name, version=serving.version, data_dir=data_directory()) is None:
        raise ServingError(f"The champion {serving.version} is not packaged here: materialise {use_case.name}/bento.")
    return f"{use_case.name}:{serving.version}"

"""`mlops dev` and `mlops serve`: the Dagster UI, and the champion's service."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Annotated

import duckdb
import typer

from mlops_assets.cli.deployment import UseCaseName, use_case_of
from mlops_assets.contract.errors import ServingError, SettingError
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import data_directory, environment_directory, keys_file
from mlops_assets.steps.package import make_ready
from mlops_assets.steps.tell_service import tell_champion
from mlops_assets.stores.alerts.channels import alert_channels
from mlops_assets.stores.keys import read_keys
from mlops_assets.stores.models.bento_store import find_bento, mark_latest, serve_command, serve_environment
from mlops_assets.stores.models.champion import champion

HOME = "127.0.0.1"


def dev(port: Annotated[int, typer.Option(help="Port of the UI.")] = 3000) -> None:
    """Start the Dagster UI, the pages it links to, and its daemon at 127.0.0.1, so sensors tick; Ctrl-C ends it."""
    from mlops_assets.orchestration.instance import dagster_home

    _refuse_port(HOME, port)
    alert_channels()  # a URL that cannot be used is refused here, not when there is something to tell
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


def serve(
    use_case: UseCaseName,
    port: Annotated[int, typer.Option(help="Port of the service.")] = 3001,
    host: Annotated[
        str, typer.Option(help="Address to listen at; another than this machine's own needs a key.")
    ] = HOME,
    workers: Annotated[int, typer.Option(min=1, envvar="MLOPS_SERVICE_WORKERS", help="Processes that answer.")] = 1,
) -> None:
    """Serve the champion's Bento with `bentoml serve`, at 127.0.0.1 unless told otherwise; Ctrl-C ends it."""
    chosen = use_case_of(use_case)
    _refuse_open_door(host)
    _refuse_port(host, port)
    tag = champion_tag(chosen)
    environment = {**serve_environment(data_directory()), "MLOPS_SERVICE_WORKERS": str(workers)}
    os.execve(sys.executable, serve_command(tag, port=port, host=host), environment)


def _refuse_open_door(host: str) -> None:
    """Without a key nobody but this machine may be let in: whoever reaches the port could ask."""
    now = datetime.now(UTC)
    if host == "localhost" or _is_loopback(host) or any(key.state(now) == "active" for key in read_keys(keys_file())):
        return
    raise SettingError(
        f"At {host} others could ask, and there is no key that works: `mlops keys new NAME --scope predict` makes one; "
        f"or leave out --host to answer this machine alone."
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _refuse_port(host: str, port: int) -> None:
    """Says at once what `bentoml serve` would say in many lines, once its workers have started."""
    if not 1 <= port <= 65535:
        raise SettingError(f"--port {port} is no port: choose one from 1 to 65535.")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise SettingError(f"Nothing can listen at {host}, port {port}: {error.strerror}. Choose another.") from error


def env() -> None:
    """Print what a shell needs to use `bentoml` by hand on this deployment: `eval "$(mlops env)"`."""
    for name, value in serve_environment(data_directory(), environ={}).items():
        typer.echo(f"export {name}={shlex.quote(value)}")


def champion_tag(use_case: UseCase) -> str:
    """The tag of the champion's Bento, packaged first where it is not here; a ServingError when there is no champion.

    Promotions package before they move the pointer, so that it is here unless this is another machine than theirs.
    """
    lake = Lake.connect()
    serving = champion(lake.at(), use_case=use_case.name)
    if serving is None:
        raise ServingError(f"{use_case.name} has no champion yet: `mlops run {use_case.name}`.")
    data_dir, version = data_directory(), serving.version
    if find_bento(use_case.name, version=version, data_dir=data_dir) is None:
        typer.echo(f"The champion {version} is not packaged here: packaging it.", err=True)
        make_ready(lake, use_case=use_case, data_dir=data_dir, connect=duckdb.connect, version=version)
        mark_latest(use_case.name, version=version, data_dir=data_dir)
    tell_champion(lake, use_case=use_case, folder=environment_directory())
    return f"{use_case.name}:{version}"

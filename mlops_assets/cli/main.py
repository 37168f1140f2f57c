"""The `mlops` command: what a person does from a terminal. Words and tables only; the work is done elsewhere."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated, Any

import typer

from mlops_assets.cli.data_folder import refuse_no_deployment, refuse_unusable_folder
from mlops_assets.cli.exit_codes import ExitCode
from mlops_assets.cli.lazy_group import LazyGroup
from mlops_assets.contract.errors import PlatformError

ELSEWHERE = ("doctor", "env", "schema", "lakefs", "new", "check")
"""Commands that look at the data folder themselves, or not at all."""
BEGINNING = ("land", "run", "dev", "keys", "replay", "demo", "lake")
"""Commands that may be the first in a data folder; all others need one that somebody has worked in."""
NOT_OURS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EMFILE)
"""What a machine says that is no fault of the program: it is told like an error of ours."""


class Commands(LazyGroup):
    """Every command in the order of help. Only the one that is run is imported: some take seconds to."""

    places = {  # noqa: RUF012
        "new": "mlops_assets.cli.new:new",
        "check": "mlops_assets.cli.check:check",
        "land": "mlops_assets.cli.data:land",
        "run": "mlops_assets.cli.data:run",
        "status": "mlops_assets.cli.status:status",
        "validate": "mlops_assets.cli.validation:validate",
        "accept": "mlops_assets.cli.accept:accept",
        "profile": "mlops_assets.cli.profiles:profile",
        "models": "mlops_assets.cli.models:models",
        "promote": "mlops_assets.cli.models:promote",
        "approve": "mlops_assets.cli.models:approve",
        "rollback": "mlops_assets.cli.models:rollback",
        "trace": "mlops_assets.cli.models:trace",
        "reproduce": "mlops_assets.cli.reproduction:reproduce",
        "compare": "mlops_assets.cli.comparison:compare",
        "card": "mlops_assets.cli.card:card",
        "dev": "mlops_assets.cli.serving:dev",
        "serve": "mlops_assets.cli.serving:serve",
        "keys": "mlops_assets.cli.keys:keys_app",
        "shadow": "mlops_assets.cli.trials:shadow_app",
        "canary": "mlops_assets.cli.trials:canary_app",
        "collect": "mlops_assets.cli.loop:collect",
        "score": "mlops_assets.cli.loop:score",
        "watch": "mlops_assets.cli.loop:watch",
        "monitor": "mlops_assets.cli.monitor:monitor",
        "retrain": "mlops_assets.cli.loop:retrain",
        "replay": "mlops_assets.cli.replay:replay",
        "alerts": "mlops_assets.cli.alerts:alerts_app",
        "env": "mlops_assets.cli.serving:env",
        "tune": "mlops_assets.cli.tuning:tune",
        "demo": "mlops_assets.cli.demo:demo",
        "doctor": "mlops_assets.cli.doctor:doctor",
        "features": "mlops_assets.cli.features:features_app",
        "schema": "mlops_assets.cli.schemas:schema_app",
        "lake": "mlops_assets.cli.lake:lake_app",
        "online": "mlops_assets.cli.online:online_app",
        "lakefs": "mlops_assets.cli.lake:lakefs_app",
    }

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        if not ctx.resilient_parsing and not _asks_for_help(rest) and name not in ELSEWHERE:
            refuse_unusable_folder()
            if name not in BEGINNING:
                refuse_no_deployment()
        return name, command, rest


def _asks_for_help(words: Sequence[str]) -> bool:
    return bool({"-h", "--help"} & set(words))


EXIT_CODES = "\b\n" + "\n".join(f"{code.value}  {code.meaning}" for code in ExitCode)

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,  # panels are unreadable at forty columns, and in a pipe
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    help=(
        "From a dropped file to a served, watched, reproducible model.\n\n"
        "A first round by hand; CASE is a use case, such as a folder of `mlops_assets/use_cases`:\n\n"
        "1. `mlops land CASE` lands seed data as the source systems would\n\n"
        "2. `mlops run CASE` takes what has landed through every asset up to the packaged champion\n\n"
        "3. `mlops status CASE` and `mlops models CASE` show where things stand\n\n"
        "4. `mlops serve CASE` answers at http://127.0.0.1:3001, `mlops trace ID` explains an answer\n\n"
        "`mlops demo` does all of it and shows it. `mlops doctor` tells what is configured and what is missing."
    ),
    epilog=f"Commands that show something take --json.\n\nExit codes:\n\n{EXIT_CODES}",
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"mlops {version('mlops-assets')}")
        raise typer.Exit


@app.callback()
def mlops(
    asked: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Only the commands do something."""


def main() -> None:
    """The console script. An error of ours is one red sentence and exit code 1, anything else a traceback."""
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
    _print_on_any_terminal()
    try:
        app()
    except PlatformError as error:
        _end_with(str(error))
    except OSError as error:
        if error.errno not in NOT_OURS:
            raise
        _end_with(f"{error.strerror}: {error.filename or 'on this machine'}. Mend it and run again.")


def _end_with(sentence: str) -> None:
    typer.secho(sentence, fg="red", err=True)
    sys.exit(ExitCode.ERROR)


def _print_on_any_terminal() -> None:
    """A character that a terminal has not is printed as `?`: what a command does never ends in the middle of it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")

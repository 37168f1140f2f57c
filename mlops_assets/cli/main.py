"""The `mlops` command: what a person does from a terminal. Words and tables only; the work is done elsewhere."""

from __future__ import annotations

import os
import sys

import typer

from mlops_assets.cli.lazy_group import LazyGroup
from mlops_assets.contract.errors import PlatformError


class Commands(LazyGroup):
    """Every command in the order of help. Only the one that is run is imported: some take seconds to."""

    places = {  # noqa: RUF012
        "new": "mlops_assets.cli.new:new",
        "check": "mlops_assets.cli.check:check",
        "land": "mlops_assets.cli.data:land",
        "run": "mlops_assets.cli.data:run",
        "status": "mlops_assets.cli.data:status",
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


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="markdown",
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
)


@app.callback()
def mlops() -> None:
    """Only the commands do something."""


def main() -> None:
    """The console script. An error of ours is one red sentence and exit code 1, anything else a traceback."""
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
    try:
        app()
    except PlatformError as error:
        typer.secho(str(error), fg="red", err=True)
        sys.exit(1)

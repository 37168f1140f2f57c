"""The `mlops` command: what a person does from a terminal. Words and tables only; the work is done elsewhere."""

from __future__ import annotations

import os
import sys

import typer

from mlops_assets.cli.data import data_commands
from mlops_assets.cli.demo import demo
from mlops_assets.cli.doctor import doctor
from mlops_assets.cli.features import features_app
from mlops_assets.cli.lake import lake_app, lakefs_app
from mlops_assets.cli.models import model_commands
from mlops_assets.cli.online import online_app
from mlops_assets.cli.profiles import profile_commands
from mlops_assets.cli.schemas import schema_app
from mlops_assets.cli.serving import serving_commands
from mlops_assets.cli.tuning import tune
from mlops_assets.cli.validation import validation_commands
from mlops_assets.ml.errors import PlatformError

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    help=(
        "From a dropped file to a served, watched, reproducible model.\n\n"
        "A first round by hand; CASE is a folder under `mlops_assets/use_cases`:\n\n"
        "1. `mlops land CASE` lands seed data as the source systems would\n\n"
        "2. `mlops run CASE` takes what has landed through every asset up to the packaged champion\n\n"
        "3. `mlops status CASE` and `mlops models CASE` show where things stand\n\n"
        "4. `mlops serve CASE` answers at http://127.0.0.1:3001, `mlops trace ID` explains an answer\n\n"
        "`mlops demo` does all of it and shows it. `mlops doctor` tells what is configured and what is missing."
    ),
)
for register in (data_commands, validation_commands, profile_commands, model_commands, serving_commands):
    register(app)
app.command()(tune)
app.command()(demo)
app.command()(doctor)
app.add_typer(features_app, name="features")
app.add_typer(schema_app, name="schema")
app.add_typer(lake_app, name="lake")
app.add_typer(online_app, name="online")
app.add_typer(lakefs_app, name="lakefs")


def main() -> None:
    """The console script. An error of ours is one red sentence and exit code 1, anything else a traceback."""
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
    try:
        app()
    except PlatformError as error:
        typer.secho(str(error), fg="red", err=True)
        sys.exit(1)

"""`mlops card`: a version's model card as one page."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from mlops_assets.cli.deployment import use_case_of_version
from mlops_assets.reports.model_card import card_file, write_card
from mlops_assets.stores.lake import Lake
from mlops_assets.stores.settings import environment_directory


def card(
    version: Annotated[str, typer.Argument(help="A version, as `mlops models` lists it.")],
    use_case: Annotated[str | None, typer.Option(help="Its use case, if two have such a version.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write the page.")] = None,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Write a version's model card: what it is for, how good, how sure, where weak, and what it was made from."""
    chosen = use_case_of_version(version, use_case=use_case)
    page = out or environment_directory() / "reports" / chosen.name / card_file(version)
    write_card(Lake.connect(), use_case=chosen, version=version, page=page)
    typer.echo(f"{page} ({page.stat().st_size // 1024} KB)")
    if show:
        webbrowser.open(page.resolve().as_uri())

"""`mlops card`: a version's model card as one page, and how a move of the champion by hand is shown."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from mlops_assets.cli.deployment import VersionName, dagster_instance
from mlops_assets.cli.versions import use_case_of_version
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import data_directory, environment_directory
from mlops_assets.reports.model_card import card_file, write_card
from mlops_assets.stores.models.champion import Pointer, reign
from mlops_assets.stores.models.explanation import explanation


def card(
    version: VersionName,
    use_case: Annotated[str | None, typer.Option(help="Its use case, if two have such a version.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write the page, a file or a folder.")] = None,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Write a version's model card: what it is for, how good, how sure, where weak, and what it was made from."""
    chosen = use_case_of_version(version, use_case=use_case)
    page = page_of(chosen, version) if out is None else out / card_file(version) if out.is_dir() else out
    write_card(Lake.connect(), use_case=chosen, version=version, page=page)
    typer.echo(f"{page} ({page.stat().st_size // 1024} KB)")
    if show:
        webbrowser.open(page.resolve().as_uri())


def show_move(lake: Lake, pointer: Pointer, *, use_case: UseCase, before: Pointer | None) -> None:
    """Writes the cards of both versions anew after a move of the champion by hand, and tells the Dagster UI."""
    from mlops_assets.orchestration.assets.champion import moved_by_hand
    from mlops_assets.orchestration.assets.evaluation import explained_by_hand

    for version in {pointer.version, before.version if before else pointer.version}:
        write_card(lake, use_case=use_case, version=version, page=page_of(use_case, version))
    promotion = reign(lake.at(), use_case=use_case.name) or pointer
    page = page_of(use_case, pointer.version)
    with dagster_instance() as instance:
        for event in moved_by_hand(pointer, promotion=promotion, use_case=use_case, page=page, root=data_directory()):
            instance.report_runless_asset_event(event)
        if said := explanation(lake.at(), use_case=use_case, version=pointer.version):
            instance.report_runless_asset_event(explained_by_hand(use_case, why=said.told()))


def page_of(use_case: UseCase, version: str) -> Path:
    """Where the platform keeps a version's card."""
    return environment_directory() / "reports" / use_case.name / card_file(version)

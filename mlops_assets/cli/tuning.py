"""`mlops tune`: a search for better hyperparameters, and what it found."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from mlops_assets.cli.deployment import UseCaseName, dagster_instance, use_case_of
from mlops_assets.cli.output import Table
from mlops_assets.cli.progress import Steps
from mlops_assets.contract.paths import hyperparameters_path
from mlops_assets.lake.lake import Lake
from mlops_assets.training.tuning import TunedRecipe

console = Console()


def tune(
    use_case: UseCaseName,
    trials: Annotated[int | None, typer.Option(min=1, help="Trials of the whole search, earlier runs' too.")] = None,
    seconds: Annotated[float | None, typer.Option(min=1, help="Begin new trials for so long.")] = None,
) -> None:
    """Search better hyperparameters inside the training window; the next model is trained with what is found.

    The budget is what the use case declares unless you set one. A search that was interrupted goes on where it stopped.
    """
    chosen = use_case_of(use_case)
    with dagster_instance() as instance, Steps(console) as steps:
        from mlops_assets.orchestration.pipeline import tune as search

        search(chosen, instance=instance, steps=steps, trials=trials, seconds=seconds)
    _show(TunedRecipe.from_json(Lake.connect().at().read(hyperparameters_path(chosen.name))))
    console.print(f"`mlops run {use_case}` trains with it; the gates decide whether that model is any better.")


def _show(found: TunedRecipe) -> None:
    pruned = len(found.trials) - len(found.finished)
    place = found.trials.index(found.best) + 1
    table = Table("", "declared", f"found in trial {place}", title=f"{len(found.trials)} trials, {pruned} given up")
    for name, value in found.best.hyperparameters.items():
        table.add_row(name, *(_told(each) for each in (found.declared.hyperparameters[name], value)))
    table.add_row("mean loss", f"{found.declared.loss:.5f}", f"{found.best.loss:.5f}")
    console.print(table)


def _told(value: float | int | str) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

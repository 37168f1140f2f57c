"""`mlops schema`: draft a schema from a file, and see what a changed one would have done."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import duckdb
import pandera.pandas as pandera
import typer
from rich.console import Console

from mlops_assets.cli.deployment import UseCaseName, use_case_of
from mlops_assets.cli.output import AsJson, Table, show
from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.paths import batch_of, raw_path
from mlops_assets.contract.schema import Model, read_schema
from mlops_assets.lake.lake import Lake
from mlops_assets.watch.validation.schema_diff import BatchDiff, compare_schemas
from mlops_assets.watch.validation.schema_draft import draft_schema

console = Console()
schema_app = typer.Typer(help="Draft schemas, and compare them on real batches.", no_args_is_help=True)


@schema_app.command()
def infer(
    files: Annotated[
        list[Path],
        typer.Argument(help="CSV files, packed or not, or Parquet, of one kind; or a folder of them.", exists=True),
    ],
    name: Annotated[str, typer.Option(help="The model's name.")] = "Rows",
    delimiter: Annotated[
        str | None, typer.Option(help="What separates the values; seen in the file if not said.")
    ] = None,
    header: Annotated[
        bool | None, typer.Option("--header/--no-header", help="Whether the first line has names; seen if not said.")
    ] = None,
) -> None:
    """Print a pandera model that accepts the files, and how they are written, as Python for a person to edit."""
    draft = draft_schema(*files, name=name, delimiter=delimiter, header=header)
    for warning in draft.warnings:
        typer.echo(warning, err=True)
    typer.echo(draft.code, nl=False)
    typer.echo("\n\n# The source of such files, for the declaration of the use case:")
    for line in draft.source(name="rows", schema=f"package.schemas:{name}").splitlines():
        typer.echo(f"# {line}")


@schema_app.command()
def diff(
    use_case: UseCaseName,
    source: Annotated[str, typer.Argument(help="The source whose schema is to change.")],
    proposed: Annotated[Path, typer.Argument(help="A Python file with the changed pandera model.", exists=True)],
    model: Annotated[str | None, typer.Option(help="The model's name, if the file has several.")] = None,
    last: Annotated[int, typer.Option(help="How many of the last batches to judge.")] = 30,
    as_json: AsJson = False,
) -> None:
    """Say what a changed schema would have accepted and refused over the last batches in the lake."""
    declared = use_case_of(use_case).source(source)
    other = _load(proposed, name=model)
    head = Lake.connect().at()
    folder = raw_path(use_case, source=source, batch="").rsplit("/", 1)[0] + "/"
    files = {batch_of(info.path): head.local(info.path) for info in head.paths(folder)[-last:]}
    if not files:
        raise DeclarationError(f"The lake has no batch of {use_case}/{source} yet: there is nothing to judge.")
    with duckdb.connect() as connection:
        found = compare_schemas(files, source=declared, proposed=other, connection=connection)
    before, now = declared.columns.version, read_schema(other).version
    told = {"schema_before": before, "schema_now": now, "batches": found}
    show(told, as_json=as_json, text=lambda: _show(f"schema {before} → {now}", found))


def _load(path: Path, *, name: str | None) -> Model:
    """The model in a file; the only one, or the one of that name."""
    spec = importlib.util.spec_from_file_location(f"proposed_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise DeclarationError(f"{path} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where pandera looks up the names of annotations
    spec.loader.exec_module(module)
    models = {
        key: value
        for key, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, pandera.DataFrameModel) and value.__module__ == spec.name
    }
    if name is None and len(models) == 1:
        return next(iter(models.values()))
    if name not in models:
        raise DeclarationError(f"Which model of {path}? Say --model with one of {', '.join(models) or 'none there'}.")
    return models[name]


def _show(heading: str, found: Sequence[BatchDiff]) -> None:
    console.print(f"{heading}, over {len(found)} batches")
    changed = [each for each in found if each.changed]
    if not changed:
        console.print("Every batch would have been judged as it was.")
        return
    table = Table("batch", "rows", "newly refused", "newly accepted", "batch")
    for each in changed:
        verdict = "" if each.passed_before == each.passes_now else "passes now" if each.passes_now else "refused now"
        table.add_row(each.batch, str(each.rows), _told(each.newly_refused), _told(each.newly_accepted), verdict)
    console.print(table)


def _told(rules: Mapping[str, int]) -> str:
    return "\n".join(f"{count} × {rule}" for rule, count in rules.items())

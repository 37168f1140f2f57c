"""`mlops features …`: every feature of a use case with what is known of it, and the features of rows of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import typer
from rich import box
from rich.console import Console
from typer.core import TyperGroup

from mlops_assets.cli.deployment import UseCaseName, use_case_of
from mlops_assets.cli.output import AsJson, Table, show
from mlops_assets.contract.errors import FeatureError
from mlops_assets.features.catalogue import LEARNT, Catalogue, Entry
from mlops_assets.lake.lake import Lake
from mlops_assets.reports.feature_catalogue import catalogue_page, freshness
from mlops_assets.stores.features.reading import point_in_time_features
from mlops_assets.stores.models.feature_catalogue import read_catalogue

At = Annotated[str | None, typer.Option(help="A lake commit, branch or tag; the target branch by default.")]


class _ListsByDefault(TyperGroup):
    """`mlops features flights` lists the features of flights: a first word that is no command is a use case."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        return super().resolve_command(ctx, args if args[0] in self.commands else ["list", *args])


features_app = typer.Typer(
    cls=_ListsByDefault,
    no_args_is_help=True,
    help="The features: `mlops features CASE` lists them, `mlops features get` computes them for rows of your own.",
)
console = Console()


@features_app.command(name="list")
def list_features(
    use_case: UseCaseName,
    at: At = None,
    find: Annotated[
        str, typer.Option(help="Only features with this text in name, description, owner or lineage.")
    ] = "",
    page: Annotated[Path | None, typer.Option(help="Write the catalogue there as one HTML file.")] = None,
    as_json: AsJson = False,
) -> None:
    """List every feature, the champion's most important first."""
    found = read_catalogue(Lake.connect().at(at), use_case=use_case_of(use_case))
    if page is not None:
        page.write_text(catalogue_page(found), encoding="utf-8")
    show(found, as_json=as_json, text=lambda: console.print(_table(found, find=find.lower())))
    if page is not None:
        typer.echo(f"Written to {page.resolve()}.", err=as_json)


@features_app.command()
def get(
    entities: Annotated[Path, typer.Option(help="A Parquet file with event_time and the columns that features read.")],
    out: Annotated[Path, typer.Option(help="The Parquet file to write: id, event_time and every feature.")],
    use_case: Annotated[str | None, typer.Option(help="Their use case; without it the first by name.")] = None,
    at: At = None,
) -> None:
    """Compute the features of rows as they were known at each row's own moment, from one lake commit."""
    try:
        rows = pq.read_table(entities)
    except (OSError, pa.ArrowInvalid) as error:
        raise FeatureError(f"'{entities}' cannot be read as Parquet: {error}") from error
    snapshot = Lake.connect().at(at)
    chosen = use_case_of(use_case)
    with duckdb.connect() as connection:
        table = point_in_time_features(rows, use_case=chosen, snapshot=snapshot, connection=connection)
    pq.write_table(table, out)
    console.print(f"{table.num_rows:,} rows, {table.num_columns} columns from commit {snapshot.commit[:12]} in {out}.")


def _table(catalogue: Catalogue, *, find: str) -> Table:
    shown = [entry for entry in catalogue.entries if find in _text(entry)]
    shown.sort(key=lambda entry: -(entry.importance or 0.0))
    through = f"training view through {catalogue.through}" if catalogue.through else "no training view yet"
    champion = f"champion {catalogue.champion}" if catalogue.champion else "no champion yet"
    title = f"{len(shown)} of {len(catalogue.entries)} features of {catalogue.use_case}: {through}, {champion}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, expand=True)
    table.add_column("feature", ratio=1)
    table.add_column("missing", justify="right", no_wrap=True)
    table.add_column("importance", justify="right", no_wrap=True)
    for entry in shown:
        missing = f"{entry.profile.missing_share:.1%}" if entry.profile else "–"
        importance = f"{entry.importance:.2%}" if entry.importance is not None else "–"
        table.add_row(_words(entry), missing, importance)
    return table


def _words(entry: Entry) -> str:
    """A feature in three lines: its name, what it means, and where it comes from."""
    default = [] if entry.default is None else [f"unknown counts as {entry.default}"]
    origins = ", ".join(entry.lineage) or ("the training rows" if entry.made_by == LEARNT else "the moment itself")
    told = " · ".join([entry.kind, entry.owner, *default, freshness(entry), f"from {origins}"])
    return f"[bold]{entry.name}[/]\n{entry.description}\n[dim]{told}[/]"


def _text(entry: Entry) -> str:
    return " ".join((entry.name, entry.description, entry.owner, *entry.lineage)).lower()

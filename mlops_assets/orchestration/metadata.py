"""What an asset tells of itself in the UI: column schema with meanings, column lineage, preview, row counts, pages."""

import base64
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa

from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.lineage import SourceColumn
from mlops_assets.reports.markdown import markdown_table
from mlops_assets.stores.pages import page_url

PREVIEW_ROWS = 5
PREVIEW_COLUMNS = 12
DIGITS = 6


def table_metadata(table: pa.Table, *, meanings: Mapping[str, str] | None = None) -> dict[str, object]:
    """Row count, column schema with the columns' ``meanings`` as far as they are known, and the first rows."""
    return {
        "dagster/row_count": table.num_rows,
        "dagster/column_schema": column_schema(table.schema, meanings=meanings or {}),
        "preview": preview(table),
    }


def readable(figure: Any) -> Any:
    """A float with as many digits as a person reads; anything else as it is."""
    return float(f"{figure:.{DIGITS}g}") if isinstance(figure, float) else figure


def column_schema(schema: pa.Schema, *, meanings: Mapping[str, str]) -> dg.TableSchema:
    """Names, types, nullability and meanings as Dagster shows them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=field.name,
                type=str(field.type),
                description=meanings.get(field.name) or None,
                constraints=dg.TableColumnConstraints(nullable=field.nullable),
            )
            for field in schema
        ]
    )


def column_lineage(origins: Mapping[str, Sequence[SourceColumn]], *, use_case: UseCase) -> dict[str, object]:
    """Which column of which validated source every column is made of, as the UI draws it."""
    deps = {
        name: [
            dg.TableColumnDep(
                asset_key=dg.AssetKey([use_case.name, f"validated_{origin.source}"]), column_name=origin.column
            )
            for origin in columns
        ]
        for name, columns in origins.items()
    }
    return {"dagster/column_lineage": dg.TableColumnLineage(deps_by_column=deps)}


def preview(table: pa.Table) -> dg.MarkdownMetadataValue:
    """The first rows as a Markdown table; wide tables are cut, and say so."""
    names = table.column_names[:PREVIEW_COLUMNS]
    head = table.select(names).slice(0, PREVIEW_ROWS).to_pylist()
    cut = len(table.column_names) - len(names)
    note = f"\n\n… and {cut} more columns" if cut else ""
    return dg.MetadataValue.md(markdown_table(names, [[readable(row[name]) for name in names] for row in head]) + note)


def table_of(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Collection[str] = ()
) -> dg.MarkdownMetadataValue:
    """A table that the UI shows in place."""
    return dg.MetadataValue.md(markdown_table(columns, rows, right=right))


def page_links(name: str, page: Path, *, root: Path) -> dict[str, dg.MetadataValue[Any]]:
    """A page below the data folder ``root``: where `mlops dev` shows it at a click, and the file itself."""
    return {name: dg.MetadataValue.url(page_url(page, root=root)), f"{name}_file": dg.MetadataValue.path(page)}


def svg_picture(what: str, svg: bytes) -> dg.MarkdownMetadataValue:
    """A picture that the UI shows in place."""
    return dg.MetadataValue.md(f"![{what}](data:image/svg+xml;base64,{base64.b64encode(svg).decode()})")

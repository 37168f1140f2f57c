"""Tables in Markdown, as the Dagster UI shows them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Collection[str] = ()) -> str:
    """One line per row below the names of ``columns``; those in ``right`` are aligned there. None is left empty."""
    rules = ["---:" if name in right else "---" for name in columns]
    return "\n".join(_line(cells) for cells in (columns, rules, *rows))


def _line(cells: Sequence[object]) -> str:
    return "| " + " | ".join("" if cell is None else str(cell).replace("|", "\\|") for cell in cells) + " |"

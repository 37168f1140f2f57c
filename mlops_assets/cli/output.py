"""How commands show what they found: as JSON for programs, or as text and tables that read at any width.

A command makes one plain answer and says how it is printed; ``show`` does one of both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated

import typer
from rich import table as rich_table
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.text import Text

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, for programs.")]

console = Console()


def show(answer: object, *, as_json: bool, text: Callable[[], object]) -> None:
    """``answer`` (plain data, dataclasses, pydantic models) as JSON with nothing beside it, or what ``text`` prints of
    it. A figure that is no number is ``null``, moments are ISO 8601.
    """
    if as_json:
        from pydantic_core import to_json

        typer.echo(to_json(answer, indent=1, inf_nan_mode="null", ensure_ascii=True, fallback=str).decode())
    else:
        text()


class Table(rich_table.Table):
    """A table where it fits without breaking a word, else its rows one below the other, each cell after its heading.

    Lines are drawn on a terminal only: what is piped is read by programs, or by people with a pager.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not console.is_terminal:
            self.box = None
        if self._narrowest(console, options) <= options.max_width:
            yield from super().__rich_console__(console, options)
        else:
            yield from self._stacked(console)

    def _narrowest(self, console: Console, options: ConsoleOptions) -> int:
        """The width below which a word would be broken."""
        wide = options.update_width(10_000)
        return self._extra_width + sum(self._least(console, wide, column) for column in self.columns)

    def _least(self, console: Console, options: ConsoleOptions, column: rich_table.Column) -> int:
        measured: Measurement = self._measure_column(console, options, column)
        return measured.maximum if column.no_wrap else measured.minimum

    def _stacked(self, console: Console) -> Iterator[RenderableType]:
        """Every row as lines of `heading: cell`, after the first one indented; a mark without a heading leads it."""
        if self.title:
            yield console.render_str(self.title) if isinstance(self.title, str) else self.title
        headings = [str(column.header).strip() for column in self.columns]
        for cells in zip(*(column.cells for column in self.columns), strict=True):
            named = [(name, console.render_str(str(cell))) for name, cell in zip(headings, cells, strict=True)]
            mark = Text(" ").join(cell for name, cell in named if not name and cell)
            lines = [Text.assemble((f"{name}: ", "dim"), cell) for name, cell in named if name and cell]
            yield Text(" ").join([mark, *lines[:1]]) if mark else Text().join(lines[:1])
            yield from (Padding(line, (0, 0, 0, 2), expand=False) for line in lines[1:])
            yield Text()

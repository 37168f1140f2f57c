"""What commands show: one document for programs, and tables that read at any width."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import pytest
import typer
from rich.console import Console

from mlops_assets.cli.output import Table, show


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Found:
    at: datetime
    colour: Colour
    figure: float


def printed(table: Table, *, width: int, terminal: bool = False) -> str:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=terminal, color_system=None).print(table)
    return out.getvalue()


def findings() -> Table:
    table = Table("", "what", "found", "what to do", title="Findings")
    table.add_row("[red]✗[/]", "data folder", "/somewhere/that/cannot/be/written", "Set MLOPS_DATA_DIR to another.")
    table.add_row("[green]✓[/]", "disk", "59 GiB free", "")
    return table


def test_an_answer_is_one_document_for_programs_and_prints_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    answer = {"found": Found(datetime(2013, 7, 1, tzinfo=UTC), Colour.RED, float("nan")), "page": Path("/a–b")}

    show(answer, as_json=True, text=lambda: typer.echo("a table"))

    said = capsys.readouterr().out
    assert said.isascii()
    assert json.loads(said) == {
        "found": {"at": "2013-07-01T00:00:00Z", "colour": "red", "figure": None},
        "page": "/a–b",
    }


def test_people_are_shown_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    show({}, as_json=False, text=lambda: typer.echo("a table"))

    assert capsys.readouterr().out == "a table\n"


def test_a_table_that_fits_is_one_with_lines_on_a_terminal_alone() -> None:
    assert "│" in printed(findings(), width=200, terminal=True)
    assert "│" not in printed(findings(), width=200)
    assert "data folder" in printed(findings(), width=200)


def test_a_table_that_does_not_fit_is_rows_one_below_the_other() -> None:
    said = printed(findings(), width=40)

    assert [line.rstrip() for line in said.splitlines()] == [
        "Findings",
        "✗ what: data folder",
        "  found:",
        "  /somewhere/that/cannot/be/written",
        "  what to do: Set MLOPS_DATA_DIR to",
        "  another.",
        "",
        "✓ what: disk",
        "  found: 59 GiB free",
        "",
    ]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120])
@pytest.mark.parametrize("terminal", [True, False])
def test_no_width_loses_a_word(width: int, terminal: bool) -> None:
    said = printed(findings(), width=width, terminal=terminal)

    joined = "".join(said.replace("│", " ").split())
    for word in ("data", "folder", "MLOPS_DATA_DIR", "another.", "disk", "GiB", "free"):
        assert word in joined
    assert max(len(line) for line in said.splitlines()) <= width

"""Every `mlops` command that a page shows is there, with every option that it is shown with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from mlops_assets.cli.main import app
from mlops_assets_tests.documented import DOCS, blocks

PAGES = [DOCS.parent / "README.md", DOCS.parent / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]


def shown(page: Path) -> set[str]:
    """What a page shows of commands, in blocks and between backticks, without what is behind a `#` or a pipe."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in blocks(page) for line in block.replace("\\\n", " ").splitlines()]
    found = [*lines, *re.findall(r"^    (mlops .*)$", text, flags=re.MULTILINE), *re.findall(r"`(mlops [^`]+)`", text)]
    cleaned = (re.split(r"\s#|  |[|&;]", line.strip())[0].strip() for line in found)
    return {line.removeprefix(".venv/bin/") for line in cleaned if re.match(r"(?:\.venv/bin/)?mlops [a-z]", line)}


def faults(line: str) -> Iterator[str]:
    """What of a command line does not exist."""
    words = line.split()[1:]
    command, name = _commands(), "mlops"
    while getattr(command, "commands", None) and words and not words[0].startswith("-"):
        name, command = words[0], _within(command, words.pop(0))
        if command is None:
            yield f"there is no '{name}' in `{line}`"
            return
    known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)} | {"--help"}
    told = {word.split("=")[0].strip("[]") for word in words if word.lstrip("[").startswith("--")}
    yield from (f"{name} has no {option}, as in `{line}`" for option in sorted(told - known))


@cache
def _commands() -> Any:
    return typer.main.get_command(app)


def _within(group: Any, name: str) -> Any:
    """The command that a group takes this word for; None if it takes it for none."""
    try:
        return group.resolve_command(typer.Context(group), [name])[1]
    except Exception:  # noqa: BLE001 - the kinds are of click, which Typer brings under another name
        return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_on_a_page_exists_with_its_options(page: Path) -> None:
    assert [fault for line in sorted(shown(page)) for fault in faults(line)] == []


def test_a_command_that_is_none_is_found() -> None:
    assert list(faults("mlops lake bake")) == ["there is no 'bake' in `mlops lake bake`"]
    assert list(faults("mlops land income --nowhere x")) == [
        "land has no --nowhere, as in `mlops land income --nowhere x`"
    ]

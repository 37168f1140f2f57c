"""Commands that are imported when they are run: what help lists of them is read from their source, not executed.

Where which command is, is in ``main.py``.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup


class LazyGroup(TyperGroup):
    """A group whose ``places`` say where each command is: ``package.module:name`` of a function, or of a Typer app."""

    places: ClassVar[Mapping[str, str]]

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        told = {name: _help_of(place) for name, place in self.places.items()}
        self.commands = {
            name: TyperCommand(name, help=said, short_help=_first_paragraph(said)) for name, said in told.items()
        }

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, self.load(name) if name in self.places else command, rest

    def load(self, name: str) -> Any:
        """The command itself, imported."""
        module, _, attribute = self.places[name].partition(":")
        found, alone = getattr(import_module(module), attribute), typer.Typer(rich_markup_mode=self.rich_markup_mode)
        if isinstance(found, typer.Typer):
            alone.add_typer(found, name=name)
        else:
            alone.command(name)(found)
        command = typer.main.get_group(alone).commands[name]
        for below in getattr(command, "commands", {}).values():
            below.short_help = _first_paragraph(below.help)
        return command


def _first_paragraph(told: str | None) -> str:
    """What a list of commands says of one: folded into the width that there is, where a library's own cuts it off."""
    return " ".join((told or "").split("\n\n")[0].split())


def _help_of(place: str) -> str | None:
    """The docstring of a function, or what a Typer app is made with as ``help``."""
    module, _, attribute = place.partition(":")
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == attribute:
            return ast.get_docstring(node)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == attribute:
            assert isinstance(node.value, ast.Call)
            told = {each.arg: each.value for each in node.value.keywords}
            return str(ast.literal_eval(told["help"]))
    return None

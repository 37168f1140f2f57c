"""The platform knows no use case: no word of one stands in code outside its folder.

The words are read off the declarations (its name, sources, columns, features, slices, entities). Comments and
docstrings may give examples; code may not. ``GENERIC`` are words of programming and of time that columns share.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_assets.contract.use_case import UseCase
from mlops_assets.use_cases import registry

ROOT = Path(__file__).parents[2]
FOLDERS = (ROOT / "mlops_assets", ROOT / "bento")
WORD = re.compile(r"[A-Za-z_]\w*")
GENERIC = frozenset(
    {"name", "type", "model", "engine", "engines", "temp", "tz", "origin", "dest", "route", "distance"}  # of programs
    | {"year", "month", "day", "hour", "minute", "day_of_week", "age"}  # of time
)


@pytest.mark.parametrize("name", registry.names())
def test_no_code_outside_its_folder_knows_the_words_of_a_use_case(name: str) -> None:
    words = words_of(registry.find(name)) - GENERIC

    known = [
        f"{path.relative_to(ROOT)}:{line} says '{word}'"
        for folder in FOLDERS
        for path in sorted(folder.rglob("*.py"))
        if ROOT / "mlops_assets" / "use_cases" / name not in path.parents
        for text, line in code_of(path)
        for word in WORD.findall(text)
        if word.lower() in words
    ]

    assert words > {name}
    assert known == []


@pytest.mark.parametrize("name", registry.names())
def test_no_sql_outside_its_folder_knows_the_name_of_a_use_case(name: str) -> None:
    outside = [path for path in (ROOT / "mlops_assets").rglob("*.sql") if name not in path.parts]

    assert [path for path in outside if re.search(rf"\b{name}\b", path.read_text(encoding="utf-8"))] == []


def words_of(use_case: UseCase) -> set[str]:
    """Everything that only this use case has a name for, in lower case."""
    named = [*use_case.sources, *use_case.features, *use_case.slices, *use_case.history, *use_case.asof]
    columns = [column for source in use_case.sources for column in source.columns.names]
    keys = [key for view in (*use_case.history, *use_case.asof) for key in view.keys]
    return {word.lower() for word in (use_case.name, *(each.name for each in named), *columns, *keys)}


def code_of(path: Path) -> Iterator[tuple[str, int]]:
    """The names and texts of a module with their lines, without comments and docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        for field in ("id", "attr", "arg", "name"):
            if isinstance(getattr(node, field, None), str):
                yield getattr(node, field), node.lineno  # type: ignore[attr-defined]
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value, node.lineno

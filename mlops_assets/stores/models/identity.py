"""What decides a model's bytes besides data and recipe: what the use case declares, its SQL, and the code that makes
features and trains.

A version's id is made of it, so what is left out matters as much: gates, slices, monitoring, texts for people,
comments, docstrings, in which file a definition stands, and what else stands there. Which commit is running is told by
``stores/code.py``.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from mlops_assets.contract.plugins import use_case_place
from mlops_assets.contract.sql import GeneratedSql
from mlops_assets.contract.use_case import UseCase
from mlops_assets.stores.code import PACKAGE, code_version

DECIDING = (
    "contract/features.py",
    "contract/history.py",
    "contract/learning.py",
    "contract/splits.py",
    "contract/sql.py",
    "contract/thresholds.py",
    "features/entity_codes.py",
    "features/history.py",
    "features/learnt.py",
    "features/matrix.py",
    "features/relations.py",
    "features/roll_up.py",
    "features/sql.py",
    "features/training_view.py",
    "training/booster.py",
    "training/calibration.py",
    "training/fit.py",
    "training/splitting.py",
    "training/thresholds.py",
)
"""The modules that aggregate, join, encode, split and fit. A test holds that nothing else of ours is entered on the way
from validated rows to a model."""

SEARCH, REFIT = "training/tuning.py", "training/refit.py"

DECLARED = (
    "examples_sql",
    "features_sql",
    "features",
    "relations",
    "history",
    "asof",
    "learning",
    "split",
    "threshold",
    "calibrated",
    "clusters",
    "weight",
)
"""The fields of a use case that decide; hyperparameters, rounds, seed and threads are in the recipe by themselves."""

FEATURES = ("examples_sql", "features_sql", "features", "relations", "history", "asof", "learning")
"""Those of them that say what a model is made to see."""

FOR_PEOPLE = {"description", "owner"}
Own = set[tuple[Path, str]]
"""Types and functions of others, each by its file and its name there."""


def use_case_code_version(use_case: UseCase) -> str:
    """Twelve hex digits that change when the use case would be trained to other bytes from the same rows."""
    own: Own = set()
    declared = _declared(use_case, own=own)
    code = definitions([PACKAGE / name for name in DECIDING]) | _reached(own)
    return hashlib.sha256(json.dumps([declared, sorted(code)]).encode()).hexdigest()[:12]


def features_version(use_case: UseCase) -> str:
    """Twelve hex digits that change when a feature is added, removed or declared otherwise, or its SQL changes."""
    declared = [_plain(getattr(use_case, name), own=set()) for name in FEATURES]
    return hashlib.sha256(json.dumps(declared).encode()).hexdigest()[:12]


@cache
def search_code_version() -> str:
    """The same of the search for hyperparameters: what a study may be continued with."""
    return hashlib.sha256("".join(sorted(definitions([PACKAGE / SEARCH]))).encode()).hexdigest()[:12]


@cache
def refit_code_version() -> str:
    """The same of what makes a refit of a version, besides what made that."""
    return hashlib.sha256("".join(sorted(definitions([PACKAGE / REFIT]))).encode()).hexdigest()[:12]


def feature_files(use_case: str) -> Mapping[str, str]:
    """The version of each file of a use case's own folder, wherever it is installed, by its path there."""
    place = use_case_place(use_case)
    folder = place.folder if place else None
    return {} if folder is None else _versions_in(folder)


@cache
def _versions_in(folder: Path) -> Mapping[str, str]:
    return {path.relative_to(folder).as_posix(): code_version([path]) for path in sorted(_code_of(folder))}


def _code_of(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.suffix in {".py", ".sql"})


def definitions(files: Iterable[Path]) -> frozenset[str]:
    """A digest of each function, class and constant in ``files``, without comments, docstrings and imports."""
    return frozenset(digest for path in files for digest in _definitions(path.read_text(encoding="utf-8")))


@cache
def _definitions(source: str) -> frozenset[str]:
    return frozenset(hashlib.sha256(ast.unparse(each).encode()).hexdigest() for each in _statements(ast.parse(source)))


def _statements(module: ast.Module) -> Iterator[ast.stmt]:
    """What runs when the module is used: its statements but imports, those for type checkers, and texts."""
    for node in ast.walk(module):
        body = getattr(node, "body", None)
        if isinstance(body, list) and any(_is_text(each) for each in body):
            node.body = [each for each in body if not _is_text(each)] or [ast.Pass()]  # type: ignore[attr-defined]
    for statement in module.body:
        typing_only = isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING"
        if not typing_only and not isinstance(statement, ast.Import | ast.ImportFrom | ast.Pass):
            yield statement


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _declared(use_case: UseCase, *, own: Own) -> list[Any]:
    """What is declared as JSON values; ``own`` gathers the types and functions in it that are not ours."""
    learning = use_case.learning
    return [
        {name: _plain(getattr(use_case, name), own=own) for name in DECLARED},
        {"task": dict(use_case.task.objective), "columns": _plain(use_case.task, own=own)},
        learning.sql.name if learning else None,  # the vocabulary names it
    ]


def _plain(value: Any, *, own: Own) -> Any:
    """``value`` as JSON values: SQL by its text, a dataclass by its fields that are not as by default."""
    if isinstance(value, Path | GeneratedSql):
        return _sql(value.read_text(encoding="utf-8"))
    if is_dataclass(value) and not isinstance(value, type):
        own.update(_place_of(type(value)))
        told = [each for each in fields(value) if each.name not in FOR_PEOPLE and not _is_default(each, value)]
        return [type(value).__name__, {each.name: _plain(getattr(value, each.name), own=own) for each in told}]
    if isinstance(value, Mapping):
        return {str(key): _plain(each, own=own) for key, each in sorted(value.items())}
    if isinstance(value, tuple | list):
        return [_plain(each, own=own) for each in value]
    if inspect.isroutine(value):
        own.update(_place_of(value))
        return value.__qualname__
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _is_default(field: Field[Any], value: Any) -> bool:
    """So that a field which is new to the contract changes nobody's version."""
    default = field.default_factory() if field.default_factory is not MISSING else field.default
    return bool(getattr(value, field.name) == default)


def _place_of(definition: Any) -> list[tuple[Path, str]]:
    """The file of what a use case or another package defines, and its name there; none of what the platform does."""
    module = str(definition.__module__)
    ours = module.startswith(f"{PACKAGE.name}.") and not module.startswith(f"{PACKAGE.name}.use_cases.")
    return [] if ours else [(Path(inspect.getfile(definition)), definition.__qualname__.split(".")[0])]


def _reached(own: Own) -> frozenset[str]:
    """A digest of each statement that the definitions are made of, and of nothing else in their files."""
    files: dict[Path, set[str]] = {}
    for path, name in own:
        files.setdefault(path, set()).add(name)
    return frozenset(
        digest for path, names in files.items() for digest in statements_of(path.read_text(encoding="utf-8"), names)
    )


def statements_of(source: str, names: Iterable[str]) -> frozenset[str]:
    """A digest of each statement of a module that ``names`` are made of: what binds them, or changes them in place, and
    the same of every name in those. Of all statements where a name is bound by none, as that of a lambda is.
    """
    every = list(_statements(ast.parse(source)))
    bound = [_bound_by(each) for each in every]
    mentioned = [{node.id for node in ast.walk(each) if isinstance(node, ast.Name)} for each in every]
    wanted, kept = set(names), set[int]()
    if not wanted <= set[str]().union(*bound):
        kept = set(range(len(every)))
    while new := [i for i in range(len(every)) if i not in kept and (bound[i] or mentioned[i]) & wanted]:
        kept.update(new)
        wanted |= set[str]().union(*(mentioned[i] for i in new))
    return frozenset(hashlib.sha256(ast.unparse(every[i]).encode()).hexdigest() for i in kept)


def _bound_by(statement: ast.stmt) -> set[str]:
    """The names of the module that a statement gives a value."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    stored = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return stored | {node.name for node in ast.walk(statement) if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def _sql(text: str) -> str:
    """A query without the lines that only comment."""
    lines = (line.rstrip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.lstrip().startswith("--"))

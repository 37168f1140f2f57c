"""The text of a rule's own code: the function, and whatever of the project it calls or reads, however deep.

A schema's version is made of it in ``schema.py``. Libraries are left out: their versions are pinned elsewhere.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

_PLAIN = (str, bytes, int, float, bool, type(None))


def code_of(function: Any) -> list[str]:
    """The sources of ``function`` and its helpers, and the constants they read, in an order that does not change."""
    found: dict[str, str] = {}
    _collect(_unwrapped(function), found)
    return [f"{name}: {text}" for name, text in sorted(found.items())]


def _unwrapped(function: Any) -> Any:
    """Pandera wraps the checks of a model in a closure."""
    if not isinstance(function, FunctionType):
        return function
    wrapped = inspect.getclosurevars(function).nonlocals.get("self")
    return inspect.unwrap(getattr(wrapped, "check_fn", function))


def _collect(value: Any, found: dict[str, str]) -> None:
    function = getattr(value, "__func__", value)
    if not isinstance(function, FunctionType):
        return
    name = f"{function.__module__}.{function.__qualname__}"
    if name in found:
        return
    found[name] = _source(function)
    root = function.__module__.partition(".")[0]
    for told, used in _used(function):
        if isinstance(used, FunctionType) and used.__module__.partition(".")[0] == root:
            _collect(used, found)
        elif not isinstance(used, FunctionType) and _is_plain(used):
            found[f"{function.__module__}.{told}"] = json.dumps(used, default=_listed)


def _source(function: FunctionType) -> str:
    """Its source, or its byte code where there is none (typed into an interpreter)."""
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        return function.__code__.co_code.hex()


def _used(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """What it names of its module, of modules it names, and of the functions around it."""
    variables = inspect.getclosurevars(function)
    names = _names(function.__code__)
    reached = {**{name: function.__globals__[name] for name in names if name in function.__globals__}}
    for told, used in {**reached, **variables.nonlocals}.items():
        yield told, used
        if isinstance(used, ModuleType):
            yield from ((f"{told}.{name}", getattr(used, name)) for name in names if name in vars(used))


def _names(code: CodeType) -> tuple[str, ...]:
    """The names in a function, and in those inside it."""
    inner = [name for each in code.co_consts if isinstance(each, CodeType) for name in _names(each)]
    return tuple(dict.fromkeys([*code.co_names, *inner]))


def _is_plain(value: Any) -> bool:
    """Numbers, texts and collections of them."""
    if isinstance(value, dict):
        return all(_is_plain(each) for pair in value.items() for each in pair)
    if isinstance(value, list | tuple | set | frozenset):
        return all(_is_plain(each) for each in value)
    return isinstance(value, _PLAIN)


def _listed(value: Any) -> Any:
    """Sets in order, bytes as text."""
    return sorted(map(repr, value)) if isinstance(value, set | frozenset) else repr(value)

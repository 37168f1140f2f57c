"""A field of a declaration that is worked out where it is not declared: once, when it is first asked for.

Used as the documentation of dataclasses describes descriptor-typed fields. Importing a declaration so costs nothing,
and what needs a source's schema reads it only where somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, cast, overload

Declared = TypeVar("Declared")
Value = TypeVar("Value")


class ByDefault(Generic[Declared, Value]):
    """``derive(instance)`` gives what is not declared; ``read(instance, declared)`` makes a value of what is, if that
    is more than itself.
    """

    def __init__(self, derive: Callable[[Any], Value], *, read: Callable[[Any, Declared], Value] | None = None) -> None:
        self._derive = derive
        self._read = read

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...
    def __get__(self, instance: object | None, owner: type) -> Self | Value:
        if instance is None:
            return self
        kept = vars(instance)
        if self._name not in kept:
            kept[self._name] = self._value(instance)
        return cast(Value, kept[self._name])

    def __set__(self, instance: object, value: Declared) -> None:
        """Keeps what is declared; a dataclass hands over the descriptor itself where nothing is."""
        if value is not self:
            vars(instance)[_as_declared(self._name)] = value

    def _value(self, instance: object) -> Value:
        if not is_declared(instance, self._name):
            return self._derive(instance)
        given = vars(instance)[_as_declared(self._name)]
        return self._read(instance, given) if self._read else given


def is_declared(instance: object, name: str) -> bool:
    """Whether the field ``name`` of ``instance``, a ``ByDefault``, was declared and is not worked out."""
    return _as_declared(name) in vars(instance)


def declared(instance: object, name: str) -> Any:
    """The field as it was declared; ``None`` where it was not."""
    return vars(instance).get(_as_declared(name))


def _as_declared(name: str) -> str:
    return f"{name} as declared"

"""Numbers as declared: every one is finite and lies where the check that rests on it can hold and can fail.

NaN is beyond no bound and no bound is beyond infinity, so a check with either could never fire. Each declaration
says in its ``__post_init__`` where its numbers may lie; what two of them mean together is its own to say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from mlops_assets.contract.errors import DeclarationError


@dataclass(frozen=True, kw_only=True)
class Where:
    """Where a number may lie, in words and as a test."""

    words: str
    holds: Callable[[float], bool]


ABOVE_ZERO = Where(words="a number above 0", holds=lambda value: value > 0)
ABOVE_ONE = Where(words="a number above 1", holds=lambda value: value > 1)
ZERO_OR_MORE = Where(words="0 or more", holds=lambda value: value >= 0)
ONE_OR_MORE = Where(words="1 or more", holds=lambda value: value >= 1)
MORE_THAN_ONE = Where(words="2 or more", holds=lambda value: value >= 2)
BETWEEN_ZERO_AND_ONE = Where(words="a number between 0 and 1", holds=lambda value: 0 < value < 1)
BELOW_ONE = Where(words="0 or more and below 1", holds=lambda value: 0 <= value < 1)


def refuse_numbers(declared: object, **where: Where) -> None:
    """Raises DeclarationError for a number among the fields of ``declared`` that is not finite, or not ``where`` its
    field may lie; the numbers in a mapping or tuple are fields as well. Missing ones are left to the declaration.
    """
    for name, value in vars(declared).items():
        for field, number in _numbers(name, value):
            allowed = where.get(name)
            if not math.isfinite(number) or (allowed and not allowed.holds(number)):
                needed = allowed.words if allowed else "a finite number"
                raise DeclarationError(f"{field} of {_named(declared)} is {number}; {needed} is needed.")


def _numbers(name: str, value: object) -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping | tuple):
        for key, inner in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _numbers(f"{name}[{key!r}]", inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield name, value


def _named(declared: object) -> str:
    """``MetricBound log_loss_within_bounds``: its kind, and its name if it has one."""
    return " ".join(filter(None, (type(declared).__name__, str(getattr(declared, "name", "")))))

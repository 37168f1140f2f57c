"""What an online store asks of the place where its values lie, and what they look like there.

Ours are ``online_sqlite.py`` and ``online_redis.py``, others are found by ``stores/backends.py``; packing and look-ups
are in ``online.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

from mlops_assets.contract.errors import ServingError

Layout = Mapping[str, Any]
Asked = tuple[str, int]  # key, and the moment (microseconds) up to which a value may have been observed
Value = tuple[str, int, bytes]  # key, moment of observation (0 for what has none), packed columns
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class Generation:
    """One refresh: ``number`` rises with each; ``layout`` says which views and columns the packed values
    hold.
    """

    number: int
    commit: str
    as_of: date
    layout: Layout


class Backend(Protocol):
    """Keeps generations of packed values. Every read is of the current generation, in one round trip.

    Every method but ``close`` raises ``ServingError`` when ``place``, where the values lie, cannot be reached, read or
    written.
    """

    place: str

    def current(self) -> Generation | None:
        """The generation in use, ``None`` before the first refresh."""

    def generations(self) -> list[Generation]:
        """Those that are kept, the newest first."""

    def fetch(self, asked: Sequence[Asked]) -> tuple[int, list[bytes | None]]:
        """The number of the generation in use and, for every (key, until), its latest value, read as one."""

    def replace(self, values: Iterator[Value], *, commit: str, as_of: date, layout: Layout) -> None:
        """Write a new generation and put it in use, all or nothing."""

    def use(self, number: int) -> None:
        """Put a kept generation in use again."""

    def close(self) -> None:
        """Let go of files and connections."""


class MakesBackend(Protocol):
    """What an entry point of ``mlops_assets.online_stores`` names."""

    def __call__(self, url: str, *, use_case: str) -> Backend:
        """The backend of one use case where ``url`` says."""
        ...


def as_serving_error(*kinds: type[Exception]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """For a backend's methods: errors of its own library become ``ServingError``, which names the backend's place."""

    def decorate(method: Callable[P, R]) -> Callable[P, R]:
        @wraps(method)
        def told(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return method(*args, **kwargs)
            except kinds as error:
                place = getattr(args[0], "place", "")
                raise ServingError(f"The online store at {place} cannot be used: {error}") from error

        return told

    return decorate

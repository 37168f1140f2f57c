"""Pages of paths: prefix, starting point, amount, and grouping by delimiter into common prefixes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

Rows = Callable[[str], Iterator[tuple[str, T]]]
"""Gives the rows with path >= its argument, in path order. Asking again skips a whole group without reading
it.
"""

_AFTER_EVERYTHING = "\U0010ffff"


@dataclass(frozen=True, kw_only=True)
class Page:
    """What a caller asked to see."""

    prefix: str = ""
    after: str = ""
    delimiter: str = ""
    amount: int = 100


@dataclass(frozen=True, kw_only=True)
class Listed(Generic[T]):
    """`items` holds rows as (path, row) and common prefixes as (prefix, None)."""

    items: list[tuple[str, T | None]]
    has_more: bool

    @property
    def next_offset(self) -> str:
        return self.items[-1][0] if self.has_more else ""


def listed(rows: Rows[T], page: Page) -> Listed[T]:
    """One page. A common prefix counts as one item and is its own offset for the next page."""
    items: list[tuple[str, T | None]] = []
    for item in _grouped(rows, page):
        if len(items) == page.amount:
            return Listed(items=items, has_more=True)
        items.append(item)
    return Listed(items=items, has_more=False)


def _grouped(rows: Rows[T], page: Page) -> Iterator[tuple[str, T | None]]:
    start = max(page.prefix, page.after)
    if page.delimiter and page.after.startswith(page.prefix) and page.after.endswith(page.delimiter):
        start = page.after + _AFTER_EVERYTHING
    while True:
        group = None
        for path, row in rows(start):
            if not path.startswith(page.prefix):
                return
            if path <= page.after:
                continue
            group = _common_prefix(path, page)
            if group is not None:
                break
            yield path, row
        if group is None:
            return
        yield group, None
        start = group + _AFTER_EVERYTHING


def _common_prefix(path: str, page: Page) -> str | None:
    if not page.delimiter:
        return None
    at = path.find(page.delimiter, len(page.prefix))
    return None if at < 0 else path[: at + len(page.delimiter)]

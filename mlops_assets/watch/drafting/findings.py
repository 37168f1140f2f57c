"""What a person is told of files or of a declaration: one sentence each, and how much it matters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

SHOWN = 5
"""So many names are said, and how many more there are."""


class Grade(StrEnum):
    """How much a finding matters."""

    FINE = "ok"
    LOOK = "look at this"
    STOP = "will stop you"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One sentence that names the thing and says what to do, if anything is."""

    grade: Grade
    says: str


def look(says: str) -> Finding:
    """Something that a person should look at, and that stops nothing."""
    return Finding(grade=Grade.LOOK, says=says)


def stop(says: str) -> Finding:
    """Something that must be mended first."""
    return Finding(grade=Grade.STOP, says=says)


def fine(says: str) -> Finding:
    """Something that is as it should be."""
    return Finding(grade=Grade.FINE, says=says)


def said(names: Iterable[str], *, most: int = SHOWN) -> str:
    """``'a', 'b' and 3 more``."""
    every = [f"'{name}'" for name in names]
    left = len(every) - most
    return ", ".join(every[:most]) + (f" and {left} more" if left > 0 else "")


def percent(share: float) -> str:
    """A share in as few digits as tell it from nothing and from all."""
    return f"{100 * share:.0f} %" if 0.095 < share < 0.905 or share in (0, 1) else f"{100 * share:.2g} %"

"""Plays the outside world of income with the committed seed data: people land in drops, and callers ask about them.

The published files have no header and no key: the drops get both, the key being the person's place in the files.
Values are written as published, without the blank after each comma and the full stop after each label of the second.
"""

from __future__ import annotations

import gzip
from collections.abc import Collection
from pathlib import Path
from typing import Any

from mlops_assets import LandedSeed, LandingError, LandingZone
from mlops_assets.use_cases.income.sources import PEOPLE

SEED = Path(__file__).parent / "seed_data"
DROPS = {"data": ("adult.data.gz", 8192), "test": ("adult.test.gz", 1024)}
"""The names of drops begin like this: the published file they are cut from, and people per drop."""
FIELDS = 15
UNASKED = ("population", "income")


def land_seed(
    zone: Path, *, first: str, last: str, sources: Collection[str] | None = None, seed: Path = SEED
) -> LandedSeed:
    """Lands the drops whose names lie between ``first`` and ``last``, both included; how many were written."""
    header = ",".join(PEOPLE.columns.names)
    written = [
        LandingZone(zone).land("\n".join([header, *rows, ""]).encode(), use_case="income", source=PEOPLE, batch=batch)
        for batch, rows in drops(seed).items()
        if first <= batch <= last and (sources is None or PEOPLE.name in sources)
    ]
    return LandedSeed(written=sum(written), unchanged=len(written) - sum(written))


def seed_requests(batch: str, *, seed: Path = SEED) -> list[dict[str, Any]]:
    """What a caller would ask about each person of a drop, in their order."""
    columns = PEOPLE.columns.columns
    rows = (zip(columns, line.split(","), strict=True) for line in drops(seed).get(batch, ()))
    return [
        {column.name: _asked(text, column.is_number) for column, text in row if column.name not in UNASKED}
        for row in rows
    ]


def _asked(text: str, is_number: bool) -> int | str | None:
    return None if text == "?" else int(text) if is_number else text


def drops(seed: Path) -> dict[str, list[str]]:
    """The lines of every drop by its name: ``data-1`` to ``data-4``, then ``test-01`` to ``test-16``."""
    found: dict[str, list[str]] = {}
    person = 0
    for word, (name, size) in DROPS.items():
        if not (seed / name).is_file():
            raise LandingError(f"Seed file {seed / name} is missing: is '{seed}' the folder seed_data of income?")
        with gzip.open(seed / name, "rt", encoding="ascii") as file:
            people = [line.strip().rstrip(".").split(", ") for line in file]
        lines = []
        for values in people:
            if len(values) == FIELDS:
                person += 1
                lines.append(",".join([str(person), *values]))
        chunks = [lines[start : start + size] for start in range(0, len(lines), size)]
        digits = len(str(len(chunks)))
        found |= {f"{word}-{number:0{digits}}": rows for number, rows in enumerate(chunks, start=1)}
    return found

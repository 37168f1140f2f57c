"""Plays the outside world of flights with the committed seed data: source systems that land it by day, and
the callers that ask about a day's flights.

Values are written exactly as in the seed. A file that is there with the same content is left alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from mlops_assets import WHOLE, Cadence, LandedSeed, LandingError, LandingZone, Source
from mlops_assets.use_cases.flights.sources import SOURCES

SQL = Path(__file__).parent / "sql"
SEED = Path(__file__).parent / "seed_data"
SPLIT_BY_DAY = SQL / "seed_by_day.sql"
REQUESTS = SQL / "seed_requests.sql"


def land_seed(
    zone: Path, *, seed: Path = SEED, first: date, last: date, sources: Collection[str] | None = None
) -> LandedSeed:
    """Land days ``first`` to ``last`` (both included) of the daily sources, and the static ones as a whole.

    ``zone`` is the landing zone's root, ``seed`` the folder with the seed files, ``sources`` the names to
    land (all if ``None``).
    """
    landing = LandingZone(zone)
    chosen = [source for source in SOURCES if sources is None or source.name in sources]
    written = [
        landing.land(content, use_case="flights", source=source, batch=batch)
        for source in chosen
        for batch, content in _contents(source, seed=seed, first=first, last=last)
    ]
    return LandedSeed(written=sum(written), unchanged=len(written) - sum(written))


def _contents(source: Source, *, seed: Path, first: date, last: date) -> Iterator[tuple[str, bytes]]:
    """Batches of one source with the bytes of their files."""
    file = seed / f"{source.name}{'.parquet' if source.cadence is Cadence.DAILY else '.csv'}"
    if not file.is_file():
        raise LandingError(f"Seed file {file} is missing: is '{seed}' the folder seed_data of flights?")
    if source.cadence is not Cadence.DAILY:
        yield WHOLE, file.read_bytes()
        return
    header = ",".join(source.columns.names)
    with duckdb.connect() as connection:
        values = {"seed": str(file), "first": first.isoformat(), "last": last.isoformat()}
        days = connection.execute(SPLIT_BY_DAY.read_text(encoding="utf-8"), values).fetchall()
    for day, lines in days:
        yield day, f"{header}\n{lines}\n".encode()


def seed_requests(day: str, *, seed: Path = SEED) -> list[dict[str, Any]]:
    """What a caller would ask about each flight scheduled for ``day``, in order of departure."""
    with duckdb.connect() as connection:
        values = {"seed": str(seed / "flights.parquet"), "day": day}
        rows = connection.sql(REQUESTS.read_text(encoding="utf-8"), params=values).to_arrow_table()
    requests: list[dict[str, Any]] = rows.to_pylist()
    return requests

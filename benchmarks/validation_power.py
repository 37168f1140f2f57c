"""What validation misses: every fault of the catalogue in 5 to 90 % of the rows, on quiet days and after trouble.

    python benchmarks/validation_power.py [--quick]

Each fault that changes or drops rows is put into part of them, evenly spaced, and the spoilt file is judged with all
that the lake would know on that morning: the profiles before, and which days had alarmed. A fault is found if the batch
has an anomaly that the clean file of the day does not have, and that is not told as going on. Writes
``benchmarks/results/validation_power.json`` and the table of ``docs/validation.md``; ends with 1 if a fault in all of
the rows that it concerns is missed.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

from mlops_assets.contract.anomalies import Anomaly, Code  # noqa: E402
from mlops_assets.use_cases.flights.seed import land_seed  # noqa: E402
from mlops_assets_tests.documented import DOCS, markdown_table, write_section  # noqa: E402
from mlops_assets_tests.use_cases.flights.corruptions import CATALOGUE, Corruption, Day, Row, write  # noqa: E402
from mlops_assets_tests.use_cases.flights.mornings import Known, anomalies, year_known  # noqa: E402

RESULTS = PROJECT / "benchmarks" / "results" / "validation_power.json"
FIRST, LAST = date(2013, 1, 1), date(2013, 6, 14)
SHARES = (0.05, 0.1, 0.3, 0.6, 0.9)
DAYS = {"quiet": "2013-05-07", "after the storm": "2013-02-20", "while a level stays": "2013-06-14"}
"""On the third, flights have had other flight numbers for two days, which nobody accepted; nothing of weather has."""
SOURCES = ("flights", "weather")


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One fault in a share of the rows of one day."""

    fault: str
    day: str
    share: float
    rows: int
    found: bool


def part_of(day: Day, corruption: Corruption, *, share: float) -> bytes | None:
    """The day with the fault in ``share`` of the rows that it concerns; ``None`` if it is none of rows."""
    try:
        text = corruption.change(day).decode()
        spoilt: list[Row] = list(csv.DictReader(io.StringIO(text)))
    except (UnicodeDecodeError, csv.Error):
        return None
    if not spoilt or any(tuple(row) != day.header for row in spoilt[:1]) or "\r" in text or "\0" in text:
        return None
    if len(spoilt) == len(day.rows):
        concerned = [at for at, row in enumerate(day.rows) if row != spoilt[at]]
        chosen = spread(concerned, share=share)
        if not chosen:
            return None
        return write(day.header, [spoilt[at] if at in chosen else row for at, row in enumerate(day.rows)])
    left = {tuple(row.values()) for row in spoilt}
    dropped = [at for at, row in enumerate(day.rows) if tuple(row.values()) not in left]
    if len(spoilt) > len(day.rows) or not dropped or len(dropped) + len(spoilt) != len(day.rows):
        return None
    gone = spread(dropped, share=share)
    return write(day.header, [row for at, row in enumerate(day.rows) if at not in gone])


def spread(places: Sequence[int], *, share: float) -> frozenset[int]:
    """As many of the places as the share says, evenly spaced."""
    return frozenset(place for number, place in enumerate(places) if int((number + 1) * share) > int(number * share))


def trials(name: str, *, of: Known, folder: Path, quick: bool) -> Iterator[Trial]:
    """Every fault of one source, in every share, on every day."""
    with duckdb.connect() as connection:
        for what, day in list(DAYS.items())[: 2 if name == "weather" else None]:
            rows = list(csv.DictReader(of.files[day].open()))
            before = of.files[str(date.fromisoformat(day) - timedelta(days=1))].read_bytes()
            whole = Day(header=tuple(rows[0]), rows=tuple(rows), before=before)
            judge = {"name": name, "day": day, "of": of, "folder": folder, "connection": connection}
            clean = {_said(each) for each in anomalies(whole.content, **judge)}  # type: ignore[arg-type]
            for corruption in [each for each in CATALOGUE if each.source == name and each.code is not Code.FILE_SIZE]:
                for share in (SHARES[-1:] if quick else SHARES) + (1.0,):
                    content = part_of(whole, corruption, share=share)
                    if content is None:
                        break
                    told = {_said(each) for each in anomalies(content, **judge)}  # type: ignore[arg-type]
                    fault = f"{name}: {corruption.what}"
                    yield Trial(
                        fault=fault,
                        day=what,
                        share=share,
                        rows=len(rows),
                        found=any(not said[-1] for said in told - clean),
                    )


def _said(each: Anomaly) -> tuple[str, str | None, str | None, bool]:
    return each.code.value, each.column, each.slice, each.since is not None


def table(found: Sequence[Trial]) -> str:
    """By fault and day: found or missed in each share of the rows that it concerns."""
    lines = []
    for fault, day in dict.fromkeys((trial.fault, trial.day) for trial in found):
        mine = {trial.share: trial.found for trial in found if (trial.fault, trial.day) == (fault, day)}
        lines.append([fault, day, *("found" if mine[share] else "**missed**" for share in (*SHARES, 1.0))])
    return markdown_table(["fault", "day", *(f"{share:.0%}" for share in (*SHARES, 1.0))], lines)


def summary(found: Sequence[Trial]) -> str:
    """How many faults are found in each share, by day."""
    lines = []
    for day in DAYS:
        cells = []
        for share in (*SHARES, 1.0):
            mine = [trial.found for trial in found if (trial.day, trial.share) == (day, share)]
            cells.append(f"{sum(mine)} of {len(mine)}")
        lines.append([day, *cells])
    return markdown_table(["day", *(f"{share:.0%} of the rows" for share in (*SHARES, 1.0))], lines)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="Only the largest shares; writes nothing.")
    quick = arguments.parse_args().quick
    found: list[Trial] = []
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        land_seed(folder, first=FIRST, last=LAST, sources=[*SOURCES, "planes"])
        for name in SOURCES:
            with duckdb.connect() as connection:
                of = year_known(name, folder=folder, connection=connection)
            for trial in trials(name, of=of, folder=folder, quick=quick):
                found.append(trial)
                if not trial.found:
                    print(f"missed: {trial.fault} in {trial.share:.0%} of the rows, {trial.day}", flush=True)
    missed = [trial for trial in found if trial.share == 1.0 and not trial.found]
    print(f"{sum(trial.found for trial in found)} of {len(found)} found, {len(missed)} missed in all rows")
    if not quick:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps([asdict(trial) for trial in found], indent=1) + "\n")
        write_section(DOCS / "validation.md", "misses", text=f"{summary(found)}\n\n{table(found)}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())

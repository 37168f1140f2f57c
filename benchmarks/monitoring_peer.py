"""NannyML beside ``monitoring.py``: its environment, the logs as it reads them, and what it finds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.monitoring_cases import CASES, HALF_YEAR, Case

PEER = Path(__file__).with_name("monitoring_nannyml.py")
PACKAGES = ("nannyml==0.13.1",)
REFERENCE, MONTH = timedelta(days=56), timedelta(days=28)
Alerts = dict[str, dict[str, list[tuple[str, str, str]]]]
_FRAME = """
SELECT
    event_time, score, predicted_positive::INTEGER AS predicted, label,
    inputs->>'carrier' AS carrier, inputs->>'origin' AS origin, inputs->>'dest' AS dest,
    inputs->>'tailnum' AS tailnum,
    (inputs->>'hour_of_day')::DOUBLE AS hour_of_day, (inputs->>'distance')::DOUBLE AS distance,
    (inputs->>'sched_arr_time')::DOUBLE AS sched_arr_time,
    (features->>'weather__temp')::DOUBLE AS weather__temp, (features->>'weather__dewp')::DOUBLE AS weather__dewp,
    (features->>'weather__humid')::DOUBLE AS weather__humid,
    (features->>'weather__wind_speed')::DOUBLE AS weather__wind_speed,
    (features->>'weather__precip')::DOUBLE AS weather__precip,
    (features->>'weather__pressure')::DOUBLE AS weather__pressure,
    (features->>'weather__visib')::DOUBLE AS weather__visib
FROM records LEFT JOIN outcomes ON outcomes.id = records.example_id
ORDER BY event_time
"""


def peer_python(folder: Path) -> Path | None:
    """The interpreter of NannyML's own environment, made if it is not there; None without a Python 3.12."""
    python = folder / "bin" / "python"
    if not python.exists():
        found = [Path(command)] if (command := shutil.which("python3.12")) else []
        found += sorted(Path.home().glob(".pyenv/versions/3.12.*/bin/python3.12"))  # a shim may answer for another
        made = (subprocess.run([each, "-m", "venv", folder], capture_output=True).returncode == 0 for each in found)
        if not any(made):
            return None
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
    return python


def frame(records: pa.Table, outcomes: pa.Table) -> pa.Table:
    """A log with its outcomes as NannyML reads it."""
    with duckdb.connect() as connection:
        connection.register("records", records)
        connection.register("outcomes", outcomes.select(["id", "label"]))
        return connection.sql(_FRAME).to_arrow_table()


def write_clean(folder: Path, *, starts: Sequence[date], records: pa.Table, outcomes: pa.Table) -> None:
    """The reference and the clean days of each start; and of four weeks each, after the eight weeks before them."""
    clean = frame(records, outcomes)
    longest = timedelta(days=max(case.days for case in CASES))
    begins = [(start.isoformat(), start, longest) for start in starts]
    months, begin = [], HALF_YEAR[0] + REFERENCE
    while begin < HALF_YEAR[1]:
        months.append((f"month-{begin}", begin, MONTH))
        begin += MONTH
    for name, start, days in (*begins, *months):
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        pq.write_table(_between(clean, start - REFERENCE, start), place / "reference.parquet")
        pq.write_table(_between(clean, start, start + days), place / "clean.parquet")


def write_fault(folder: Path, case: Case, *, start: date, logs: tuple[pa.Table, pa.Table]) -> None:
    """One log with a fault."""
    pq.write_table(frame(*logs), folder / start.isoformat() / f"{CASES.index(case)}.parquet")


def ask(python: Path, folder: Path, *options: str) -> str:
    """What the peer prints of the logs in a folder."""
    environment = {**os.environ, "NML_DISABLE_USAGE_LOGGING": "1"}
    environment.pop("PYTHONPATH", None)
    command = [python, PEER, folder, *options]
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout


def read(text: str) -> Alerts:
    """The alerts in what the peer printed."""
    told: Mapping[str, Mapping[str, list[list[str]]]] = json.loads(text)
    return {
        start: {name: [(day, kind, column) for day, kind, column in each] for name, each in logs.items()}
        for start, logs in told.items()
    }


def found_after(alerts: Alerts, case: Case, *, start: date) -> int | None:
    """Hours from the start to the first alert that the clean log does not have; by the end of its day, and a day later
    where outcomes are needed. None if there is none.
    """
    of_start = alerts[start.isoformat()]
    clean = set(of_start["clean"])
    new = [each for each in of_start.get(str(CASES.index(case)), []) if each not in clean]
    first = start + timedelta(days=case.seen_after)
    hours = [
        ((date.fromisoformat(day) - first).days + 1) * 24 + (24 if kind == "realised" else 0) for day, kind, _ in new
    ]
    return min(hours, default=None)


def opened_a_month(alerts: Alerts) -> float:
    """Alerts of the clean months that the day before does not have, in 30 days."""
    opened, days = 0, 0
    for start, logs in alerts.items():
        if start.startswith("month-"):
            there = set(logs["clean"])
            before = {(str(date.fromisoformat(day) + timedelta(days=1)), kind, column) for day, kind, column in there}
            opened += len(there - before)
            days += MONTH.days
    return opened / max(days, 1) * 30


def _between(rows: pa.Table, first: date, after: date) -> pa.Table:
    with duckdb.connect() as connection:
        connection.register("rows", rows)
        return connection.sql(
            "FROM rows WHERE event_time >= $first AND event_time < $after ORDER BY event_time",
            params={"first": first, "after": after},
        ).to_arrow_table()

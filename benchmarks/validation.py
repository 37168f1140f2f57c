"""How fast a batch is profiled, judged and compared: beside bare DuckDB and the field's tools, on the same rows.

    python benchmarks/validation.py [--quick]

The rows are the flights of 2013 (336,776 rows, 19 columns), thirty times over for ten million. Every peer runs in an
environment of its own under ``data/benchmark-peers``, made here; the time is that of the work, without imports and
reading. Medians of five; one round of the peers at ten million, as they take minutes. Writes
``benchmarks/results/validation.json``; ends with 1 if a goal is missed or a peer could not be measured.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import duckdb
import pandera.pandas as pandera
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

from benchmarks.memory import peak_mb  # noqa: E402
from mlops_assets.contract.drift import DriftPlan  # noqa: E402
from mlops_assets.contract.schema import Schema  # noqa: E402
from mlops_assets.contract.slices import OVERALL  # noqa: E402
from mlops_assets.lake.tables import parquet_bytes  # noqa: E402
from mlops_assets.use_cases.flights.sources import FLIGHTS  # noqa: E402
from mlops_assets.use_cases.flights.use_case import USE_CASE  # noqa: E402
from mlops_assets.watch.profiles.drift import compare  # noqa: E402
from mlops_assets.watch.profiles.profile import Profile, merge  # noqa: E402
from mlops_assets.watch.profiles.profiling import profile_batches  # noqa: E402
from mlops_assets.watch.validation.batch_judgement import Surroundings, judge_batches  # noqa: E402
from mlops_assets.watch.validation.data_audits import StagedBatch, audit_validated  # noqa: E402
from mlops_assets.watch.validation.row_rules import evaluate_rules, to_frame  # noqa: E402

SEED = PROJECT / "mlops_assets" / "use_cases" / "flights" / "seed_data" / "flights.parquet"
PEERS = Path(__file__).with_name("validation_peers.py")
RESULTS = PROJECT / "benchmarks" / "results" / "validation.json"
REQUIREMENTS = {
    "evidently": ("evidently==0.7.21", "pandas<3"),
    "whylogs": ("whylogs==1.6.4", "pandas<2.3", "numpy<2", "pyarrow<22"),
    "ydata-profiling": ("ydata-profiling==4.18.0", "pyarrow", "setuptools<81"),
    "nannyml": ("nannyml==0.13.1", "pyarrow", "statsmodels"),
    "tfdv": ("tensorflow-data-validation==1.16.1", "dill", "setuptools<81"),
}
BARE, MANY_TIMES, MEMORY, MERGE_SECONDS = "bare DuckDB", 30, 2 * 1024**3, 0.2
DAY, ROWS_OF_A_DAY = "2013-05-15", 5_000_000
PATIENCE = 1200
"""Seconds after which a peer is given up."""
GOALS = {  # how many times faster than each we must be; below 1 we may be slower
    ("profile", BARE): 1 / 1.5,
    ("profile", "evidently"): 10.0,
    ("profile", "whylogs"): 10.0,
    ("profile", "ydata-profiling"): 2.0,
    ("profile", "tfdv"): 1.0,
    ("schema", BARE): 1 / 2,
    ("schema", "pandera on pandas"): 1.0,
    ("drift", "evidently"): 10.0,
    ("drift", "nannyml"): 1.0,
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison; ``faster`` is how many times faster we are."""

    work: str
    rows: int
    seconds: float
    peer: str
    peer_seconds: float

    @property
    def faster(self) -> float:
        return self.peer_seconds / self.seconds

    @property
    def goal(self) -> float | None:
        return GOALS.get((self.work, self.peer))

    @property
    def missed(self) -> bool:
        return self.goal is not None and self.faster < self.goal


def flights(times: int = 1) -> pa.Table:
    """Typed rows, as validation makes them."""
    types = {"double": "DOUBLE", "int64": "BIGINT", "string": "VARCHAR", "timestamp[us]": "TIMESTAMP"}
    cast = ", ".join(
        f'TRY_CAST(nullif("{column.name}"::VARCHAR, \'NA\') AS {types[str(column.type)]}) AS "{column.name}"'
        for column in FLIGHTS.columns.columns
    )
    table = duckdb.sql(f"SELECT {cast} FROM '{SEED}'").to_arrow_table()
    return pa.concat_tables([table] * times)


def measured(**row: object) -> Row:
    """A comparison, printed as soon as it is known."""
    found = Row(**row)
    goal = "" if found.goal is None else f", goal {found.goal:.2f}{'  MISSED' if found.missed else ''}"
    print(
        f"{found.work:8} {found.rows:>10,} rows: {found.seconds:7.3f} s, {found.peer:18} {found.peer_seconds:8.3f} s, "
        f"{found.faster:7.2f} times{goal}",
        flush=True,
    )
    return found


def median(work: Callable[[], object], rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def profiled(table: pa.Table) -> Profile:
    with duckdb.connect() as connection:
        return profile_batches({"all": table}, columns=table.column_names, connection=connection)["all"]


def bare_profile(table: pa.Table) -> None:
    """One query with the same statistics, but for the histogram: counts, distinct, moments, quantiles, top values."""
    parts = []
    for field in table.schema:
        name = f'"{field.name}"'
        parts += [f"count({name})", f"approx_count_distinct({name})"]
        if pa.types.is_string(field.type):
            parts += [f"approx_top_k({name}, 20)"]
        else:
            number = f"epoch({name})" if pa.types.is_timestamp(field.type) else name
            parts += [f"min({name})", f"max({name})", f"avg({number})", f"stddev({number})"]
            parts += [f"approx_quantile({number}, [0.01, 0.25, 0.5, 0.75, 0.99])"]
    with duckdb.connect() as connection:
        connection.register("rows", table)
        connection.execute(f"SELECT count(*), {', '.join(parts)} FROM rows").fetchall()


def built_in() -> Schema:
    """The flights model without the use case's own functions, which every engine leaves to pandas."""
    columns = {
        name: pandera.Column(
            column.dtype,
            nullable=column.nullable,
            checks=[check for check in column.checks if check.statistics],
        )
        for name, column in FLIGHTS.columns.rules.columns.items()
    }
    return replace(FLIGHTS.columns, rules=pandera.DataFrameSchema(columns), keys=())


def judged(table: pa.Table) -> None:
    with duckdb.connect() as connection:
        evaluate_rules(table, schema=built_in(), connection=connection)


def bare_schema(table: pa.Table) -> None:
    """The same rules as one SQL filter that answers the failing rows."""
    rules = []
    for name, column in built_in().rules.columns.items():
        if not column.nullable:
            rules.append(f'"{name}" IS NULL')
        for check in column.checks:
            told = check.statistics
            if "min_value" in told:
                rules.append(f'"{name}" NOT BETWEEN {told["min_value"]} AND {told["max_value"]}')
            elif "pattern" in told:
                rules.append(f"NOT regexp_matches(\"{name}\", '{told['pattern']}')")
            else:
                rules.append(f'"{name}" NOT IN ({", ".join(repr(value) for value in told["allowed_values"])})')
    with duckdb.connect() as connection:
        connection.register("rows", table)
        flags = ", ".join(f"({rule}) AS r{number}" for number, rule in enumerate(rules))
        connection.sql(
            f"SELECT * FROM (SELECT row_number() OVER () AS at, {flags} FROM rows) WHERE "
            + " OR ".join(f"r{number}" for number in range(len(rules)))
        ).to_arrow_table()


def pandera_on_pandas(table: pa.Table) -> None:
    frame = to_frame(table)
    with contextlib.suppress(pandera.errors.SchemaErrors):  # its failure cases are made by then
        built_in().rules.validate(frame, lazy=True)


def months(table: pa.Table) -> tuple[pa.Table, pa.Table]:
    """June and the five months before, over the fifteen columns that say something."""
    kept = [name for name in table.column_names if name not in ("year", "month", "day", "time_hour")]
    month = table["month"]
    return table.filter(pc.equal(month, 6)).select(kept), table.filter(pc.less(month, 6)).select(kept)


def drifted(rows: pa.Table, reference: pa.Table) -> None:
    """Both are profiled and compared: no past is known, so bounds are declared."""
    profiles = {"2013-06-01": profiled(reference), "2013-06-02": profiled(rows)}
    plan = DriftPlan(
        bounds={(name, measure): 0.1 for name in rows.column_names for measure in ("jensen_shannon", "wasserstein")}
    )
    compare(profiles, batches=["2013-06-02"], plan=plan, training=["2013-06-01"])


def daily_profiles(table: pa.Table) -> list[Profile]:
    """The 365 profiles of a year."""
    day = pc.cast(pc.add(pc.multiply(table["month"], 100), table["day"]), pa.int32())
    days = [date(2013, 1, 1) + timedelta(days=number) for number in range(365)]
    parts = {each.isoformat(): table.filter(pc.equal(day, each.month * 100 + each.day)) for each in days}
    with duckdb.connect() as connection:
        return list(profile_batches(parts, columns=table.column_names, connection=connection).values())


def peer_python(peer: str) -> Path:
    """The interpreter of a peer's own environment, made if it is not there."""
    folder = PROJECT / "data" / "benchmark-peers" / f"validation-{peer}"
    python, ready, wanted = folder / "bin" / "python", folder / "ready", "\n".join(REQUIREMENTS[peer])
    if not (ready.is_file() and ready.read_text() == wanted):
        venv.create(folder, with_pip=True, clear=True)
        pip, uv = [python, "-m", "pip", "install", "uv"], [python, "-m", "uv", "pip", "install", "--python", python]
        for command in (pip, [*uv, *REQUIREMENTS[peer]]):  # pip alone takes long over TensorFlow's requirements
            subprocess.run(command, check=True, capture_output=True, text=True)
        ready.write_text(wanted)
    return python


def peer_seconds(peer: str, work: str, *, files: tuple[Path, Path], rounds: int) -> float:
    """The median of a peer's rounds."""
    command = [peer_python(peer), PEERS, f"{peer} {work}", *files, str(rounds)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE)
    return statistics.median(json.loads(answer.stdout.strip().splitlines()[-1]))


def against_ourselves(table: pa.Table, rounds: int) -> list[Row]:
    """Beside the bare limit and pandera, in this process."""
    pairs = [
        ("profile", profiled, BARE, bare_profile),
        ("schema", judged, BARE, bare_schema),
        ("schema", judged, "pandera on pandas", pandera_on_pandas),
    ]
    return [
        measured(
            work=work,
            rows=table.num_rows,
            seconds=median(partial(ours, table), rounds),
            peer=peer,
            peer_seconds=median(partial(theirs, table), rounds),
        )
        for work, ours, peer, theirs in pairs
    ]


def against_peers(table: pa.Table, *, rounds: int, peer_rounds: int) -> tuple[list[Row], list[str]]:
    """Beside every peer, each in its own process; what could not be measured is told."""
    rows, reference = months(table)
    works = {"profile": (table, table.slice(0, 1000)), "drift": (rows, reference)}
    ours = {
        "profile": median(lambda: profiled(table), rounds),
        "drift": median(lambda: drifted(rows, reference), rounds),
    }
    found, failed = [], []
    with tempfile.TemporaryDirectory() as folder:
        for work, pair in works.items():
            paths = (Path(folder) / f"{work}-rows.parquet", Path(folder) / f"{work}-reference.parquet")
            for path, each in zip(paths, pair, strict=True):
                pq.write_table(each, path)
            for peer in [peer for of, peer in GOALS if of == work and peer in REQUIREMENTS]:
                try:
                    taken = peer_seconds(peer, work, files=paths, rounds=peer_rounds)
                except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
                    said = str(error.stderr or error).strip().splitlines()[-1]
                    failed.append(f"{peer} {work} of {pair[0].num_rows:,} rows: {said}")
                    print(f"NOT MEASURED: {failed[-1]}", flush=True)
                    continue
                found.append(
                    measured(work=work, rows=pair[0].num_rows, seconds=ours[work], peer=peer, peer_seconds=taken)
                )
    return found, failed


def ten_million_bounded() -> tuple[float, int]:
    """Seconds and peak bytes of a process that profiles and judges ten million rows, a batch after the other."""
    answer = subprocess.run([sys.executable, __file__, "--bounded"], check=True, capture_output=True, text=True).stdout
    seconds, peak = json.loads(answer)
    return seconds, peak


def bounded() -> None:
    table, begun, whole = flights(), time.perf_counter(), []
    for _ in range(MANY_TIMES):
        judged(table)
        whole.append(profiled(table))
    assert merge(whole).column("flight", scope=OVERALL).rows == MANY_TIMES * table.num_rows
    print(json.dumps([time.perf_counter() - begun, peak_mb() * 1024**2]))


def write_day(file: Path) -> None:
    """A day of 967 flights again and again, five million rows, each under a carrier and flight number of its own."""
    signs = "'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ'"
    year, month, day = DAY.split("-")
    with duckdb.connect() as connection:
        connection.execute(
            f"""COPY (
                SELECT flights.* EXCLUDE (place) REPLACE (
                    substr({signs}, 1 + i // 36 % 36, 1) || substr({signs}, 1 + i % 36, 1) AS carrier,
                    1 + i // 1296 % 9999 AS flight
                )
                FROM (SELECT range::INTEGER AS i FROM range({ROWS_OF_A_DAY})) AS numbers
                JOIN (
                    SELECT *, row_number() OVER () - 1 AS place FROM '{SEED}'
                    WHERE year = '{year}' AND month = '{int(month)}' AND day = '{int(day)}'
                ) AS flights ON place = i % 967
            ) TO '{file}' (FORMAT csv, HEADER)"""
        )


def five_million_at_once() -> tuple[float, int]:
    """Seconds and peak bytes of a process that validates one file of five million rows and audits what it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{DAY}.csv"
        write_day(file)
        command = [sys.executable, __file__, "--day", file]
        seconds, peak = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return seconds, peak


def judged_day(file: Path) -> None:
    """What the step ``validate`` does with one file, short of the lake; both staged files are audited."""
    begun = time.perf_counter()
    with duckdb.connect() as connection:
        judged = judge_batches(
            {DAY: file}, use_case=USE_CASE, source=FLIGHTS, surroundings=Surroundings(), connection=connection
        )[DAY]
    valid, quarantined = file.with_suffix(".parquet"), file.with_suffix(".quarantined.parquet")
    valid.write_bytes(parquet_bytes(judged.report.valid))
    quarantined.write_bytes(parquet_bytes(judged.report.quarantined))
    staged = StagedBatch(valid=valid, quarantined=quarantined, rows_read=judged.report.rows_read)
    checks = audit_validated({DAY: staged}, source=FLIGHTS)[DAY]
    assert judged.report.rows_read == ROWS_OF_A_DAY
    assert checks == judged.report.checks, checks
    print(json.dumps([time.perf_counter() - begun, peak_mb() * 1024**2]))


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="One year only, three rounds, writes nothing.")
    arguments.add_argument("--bounded", action="store_true", help=argparse.SUPPRESS)
    arguments.add_argument("--day", type=Path, help=argparse.SUPPRESS)
    asked = arguments.parse_args()
    if asked.bounded:
        bounded()
        return 0
    if asked.day:
        judged_day(asked.day)
        return 0
    machine = f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores"
    print(f"{machine}, load {os.getloadavg()[0]:.1f}")
    table, rounds = flights(), 3 if asked.quick else 5
    daily = daily_profiles(table)
    merge_seconds = median(lambda: merge(daily), 5)
    print(f"merging 365 daily profiles {merge_seconds:.3f} s (goal {MERGE_SECONDS} s)", flush=True)
    found = against_ourselves(table, rounds)
    others, failed = against_peers(table, rounds=rounds, peer_rounds=rounds)
    found += others
    if not asked.quick:
        table = pa.concat_tables([table] * MANY_TIMES)
        found += against_ourselves(table, rounds)
        others, more = against_peers(table, rounds=rounds, peer_rounds=1)
        found, failed = found + others, failed + more
    del table
    seconds, peak = ten_million_bounded()
    memory = f"peak {peak / 2**30:.2f} GiB (goal {MEMORY / 2**30:.0f} GiB)"
    print(f"ten million rows, batch by batch: {seconds:.1f} s, {memory}")
    day_seconds, day_peak = five_million_at_once()
    memory = f"peak {day_peak / 2**30:.2f} GiB (goal {MEMORY / 2**30:.0f} GiB)"
    print(f"five million rows of one day, from the file to the audit: {day_seconds:.1f} s, {memory}")
    told = {
        "machine": machine,
        "rows": [{**asdict(row), "faster": row.faster, "goal": row.goal} for row in found],
        "not_measured": failed,
        "merge_seconds": merge_seconds,
        "bounded": {"seconds": seconds, "peak_bytes": peak},
        "one_batch": {"rows": ROWS_OF_A_DAY, "seconds": day_seconds, "peak_bytes": day_peak},
    }
    if not asked.quick:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(told, indent=1) + "\n")
    too_much = merge_seconds > MERGE_SECONDS or max(peak, day_peak) > MEMORY
    return int(any(row.missed for row in found) or bool(failed) or too_much)


if __name__ == "__main__":
    sys.exit(main())

"""History features at two sizes against their peers, the cost of a new day, and the online store.

    python benchmarks/features.py [--quick] [--rounds 5]

Every contender runs in a process of its own over the same file of flights (`features_contenders.py`); their
column sums must agree. Feast runs in an environment made for it below `data/benchmark-peers`. It has no windows, so
its figures are made for it beforehand (`features_feast.py`) and its join is held against our join alone, of daily
aggregates that are there already: at the smaller size, and at the largest at which Feast ends in three minutes and
four fifths of the machine's memory. A new day is measured by `features_new_day.py`, the online
store by `features_online.py`. Writes `benchmarks/results/features.json`; ends with 1 if a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from datetime import date
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

import duckdb  # noqa: E402
import numpy as np  # noqa: E402

from benchmarks.features_new_day import new_day  # noqa: E402
from benchmarks.features_online import online  # noqa: E402
from mlops_assets.features.relations import compute_relations  # noqa: E402
from mlops_assets.use_cases.flights.features import RELATIONS  # noqa: E402
from mlops_assets_tests.use_cases.flights.seed_tables import seed_tables  # noqa: E402

PEERS = ("bare", "duckdb_windows", "duckdb_asof", "numpy", "pandas")
AGREED = "tailnum__flights_28d"
"""The column whose sum Feast, which is given the rows with a tail number only, must find as the others do."""
LARGE, LARGE_QUICK = 10_000_000, 1_000_000
MEMORY_MB = 2048
GOALS = {
    "slower than the fastest peer at 336,776 rows": 1.0,
    "slower than the fastest peer at the large size": 1.0,
    "our join as a share of Feast's, at the largest size it finishes": 1 / 20,
    "a new day after ten years, against after a month": 1.2,
    "p99 of a 5-entity look-up from SQLite, ms": 1.0,
    "p99 of a 5-entity look-up from Redis, ms": 3.0,
    "mixed reads and errors of 8 readers during refreshes": 0,
}
FRUGAL = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "2"}
"""For all contenders: allocators that reserve no gigabytes ahead, which a limit would count as used."""
FEAST_ROWS = (5_000_000, 2_000_000, 1_000_000, 336_776, 100_000)
FEAST_TIMEOUT = 180  # seconds for Feast at one size
FEAST_MEMORY = 0.8  # of the machine's
TIMEOUT = 900  # seconds for a contender's rounds; who does not end by then has failed at that size


def events(folder: Path, *, rows: int) -> Path:
    """The seed's flights with their outcomes, repeated over as many years as ``rows`` ask, in order of
    departure.
    """
    path = folder / f"events_{rows}.parquet"
    connection = seed_tables(first=date(2013, 1, 1), last=date(2013, 12, 31))
    compute_relations(connection, RELATIONS)
    connection.execute(
        "COPY (SELECT strftime(batch::DATE + 364 * year, '%Y-%m-%d') AS batch, event_time + to_days(364 * year) "
        "AS event_time, known_on + 364 * year AS known_on, carrier, origin, dest, tailnum, arr_delay, dep_delay, late "
        f"FROM outcomes, (SELECT range::INTEGER AS year FROM range({-(-rows // 336_776)})) "
        f"ORDER BY event_time, id LIMIT {rows}) TO '{path}'"
    )
    return path


def contest(path: Path, *, rounds: int, limit_mb: int, slow: tuple[str, ...]) -> dict[str, dict[str, object]]:
    """Median seconds and peak memory of every contender at one size; those named ``slow`` run once."""
    results: dict[str, dict[str, object]] = {}
    reference: dict[str, float] = {}
    for name in ("ours", *PEERS):
        command = [sys.executable, str(PROJECT / "benchmarks/features_contenders.py"), name, str(path)]
        command += ["--rounds", str(1 if name in slow else rounds)]
        command += ["--limit-mb", str(limit_mb)] if name == "ours" and limit_mb else []
        try:
            run = subprocess.run(
                command, capture_output=True, text=True, timeout=TIMEOUT, check=True, env={**os.environ, **FRUGAL}
            )
        except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
            results[name] = {"failed": _reason(error)}
            continue
        told = json.loads(run.stdout)
        reference = reference or told["sums"]
        if told["sums"]:
            np.testing.assert_allclose(list(told["sums"].values()), [reference[key] for key in told["sums"]], rtol=1e-9)
        results[name] = {"seconds": statistics.median(told["seconds"]), "peak_mb": told["peak_mb"]}
        results[name] |= {AGREED: told["sums"][AGREED]} if told["sums"] else {}
    return results


def joins(path: Path, *, rounds: int) -> dict[str, dict[str, object]]:
    """Our join and Feast's, each of what it has stored. Raises CalledProcessError or TimeoutExpired if one fails."""
    told = json.loads(_output([_feast_python(), PROJECT / "benchmarks/features_feast.py", path], timeout=FEAST_TIMEOUT))
    feast = {AGREED: told.pop("sums")[AGREED], **told}
    command = [sys.executable, PROJECT / "benchmarks/features_contenders.py", "ours_stored", path]
    told = json.loads(_output([*command, "--rounds", str(rounds)], timeout=TIMEOUT))
    ours = {"seconds": statistics.median(told["seconds"]), "peak_mb": told["peak_mb"], AGREED: told["sums"][AGREED]}
    np.testing.assert_allclose(feast[AGREED], ours[AGREED], rtol=1e-9)
    return {"ours": ours, "feast": feast}


def largest_join(folder: Path, *, most: int) -> dict[str, dict[str, object]]:
    """``joins`` at the largest size at which Feast finishes, and why not at those above it."""
    failed: dict[str, dict[str, object]] = {}
    for rows in (rows for rows in FEAST_ROWS if rows <= most):
        try:
            return joins(events(folder, rows=rows), rounds=1) | failed
        except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
            failed[f"feast, {rows:,}"] = {"failed": _reason(error)}
    return {"ours": {"failed": "Feast finished at no size"}} | failed


def _feast_python() -> Path:
    """The interpreter of Feast's own environment, which is made on first use."""
    folder = PROJECT / "data" / "benchmark-peers" / "features"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "feast[duckdb]==0.67.0"], check=True)
    return python


def _output(command: list[str | Path], *, timeout: int) -> str:
    """The last line that a contender prints, within ``timeout`` seconds and the memory that any peer may take."""
    limit = int(FEAST_MEMORY * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    limited = ["prlimit", f"--data={limit}", *command]
    run = subprocess.run(limited, capture_output=True, text=True, timeout=timeout, check=True)
    return run.stdout.splitlines()[-1]


def _reason(error: subprocess.TimeoutExpired | subprocess.CalledProcessError) -> str:
    """That time was up, or the end of what a contender said before it failed."""
    if isinstance(error, subprocess.TimeoutExpired):
        return f"not within {error.timeout:.0f} s"
    return str(error.stderr or error)[-300:]


def table(title: str, results: dict[str, dict[str, object]]) -> None:
    """Print one contest with the ratio of every peer to ours."""
    print(f"\n{title}")
    own = results["ours"].get("seconds")
    for name, found in results.items():
        if "seconds" in found:
            ratio = f"{float(found['seconds']) / float(own):6.2f} ×" if own else ""  # type: ignore[arg-type]
            print(f"  {name:16} {float(found['seconds']):8.2f} s {ratio}  {found['peak_mb']} MB")  # type: ignore[arg-type]
        else:
            print(f"  {name:16} failed: {found['failed']}")


def against_fastest(results: dict[str, dict[str, object]]) -> float:
    """Ours against the fastest peer that does the whole work; infinite when ours failed."""
    peers = [
        float(found["seconds"])
        for name, found in results.items()
        if name not in ("ours", "bare") and "seconds" in found
    ]  # type: ignore[arg-type]
    own = results["ours"].get("seconds")
    return float(own) / min(peers) if own else float("inf")  # type: ignore[arg-type]


def against_feast(results: dict[str, dict[str, object]]) -> float:
    """Our join against Feast's of the same rows; infinite when either failed."""
    if "seconds" not in results["ours"]:
        return float("inf")
    return float(results["ours"]["seconds"]) / float(results["feast"]["seconds"])  # type: ignore[arg-type]


def main() -> int:
    """Measure, print, write, and say by the exit code whether every goal was met."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    print(f"{machine}, DuckDB {duckdb.__version__}")
    large = LARGE_QUICK if chosen.quick else LARGE
    slow = ("duckdb_asof", "duckdb_windows", "numpy", "pandas")
    with tempfile.TemporaryDirectory(prefix="feat") as name:
        folder = Path(name)
        steps: list[tuple[str, Callable[[], dict]]] = [  # type: ignore[type-arg]
            ("336,776 rows", lambda: contest(events(folder, rows=336_776), rounds=chosen.rounds, limit_mb=0, slow=())),
            (
                f"{large:,} rows",
                lambda: contest(events(folder, rows=large), rounds=chosen.rounds, limit_mb=MEMORY_MB, slow=slow),
            ),
            ("join alone, 336,776 rows", lambda: joins(folder / "events_336776.parquet", rounds=chosen.rounds)),
            ("join alone, as far as Feast goes", lambda: largest_join(folder, most=large)),
            ("new day", lambda: new_day(folder)),
            ("online", lambda: online(folder, quick=chosen.quick)),
        ]
        results = {}
        for title, step in steps:
            results[title] = step()
            if "ours" in results[title]:
                table(title, results[title])
            else:
                print(f"\n{title}\n{json.dumps(results[title], indent=1)}")
    measured = dict(
        zip(
            GOALS,
            (
                against_fastest(results["336,776 rows"]),
                against_fastest(results[f"{large:,} rows"]),
                against_feast(results["join alone, as far as Feast goes"]),
                results["new day"]["ten years"] / results["new day"]["month"],
                results["online"]["SQLite"]["5 entities"]["p99_ms"],
                results["online"].get("Redis", {}).get("5 entities", {}).get("p99_ms", float("inf")),
                sum(found["8 readers"]["wrong"] for found in results["online"].values()),
            ),
            strict=True,
        )
    )
    print(
        f"\nload now: {os.getloadavg()[0]:.1f}; above the number of cores others were at work, and times are too long"
    )
    print("goals")
    for goal, limit in GOALS.items():
        print(f"  {'met   ' if measured[goal] <= limit else 'MISSED'} {goal}: {measured[goal]:.2f} (at most {limit})")
    (PROJECT / "benchmarks/results").mkdir(exist_ok=True)
    (PROJECT / "benchmarks/results/features.json").write_text(
        json.dumps(
            {"machine": machine, "load_at_the_end": os.getloadavg(), "results": results, "goals": measured}, indent=1
        )
    )
    return int(any(measured[goal] > limit for goal, limit in GOALS.items()))


if __name__ == "__main__":
    sys.exit(main())

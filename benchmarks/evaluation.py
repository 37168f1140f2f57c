"""How fast a model is judged: all metrics with 95 % intervals, overall and for four slices; peers draw 200 resamples.

    python benchmarks/evaluation.py [--quick]

The rows are made up after the flights of 2013 (16 carriers, 3 origins, 19 hours, carrier × origin). Every peer gets
the same rows in the same run, in an environment made for it under ``data/benchmark-peers``; what fairlearn and
scikit-learn take for 200 resamples is their time per resample, measured with fewer, times 200. Medians of five. Writes
``benchmarks/results/evaluation.json``; ends with 1 if a goal is missed.
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
import time
import venv
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

from benchmarks.evaluation_peers import RESAMPLES  # noqa: E402
from benchmarks.memory import peak_mb  # noqa: E402
from mlops_assets.contract.slices import Slice  # noqa: E402
from mlops_assets.judge.report import evaluate  # noqa: E402

# How many times faster than each we must be. Before the calibration error's interval went, numpy was beaten 7.6 times.
GOALS = {"fairlearn": 2000.0, "scikit-learn": None, "numpy": 15.0}
MEMORY_GOAL = 4 * 1024**3
DRAWN, ROUNDS, MANY = 200, 5, 10_000_000
PEERS = Path(__file__).with_name("evaluation_peers.py")
REQUIREMENTS = ("fairlearn==0.13.0", "pandas<3", "scikit-learn<1.8", "numpy<2.4")
SLICES = (
    Slice(name="carrier", columns=("carrier",)),
    Slice(name="origin", columns=("origin",)),
    Slice(name="hour", columns=("hour",)),
    Slice(name="carrier_x_origin", columns=("carrier", "origin")),
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison at one size; ``faster`` is how many times faster we are, ``goal`` how many times we must be."""

    rows: int
    seconds: float
    peer: str
    peer_seconds: float
    goal: float | None

    @property
    def faster(self) -> float:
        return self.peer_seconds / self.seconds

    @property
    def missed(self) -> bool:
        return self.goal is not None and self.faster < self.goal


def made_up(rows: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(2013)
    share = 1 / np.arange(1, 17) ** 1.2
    odds = generator.normal(-1.4, 1.0, rows)
    scores = 1 / (1 + np.exp(-odds))
    return {
        "labels": (generator.random(rows) < scores).astype(np.float64),
        "scores": scores,
        "carrier": generator.choice(16, rows, p=share / share.sum()).astype(np.int32),
        "origin": generator.integers(0, 3, rows, dtype=np.int32),
        "hour": generator.integers(5, 24, rows, dtype=np.int32),
    }


def ours(data: dict[str, np.ndarray]) -> float:
    table = pa.table({name: data[name] for name in ("carrier", "origin", "hour")})
    begun = time.perf_counter()
    evaluate(
        data["labels"],
        data["scores"],
        slice_columns=table,
        slices=SLICES,
        threshold=0.35,
    )
    return time.perf_counter() - begun


def peer_python() -> Path:
    """The interpreter of the peers' own environment, made if it is not there."""
    folder = PROJECT / "data" / "benchmark-peers" / "evaluation"
    python = folder / "bin" / "python"
    ready = folder / "ready"
    if not (ready.is_file() and ready.read_text() == "\n".join(REQUIREMENTS)):
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
        ready.write_text("\n".join(REQUIREMENTS))
    return python


def peer_seconds(python: Path, *, peer: str, rows: Path, rounds: int) -> float:
    command = [python, PEERS, rows, peer, str(rounds)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return statistics.median(json.loads(answer))


def compared(rows: int, *, python: Path, folder: Path, rounds: int) -> list[Row]:
    data, path = made_up(rows), folder / f"{rows}.npz"
    np.savez(path, **data)
    ours(data)
    seconds = statistics.median(ours(data) for _ in range(rounds))
    point = peer_seconds(python, peer="fairlearn without resamples", rows=path, rounds=rounds)
    found = []
    for peer, goal in GOALS.items():
        taken = peer_seconds(python, peer=peer, rows=path, rounds=rounds)
        fixed = point if peer == "fairlearn" else 0.0
        whole = fixed + (taken - fixed) / RESAMPLES[peer] * DRAWN
        found.append(Row(rows=rows, seconds=seconds, peer=peer, peer_seconds=whole, goal=goal))
    return found


def at_ten_million() -> tuple[float, int]:
    """Seconds, and the peak memory in bytes of a process that does nothing else."""
    command = [sys.executable, __file__, "--one", str(MANY)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds, peak = json.loads(answer)
    return seconds, peak


def one(rows: int) -> None:
    seconds = ours(made_up(rows))
    print(json.dumps([seconds, peak_mb() * 1024**2]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="111,000 rows only")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        one(arguments.one)
        return 0
    machine = {
        "system": platform.platform(),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "load": os.getloadavg()[0],
    }
    print(*(f"{name}: {value}" for name, value in machine.items()), sep="\n")
    python, rows = peer_python(), []
    with tempfile.TemporaryDirectory() as folder:
        for size in (111_000,) if arguments.quick else (111_000, 300_000):
            rows += compared(size, python=python, folder=Path(folder), rounds=ROUNDS)
    print(f"\n{'rows':>10} {'ours':>8} {'peer':<14} {'for 200 resamples':>18} {'faster':>9} {'goal':>6}")
    for row in rows:
        goal = "" if row.goal is None else f"{row.goal:>6.0f} {'MISSED' if row.missed else 'met'}"
        print(
            f"{row.rows:>10,} {row.seconds:>7.2f}s {row.peer:<14} {row.peer_seconds:>17.1f}s {row.faster:>8.1f}x {goal}"
        )
    missed = any(row.missed for row in rows)
    result = {"machine": machine, "quick": arguments.quick, "rows": [{**asdict(r), "faster": r.faster} for r in rows]}
    if not arguments.quick:
        seconds, peak = at_ten_million()
        missed |= peak > MEMORY_GOAL
        result |= {"ten_million": {"seconds": seconds, "peak_bytes": peak}}
        verdict = "MISSED" if peak > MEMORY_GOAL else "met"
        print(f"{MANY:>10,} {seconds:>7.2f}s peak memory {peak / 1024**3:.2f} GiB, goal at most 4: {verdict}")
    target = PROJECT / "benchmarks" / "results" / "evaluation.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(result, indent=2) + "\n")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())

"""The load of `serving.py`: `wrk` (Debian's package) with bodies from a file, on a core of its own.

Belongs here: running it and reading what it measured. What it asks and how it paces is in `serving_load.lua`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SCRIPT = Path(__file__).with_suffix(".lua")
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]
PATIENCE = 120  # seconds for one answer: none is given up while anything is measured


@dataclass(frozen=True, kw_only=True)
class Load:
    """What came back. ``errors`` are answers that are not 2xx and connections that broke; ``statuses`` has pairs of
    milliseconds and count for 2xx, 429, 503 and other answers, where they were asked for.
    """

    requests: int
    seconds: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    errors: int
    statuses: dict[str, list[list[int]]]

    @property
    def per_second(self) -> float:
        """Answers of 2xx a second."""
        return max(self.requests - self.errors, 0) / self.seconds


def require_wrk() -> None:
    """Ends the benchmark with what to do when `wrk` is not there."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed, which asks the contenders: apt-get install wrk")


def load(
    url: str,
    *,
    bodies: Path,
    clients: int,
    seconds: float,
    rate: float = 0.0,
    by_status: bool = False,
    pinned: bool = True,
) -> Load:
    """``clients`` connections for ``seconds``, ``rate`` requests a second in all (0: each as soon as it was answered).

    ``by_status`` times answers by status; then each connection has a thread of its own.
    """
    threads = clients if by_status else 1
    options = [f"-t{threads}", f"-c{clients}", f"-d{max(round(seconds), 1)}s", f"--timeout={PATIENCE}s"]
    arguments = [str(bodies), str(rate / threads), "statuses" if by_status else "all"]
    command = [*on_core(LOAD_CORE if pinned else None), "wrk", *options, "-s", str(SCRIPT), url, "--", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    answer = json.loads(run.stdout.splitlines()[-1])
    errors = answer.pop("refused") + answer.pop("lost")
    return Load(errors=errors, **answer)


def on_core(core: int | None) -> tuple[str, ...]:
    """What goes before a command to keep it on one core; nothing for None."""
    return () if core is None else ("taskset", "-c", str(core))


def percentile_ms(times: Sequence[list[int]], share: float) -> float:
    """The quantile of pairs of milliseconds and count; 0 when there are none."""
    if not times:
        return 0.0
    taken, counts = np.array(sorted(times)).T
    return float(taken[np.searchsorted(np.cumsum(counts), share * counts.sum())])

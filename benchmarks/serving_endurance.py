"""The product alone: two workers, long under load, and far beyond what it can.

Part of `benchmarks/serving.py`, which prints it and compares it with its goals.
"""

from __future__ import annotations

import statistics
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.serving_ground import Ground
from benchmarks.serving_load import load, percentile_ms
from benchmarks.serving_peers import Server, product, running

CLIENTS = 32
CAPACITY_SECONDS = 8
SHARE = 0.8  # of capacity, for the soak
TIMES, CROWD = 5, 256  # capacity, and connections, for the overload
REFUSALS = ("429", "503")
NEVER_MS = 1e6  # stands for a refusal that never came
PROBE_SECONDS = 0.2
RECOVERY_SECONDS = 15
PROMPT_MS = 250
"""An answer to one caller alone within this time shows that nothing is left of the overload."""


def two_workers(on: Ground) -> dict[str, Any]:
    """One worker and two, on whatever cores are free: of two cores the load takes its part."""
    answered = {}
    for workers in (1, 2):
        contender = product(on.bento, data=on.data, workers=workers)
        bodies = on.bodies(contender, rows=1)
        with running(contender, logs=on.folder, pinned=False) as server:
            _unpinned(server, bodies=bodies, seconds=2)
            rounds = [_unpinned(server, bodies=bodies, seconds=on.sizes.case) for _ in range(on.sizes.rounds)]
        answered[f"{workers}: answered a second"] = statistics.median(rounds)
    one, two = answered.values()
    return {**answered, "goals": {"throughput of two workers against one": two / one}}


def soak(on: Ground) -> dict[str, Any]:
    """Single rows at four fifths of capacity; memory is first read when a tenth of the time has passed."""
    contender, seconds = product(on.bento, data=on.data), on.sizes.soak
    bodies = on.bodies(contender, rows=1)
    with running(contender, logs=on.folder) as server:
        rate = SHARE * _capacity(server, bodies=bodies)
        load(server.url, bodies=bodies, clients=CLIENTS, seconds=seconds * 0.1, rate=rate)
        before = server.memory_mb()
        figures = load(server.url, bodies=bodies, clients=CLIENTS, seconds=seconds * 0.9, rate=rate)
        after = server.memory_mb()
    return {
        "asked a second": rate,
        "answered a second": figures.per_second,
        "p50_ms": figures.p50_ms,
        "p99_ms": figures.p99_ms,
        "memory_mb": [before, after],
        "goals": {"errors of the soak": figures.errors, "memory at the soak's end against its start": after / before},
    }


def overload(on: Ground) -> dict[str, Any]:
    """100 rows at five times what it can: how fast it refuses, whether its probe answers, when it is itself again."""
    contender = product(on.bento, data=on.data)
    bodies = on.bodies(contender, rows=100)
    with running(contender, logs=on.folder) as server:
        rate = TIMES * _capacity(server, bodies=bodies)
        with _probed(f"{contender.url}/livez") as probes:
            figures = load(
                server.url, bodies=bodies, clients=CROWD, seconds=on.sizes.overload, rate=rate, by_status=True
            )
        recovery = _recovery(server, body=bodies.read_bytes().splitlines()[0])
    answered = figures.statuses["2xx"]
    refused = [pair for status in REFUSALS for pair in figures.statuses[status]]
    count = sum(pair[1] for pair in refused)
    return {
        "asked a second": rate,
        "sent a second": figures.requests / figures.seconds,
        "answered a second": figures.per_second,
        "answered within ms (half, 99 of 100)": [percentile_ms(answered, 0.5), percentile_ms(answered, 0.99)],
        "refused": count,
        "refused within ms (half, 99 of 100)": [percentile_ms(refused, 0.5), percentile_ms(refused, 0.99)],
        "goals": {
            "p99 ms of a refusal under overload": percentile_ms(refused, 0.99) if refused else NEVER_MS,
            "errors under overload other than 429 and 503": figures.errors - count,
            "longest ms of /livez under overload": max(probes),
            "seconds to recover from overload": recovery,
        },
    }


def _unpinned(server: Server, *, bodies: Path, seconds: float) -> float:
    return load(server.url, bodies=bodies, clients=CLIENTS, seconds=seconds, pinned=False).per_second


def _capacity(server: Server, *, bodies: Path) -> float:
    load(server.url, bodies=bodies, clients=CLIENTS, seconds=2)
    return load(server.url, bodies=bodies, clients=CLIENTS, seconds=CAPACITY_SECONDS).per_second


@contextmanager
def _probed(url: str) -> Iterator[list[float]]:
    """Milliseconds of a probe's answers within the block; one that fails counts as ten seconds."""
    times, stop = [0.0], threading.Event()

    def probe() -> None:
        while not stop.wait(PROBE_SECONDS):
            begun = time.monotonic()
            try:
                urllib.request.urlopen(url, timeout=10).close()
            except OSError:
                times.append(10_000.0)
            else:
                times.append((time.monotonic() - begun) * 1e3)

    thread = threading.Thread(target=probe)
    thread.start()
    try:
        yield times
    finally:
        stop.set()
        thread.join()


def _recovery(server: Server, *, body: bytes) -> float:
    """Seconds until the last request that was refused or slow, of one caller after the overload."""
    begun, last = time.monotonic(), 0.0
    while time.monotonic() < begun + RECOVERY_SECONDS:
        asked = time.monotonic()
        try:
            server.ask(body)
            prompt = time.monotonic() - asked < PROMPT_MS / 1e3
        except OSError:
            prompt = False
        if not prompt:
            last = time.monotonic() - begun
        time.sleep(0.05)
    return last

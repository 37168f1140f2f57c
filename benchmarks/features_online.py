"""The online store: how long a look-up takes, and what readers see while everything is replaced.

Part of `benchmarks/features.py`, which prints it and compares it with its goals.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from mlops_assets.features.online_view import OnlineHistory, OnlineView
from mlops_assets.stores.features.online import OnlineStore, open_online_store

DAY = date(2013, 7, 1)


def made_view(*, entities: int, level: float) -> OnlineView:
    """Five views of 14 columns, ``entities`` in all, every value ``level``."""
    each = entities // 5
    return OnlineView(
        as_of=DAY,
        side=(),
        history=tuple(
            OnlineHistory(
                name=f"view{view}",
                keys=(f"key{view}",),
                columns=tuple(f"view{view}__{column}" for column in range(14)),
                entities=[f"e{number}" for number in range(each)],
                values=np.full((each, 14), level),
            )
            for view in range(5)
        ),
    )


def asked(*, rows: int, entities: int, seed: int = 0) -> pa.Table:
    """Requests for random entities of all five views."""
    random = np.random.default_rng(seed)
    keys = {f"key{view}": [f"e{number}" for number in random.integers(0, entities // 5, rows)] for view in range(5)}
    return pa.table({"event_time": pa.array([datetime(2013, 7, 1, 12)] * rows, pa.timestamp("us")), **keys})


def look_ups(store: OnlineStore, *, rows: int, entities: int, times: int = 2000) -> dict[str, float]:
    """Milliseconds of single look-ups."""
    requests = [asked(rows=rows, entities=entities, seed=seed) for seed in range(50)]
    store.look_up(requests[0])
    spent = []
    for number in range(times):
        begun = time.perf_counter()
        store.look_up(requests[number % 50])
        spent.append((time.perf_counter() - begun) * 1e3)
    return {"p50_ms": float(np.median(spent)), "p99_ms": float(np.quantile(spent, 0.99))}


def read_for_ever(
    data: str, environment: dict[str, str], entities: int, reading: object, stop: object, answers: object
) -> None:
    """One reader: counts look-ups, values that are not of the generation they come with, and errors."""
    store = open_online_store("bench", data=Path(data), environment=environment)
    request, count, wrong = asked(rows=20, entities=entities, seed=os.getpid()), 0, 0
    reading.release()  # type: ignore[attr-defined]
    while not stop.is_set():  # type: ignore[attr-defined]
        try:
            found = store.look_up(request)
            levels = {value for view in range(5) for value in found.examples.column(f"view{view}__3").to_pylist()}
            wrong += levels != {float(found.commit)}
        except Exception:  # noqa: BLE001 - counted: any error of any kind misses the goal
            wrong += 1
        count += 1
    answers.put((count, wrong))  # type: ignore[attr-defined]


def under_refresh(data: Path, environment: dict[str, str], *, entities: int, refreshes: int) -> dict[str, float]:
    """Eight reading processes while everything is replaced again and again."""
    store = open_online_store("bench", data=data, environment=environment)
    store.refresh(made_view(entities=entities, level=0.0), commit="0")
    context = multiprocessing.get_context("spawn")
    reading, stop, answers = context.Semaphore(0), context.Event(), context.Queue()
    told_to = (str(data), environment, entities, reading, stop, answers)
    readers = [context.Process(target=read_for_ever, args=told_to) for _ in range(8)]
    for reader in readers:
        reader.start()
    for _ in readers:
        reading.acquire()
    spent = []
    for number in range(1, refreshes + 1):
        view = made_view(entities=entities, level=float(number))
        begun = time.perf_counter()
        store.refresh(view, commit=str(number))
        spent.append(time.perf_counter() - begun)
    stop.set()
    told = [answers.get(timeout=60) for _ in readers]
    for reader in readers:
        reader.join()
    return {
        "refresh_seconds": statistics.median(spent),
        "look_ups": sum(t[0] for t in told),
        "wrong": sum(t[1] for t in told),
    }


@contextmanager
def places(folder: Path) -> Iterator[dict[str, dict[str, str]]]:
    """The environments of both backends; Redis only if ``redis-server`` is installed."""
    program = shutil.which("redis-server")
    if program is None:
        yield {"SQLite": {}}
        return
    socket = folder / "s"
    server = subprocess.Popen(
        [program, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    while not socket.exists():
        time.sleep(0.05)
    try:
        yield {"SQLite": {}, "Redis": {"MLOPS_ONLINE_STORE_URL": f"unix://{socket}"}}
    finally:
        server.terminate()
        server.wait()


def online(folder: Path, *, quick: bool) -> dict[str, dict[str, object]]:
    """Look-ups and refreshes for both backends."""
    entities = 20_000 if quick else 100_000
    results: dict[str, dict[str, object]] = {}
    with places(folder) as environments:
        for name, environment in environments.items():
            store = open_online_store("bench", data=folder, environment=environment)
            store.refresh(made_view(entities=entities, level=0.0), commit="0")
            results[name] = {
                "5 entities": look_ups(store, rows=1, entities=entities),
                "100 rows": look_ups(store, rows=100, entities=entities, times=300),
                "8 readers": under_refresh(folder, environment, entities=entities, refreshes=3 if quick else 5),
            }
            store.close()
    return results

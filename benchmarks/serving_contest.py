"""The product beside its peers: all up together, asked in turn, case by case.

Part of `benchmarks/serving.py`, which compares it with its goals.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.serving_ground import Ground
from benchmarks.serving_load import load
from benchmarks.serving_peers import BARE, MLFLOW, MLFLOW_READY, PRODUCT, Server, bare, mlflow, product, running

ROWS = (1, 100)
MEASURED = ("per_second", "p50_ms", "p95_ms", "p99_ms", "cpu_ms", "memory_mb")


@dataclass(frozen=True, kw_only=True)
class Figures:
    """One contender in one case. ``per_second`` counts requests, ``cpu_ms`` is for each of them."""

    contender: str
    rows: int
    clients: int
    per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    errors: int
    cpu_ms: float
    memory_mb: float


def contest(on: Ground) -> dict[str, Any]:
    """The figures of every contender in every case, and what the goals are about."""
    contenders = [
        product(on.bento, data=on.data),
        *bare(on.bento, data=on.data),
        *mlflow(on.bento, data=on.data, folder=on.folder),
    ]
    with ExitStack() as stack:
        servers = [stack.enter_context(running(contender, logs=on.folder)) for contender in contenders]
        _require_agreement(servers, on=on)
        _warm(servers, on=on)
        cases = [(rows, clients) for rows in ROWS for clients in on.sizes.clients]
        figures = [each for rows, clients in cases for each in _case(servers, on=on, rows=rows, clients=clients)]
    return {"figures": [asdict(each) for each in figures], "goals": _goals(figures)}


def show(figures: Sequence[Mapping[str, Any]]) -> None:
    """The table, with how many times as many requests the product answers as each peer."""
    head = ("a second", "product is", "p50 ms", "p95 ms", "p99 ms", "errors", "CPU ms", "MB")
    for rows, clients in dict.fromkeys((each["rows"], each["clients"]) for each in figures):
        print(f"\n{rows} rows, {clients} clients".ljust(28) + "".join(f"{name:>11}" for name in head))
        case = [each for each in figures if (each["rows"], each["clients"]) == (rows, clients)]
        for each in case:
            ratio = case[0]["per_second"] / each["per_second"] if each["per_second"] else float("inf")
            print(
                f"  {each['contender']:<25}{each['per_second']:>11.1f}{ratio:>9.2f} ×{each['p50_ms']:>11.1f}"
                f"{each['p95_ms']:>11.1f}{each['p99_ms']:>11.1f}{each['errors']:>11}{each['cpu_ms']:>11.2f}"
                f"{each['memory_mb']:>11.0f}"
            )


def _require_agreement(servers: Sequence[Server], *, on: Ground) -> None:
    """Nobody is fast by answering something else: the scores of all rows must be equal to six digits."""
    scores = {}
    for server in servers:
        contender = server.contender
        body = json.dumps(contender.wording(on.requests, range(len(on.requests.rows)))).encode()
        answers = server.ask(body)["predictions"]
        scores[contender.name] = [each["score"] if isinstance(each, dict) else each for each in answers]
    for name, values in scores.items():
        np.testing.assert_allclose(values, scores[BARE], atol=1e-6, err_msg=f"{name} answers otherwise than {BARE}")


def _warm(servers: Sequence[Server], *, on: Ground) -> None:
    for server in servers:
        for rows in ROWS:
            load(server.url, bodies=on.bodies(server.contender, rows=rows), clients=8, seconds=2)


def _case(servers: Sequence[Server], *, on: Ground, rows: int, clients: int) -> list[Figures]:
    rounds = [
        [_figures(server, on=on, rows=rows, clients=clients) for server in servers] for _ in range(on.sizes.rounds)
    ]
    return [_median(figures) for figures in zip(*rounds, strict=True)]


def _figures(server: Server, *, on: Ground, rows: int, clients: int) -> Figures:
    # the slowest answers 128 clients with 100 rows once in ten seconds
    seconds = on.sizes.case * (4 if rows > 1 and clients > 100 else 1)
    cpu = server.cpu_seconds()
    answered = load(server.url, bodies=on.bodies(server.contender, rows=rows), clients=clients, seconds=seconds)
    return Figures(
        contender=server.contender.name,
        rows=rows,
        clients=clients,
        per_second=answered.per_second,
        p50_ms=answered.p50_ms,
        p95_ms=answered.p95_ms,
        p99_ms=answered.p99_ms,
        errors=answered.errors,
        cpu_ms=(server.cpu_seconds() - cpu) * 1e3 / max(answered.requests, 1),
        memory_mb=server.memory_mb(),
    )


def _median(rounds: Sequence[Figures]) -> Figures:
    """Medians of what was measured; errors are those of all rounds."""
    first = rounds[0]
    medians = {name: statistics.median(getattr(each, name) for each in rounds) for name in MEASURED}
    errors = sum(each.errors for each in rounds)
    return Figures(contender=first.contender, rows=first.rows, clients=first.clients, errors=errors, **medians)


def _goals(figures: Sequence[Figures]) -> dict[str, float]:
    case = {(each.contender, each.rows, each.clients): each for each in figures}
    single, ours = case[PRODUCT, 1, 32], [each for each in figures if each.contender == PRODUCT]

    def faster(peer: str, rows: int) -> float:
        theirs = case[peer, rows, 32].per_second
        return case[PRODUCT, rows, 32].per_second / theirs if theirs else float("inf")

    return {
        "throughput against bare, computed: single rows": faster(BARE, 1),
        "throughput against MLflow, computed: single rows": faster(MLFLOW, 1),
        "throughput against MLflow, ready: single rows": faster(MLFLOW_READY, 1),
        "throughput against bare, computed: 100 rows": faster(BARE, 100),
        "throughput against MLflow, ready: 100 rows": faster(MLFLOW_READY, 100),
        "p99 against bare, computed: single rows": single.p99_ms / case[BARE, 1, 32].p99_ms,
        "CPU ms per request: single rows": single.cpu_ms,
        "p50 ms of one client: single rows": case[PRODUCT, 1, 1].p50_ms,
        "memory MB, at most in any case": max(each.memory_mb for each in ours),
        "errors of the product in any case": sum(each.errors for each in ours),
    }

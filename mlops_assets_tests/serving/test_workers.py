"""Several workers: each answers, what they count adds up, and a key means the same to all of them."""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from mlops_assets_tests.serving.factories import TAG, make_parcel, recorded
from mlops_assets_tests.serving.raw_http import head, post, send
from mlops_assets_tests.serving.servers import ServedBento, served

ASKED = 120


def test_two_workers_answer_and_count_together(data_dir: Path) -> None:
    with served(TAG, data_dir=data_dir, settings={"MLOPS_SERVICE_WORKERS": "2"}) as running:
        before = answered_by(running)
        with ThreadPoolExecutor(8) as clients:
            plain = list(
                clients.map(lambda _: send(running.url, post({"rows": [make_parcel()]}), seconds=20), range(ASKED))
            )
            repeated = list(clients.map(lambda _: send(running.url, repeatable(), seconds=20), range(24)))
        both = counted_by_both(running, at_least=ASKED + 24)
        idle = [worker for worker in workers(running) if worker.cpu_times().user <= before[worker.pid]]

    assert {answer.status for answer in (*plain, *repeated)} == {200}
    assert len({answer.body for answer in repeated}) == 1
    assert len(recorded(data_dir)) == ASKED + 1
    assert idle == []
    assert both == {ASKED + 24}


def counted_by_both(running: ServedBento, *, at_least: int) -> set[int]:
    """What either worker says that both have answered, once it is so many: an answer is counted after it is sent."""
    deadline = time.monotonic() + 10
    while min(told := {counted(send(running.url, head("GET /metrics")).body) for _ in range(8)}) < at_least:
        assert time.monotonic() < deadline, told
        time.sleep(0.05)
    return told


def repeatable() -> bytes:
    """A request that is the same one whoever answers it."""
    return post({"rows": [make_parcel()], "id": "order 17"})


def workers(running: ServedBento) -> list[psutil.Process]:
    """The two that answer."""
    children = psutil.Process(running.process.pid).children(recursive=True)
    answering = [child for child in children if "--worker-id" in child.cmdline()]
    assert len(answering) == 2
    return answering


def answered_by(running: ServedBento) -> dict[int, float]:
    """The seconds of CPU that each worker took so far."""
    return {worker.pid: worker.cpu_times().user for worker in workers(running)}


def counted(page: bytes) -> int:
    """The predictions that were asked for."""
    (value,) = re.findall(rb'mlops_requests_total\{route="/predict",status="200"\} (\S+)', page)
    return int(float(json.loads(value)))

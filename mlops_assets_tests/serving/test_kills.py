"""kill -9 under load: no answer is lost, no request that is repeated is answered twice, and no worker stays behind."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from mlops_assets_tests.serving.factories import TAG, make_parcel, recorded
from mlops_assets_tests.serving.servers import Client, ServedBento, free_port, kill, start, wait_until_ready

pytestmark = pytest.mark.slow

CLIENTS, KILLS, ANSWERS_BETWEEN = 4, 2, 25


class Asker:
    """Asks for parcel after parcel, each under a key of its own, again and again until it is answered."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.answers: dict[str, str] = {}
        self.over = threading.Event()

    def ask(self, number: int) -> None:
        """Parcels of one sender until it is ``over``."""
        place = 0
        while not self.over.is_set():
            key = f"{number}-{place}"
            try:
                status, answer = self._client.post({"rows": [make_parcel(sender=key)]}, key=key)
            except (OSError, http.client.HTTPException):  # cut off, or nobody there
                time.sleep(0.02)
                continue
            if status == 200:
                self.answers[key] = answer["predictions"][0]["prediction_id"]
                place += 1


def test_kill_9_under_load_loses_nothing_and_doubles_nothing(data_dir: Path) -> None:
    port = free_port()
    running = start(TAG, data_dir=data_dir, port=port)
    asker = Asker(Client(running.url))
    with ThreadPoolExecutor(CLIENTS) as clients:
        asking = [clients.submit(asker.ask, number) for number in range(CLIENTS)]
        try:
            for answered in range(KILLS):
                wait_until_ready(running)
                _wait_for(asker, answers=(answered + 1) * ANSWERS_BETWEEN)
                kill(running)
                running = start(TAG, data_dir=data_dir, port=port)
            wait_until_ready(running)
            _wait_for(asker, answers=(KILLS + 1) * ANSWERS_BETWEEN)
        finally:
            asker.over.set()
            done = [each.exception(30) for each in asking]
            left = _workers_without(running)

    assert left == []
    kept = recorded(data_dir)
    by_sender = {row["prediction_id"]: row["inputs"] for row in kept}
    assert done == [None] * CLIENTS
    assert set(asker.answers.values()) <= set(by_sender)
    assert max(Counter(by_sender.values()).values()) == 1
    assert [row["seq"] for row in kept] == list(range(1, len(kept) + 1))


def _workers_without(running: ServedBento) -> list[psutil.Process]:
    """The workers that are still there after only their supervisor was killed."""
    workers = psutil.Process(running.process.pid).children(recursive=True)
    assert workers
    running.process.kill()
    running.process.wait(30)
    _, left = psutil.wait_procs(workers, timeout=30)
    for worker in left:
        worker.kill()
    return left


def _wait_for(asker: Asker, *, answers: int) -> None:
    deadline = time.monotonic() + 60
    while len(asker.answers) < answers:
        assert time.monotonic() < deadline, f"{len(asker.answers)} of {answers} answers came"
        time.sleep(0.02)

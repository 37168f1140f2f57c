"""A service whose disk, log or history fails: refused quickly, with a reason for the operator, and well by itself."""

from __future__ import annotations

import json
import resource
import sqlite3
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from mlops_assets_tests.serving.factories import TAG, make_history, make_parcel, recorded, refresh_online_store
from mlops_assets_tests.serving.raw_http import RawAnswer, head, post, send
from mlops_assets_tests.serving.servers import Client, ServedBento, free_port, served, start, stop

BUDGET = 0.7
"""Seconds that a request may take here."""
SETTINGS = {"MLOPS_SERVICE_BUDGET_MS": str(int(BUDGET * 1000)), "MLOPS_SERVICE_MAX_WAITING": "2"}
ASKED = post({"rows": [make_parcel()]})


@pytest.fixture(scope="module")
def running(data_dir: Path) -> Iterator[ServedBento]:
    with served(TAG, data_dir=data_dir, settings=SETTINGS) as running:
        yield running


@pytest.fixture(scope="module")
def client(running: ServedBento) -> Client:
    return Client(running.url)


@pytest.fixture
def log_file(data_dir: Path) -> Path:
    return data_dir / "prediction_log" / "parcels.sqlite"


@contextmanager
def locked(log_file: Path) -> Iterator[None]:
    """Another writer holds the log."""
    with closing(sqlite3.connect(log_file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def aside(file: Path) -> Iterator[None]:
    """The file has another name."""
    other = file.with_name(f"{file.name}.aside")
    file.rename(other)
    try:
        yield
    finally:
        other.replace(file)


def is_refused(answer: RawAnswer, data_dir: Path) -> bool:
    """Whether an answer is a 503 that says when to come again, and nothing of the machine."""
    quiet = str(data_dir) not in answer.body.decode() and "sqlite" not in answer.body.decode()
    return answer.status == 503 and int(answer.headers["retry-after"]) > 0 and quiet


def reasons(running: ServedBento, event: str) -> list[str]:
    """The reasons that the log gives for an event."""
    lines = [json.loads(line) for line in running.log.read_text().splitlines() if line.startswith("{")]
    return [line["reason"] for line in lines if line["event"] == event]


@pytest.mark.parametrize("replaced", [False, True], ids=["removed", "replaced"])
def test_a_log_that_is_gone_is_noticed_before_the_next_answer(
    running: ServedBento, client: Client, data_dir: Path, log_file: Path, replaced: bool
) -> None:
    before = len(recorded(data_dir))
    with aside(log_file):
        if replaced:
            log_file.write_bytes(b"")
        answer, ready = send(running.url, ASKED), client.get("/readyz")[0]

    assert is_refused(answer, data_dir)
    assert ready == 503
    assert ("replaced" if replaced else "removed") in reasons(running, "not ready")[-1]
    assert str(log_file) in reasons(running, "nothing can be answered")[-1]
    assert client.get("/livez")[0] == 200
    assert client.get("/readyz")[0] == 200
    assert client.post({"rows": [make_parcel()]})[0] == 200
    assert len(recorded(data_dir)) == before + 1


def test_a_full_disk_is_a_refusal_that_names_no_path(running: ServedBento, client: Client, data_dir: Path) -> None:
    many = {"rows": [make_parcel(sender=f"{number:040}") for number in range(1000)]}
    before = len(recorded(data_dir))
    with full(running):
        answer = send(running.url, post(many), seconds=10)

    assert is_refused(answer, data_dir)
    assert len(recorded(data_dir)) == before
    assert client.post(many)[0] == 200


@contextmanager
def full(running: ServedBento) -> Iterator[None]:
    """The service's processes can write no file past its first bytes, as if the disk was full."""
    limit = 2 * running.log.stat().st_size + 8192
    workers = [worker.pid for worker in psutil.Process(running.process.pid).children(recursive=True)]
    limits = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in workers}
    for pid, (_, most) in limits.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, most))
    yield
    for pid, before in limits.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def test_waiting_for_a_locked_log_is_one_time_out_for_all(
    running: ServedBento, client: Client, data_dir: Path, log_file: Path
) -> None:
    before = len(recorded(data_dir))
    with locked(log_file), ThreadPoolExecutor(6) as clients:
        started = time.monotonic()
        answers = list(clients.map(lambda _: send(running.url, ASKED, seconds=10), range(6)))
        waited = time.monotonic() - started
        ready = client.get("/readyz")[0]

    assert all(is_refused(answer, data_dir) for answer in answers)
    assert waited < 3.5  # two seconds once; those behind the first do not wait two more
    assert ready == 503
    assert "locked" in reasons(running, "not ready")[-1]
    assert client.get("/readyz")[0] == 200
    assert client.post({"rows": [make_parcel()]})[0] == 200
    assert len(recorded(data_dir)) == before + 1


def test_what_waited_too_long_is_refused_and_never_remembered(
    running: ServedBento, data_dir: Path, log_file: Path
) -> None:
    before = len(recorded(data_dir))
    with ThreadPoolExecutor(2) as clients:
        with locked(log_file):
            written = clients.submit(send, running.url, post({"rows": [make_parcel(sender="first")]}), seconds=10)
            wait_until_taken(running)
            late = send(running.url, post({"rows": [make_parcel(sender="late")]}), seconds=10)
        answered = written.result(30)

    assert (answered.status, is_refused(late, data_dir)) == (200, True)
    assert "took too long" in late.json["error"]
    assert [json.loads(row["inputs"])["sender"] for row in recorded(data_dir)[before:]] == ["first"]


def wait_until_taken(running: ServedBento) -> None:
    """Until a request is being answered."""
    deadline = time.monotonic() + 10
    while b"mlops_waiting_rows 0" in (page := send(running.url, head("GET /metrics")).body) or not page:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.05)


def test_at_overload_refusals_are_fast_and_probes_answered(
    running: ServedBento, data_dir: Path, log_file: Path
) -> None:
    took: list[float] = []
    with ThreadPoolExecutor(8) as clients:
        with locked(log_file):
            first = clients.submit(send, running.url, ASKED, seconds=10)
            wait_until_taken(running)
            waiting = [clients.submit(send, running.url, ASKED, seconds=10) for _ in range(2)]
            wait_for_rows(running, rows=3)
            refused = [timed(lambda: send(running.url, ASKED), took=took) for _ in range(9)]
            alive = timed(lambda: send(running.url, head("GET /livez")), took=(alive_took := []))
        answers: list[RawAnswer] = [each.result(30) for each in (first, *waiting)]

    assert all(is_refused(answer, data_dir) and "Too many" in answer.json["error"] for answer in refused)
    assert statistics.median(took) < 0.1
    assert (alive.status, alive_took[0] < 1) == (200, True)
    assert answers[0].status == 200
    assert send(running.url, ASKED).status == 200


def wait_for_rows(running: ServedBento, *, rows: int) -> None:
    """Until so many rows wait."""
    deadline = time.monotonic() + 10
    while f"mlops_waiting_rows {rows}".encode() not in send(running.url, head("GET /metrics")).body:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def timed(ask: Any, *, took: list[float]) -> RawAnswer:
    started = time.monotonic()
    answer: RawAnswer = ask()
    took.append(time.monotonic() - started)
    return answer


def test_damaged_history_is_told_with_503_wherever_it_is_asked_for(
    running: ServedBento, client: Client, data_dir: Path
) -> None:
    with closing(sqlite3.connect(data_dir / "online" / "parcels.sqlite")) as store:
        for table in ("generation", "in_use"):
            store.execute(f"ALTER TABLE {table} RENAME TO no_{table}")
        answers = [send(running.url, request) for request in (head("GET /describe"), head("GET /"), ASKED)]
        ready = client.get("/readyz")[0]
        for table in ("generation", "in_use"):
            store.execute(f"ALTER TABLE no_{table} RENAME TO {table}")

    assert [is_refused(answer, data_dir) for answer in answers] == [True] * 3
    assert ready == 503
    assert client.post({"rows": [make_parcel()]})[0] == 200


def test_an_empty_store_is_not_ready_until_it_is_filled(built: Path, tmp_path: Path) -> None:
    (tmp_path / "bentoml").symlink_to(built / "bentoml")
    running = start(TAG, data_dir=tmp_path, port=free_port())
    client = Client(running.url)
    try:
        wait_until_alive(running)
        empty = [client.get("/readyz")[0], client.post({"rows": [make_parcel()]})[0]]
        refresh_online_store(tmp_path, make_history())
        filled = [client.get("/readyz")[0], client.post({"rows": [make_parcel()]})[0]]
    finally:
        stop(running)

    assert empty == [503, 503]
    assert filled == [200, 200]
    assert "online store is empty" in reasons(running, "not ready")[0]


def wait_until_alive(running: ServedBento) -> None:
    """Until /livez answers."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and running.process.poll() is None:
        try:
            if send(running.url, head("GET /livez")).status == 200:
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(running.log.read_text())


def test_a_log_folder_that_cannot_be_written_ends_the_service_with_the_reason(built: Path, tmp_path: Path) -> None:
    (tmp_path / "bentoml").symlink_to(built / "bentoml")
    (tmp_path / "prediction_log").write_text("a file where a folder should be")
    running = start(TAG, data_dir=tmp_path, port=free_port())

    try:
        assert running.process.wait(60) == 1
    finally:
        stop(running)
    assert f"{tmp_path / 'prediction_log'} cannot be written" in running.log.read_text()
    assert "Traceback" not in running.log.read_text()

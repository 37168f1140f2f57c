"""A service that is attacked: every hostile request is answered, quickly, in the one shape, and nobody else waits."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from mlops_assets_tests.serving.factories import TAG, make_parcel
from mlops_assets_tests.serving.hostile_requests import GOOD, HOSTILE, Hostile
from mlops_assets_tests.serving.raw_http import JSON_TYPE, RawAnswer, chunked, head, opened, post, read, received, send
from mlops_assets_tests.serving.servers import Client, ServedBento, served

PATIENCE = 2.0
"""Seconds that a caller may take for a request here."""
BEFORE_US = {"path: a line break", "path: an asterisk"}
"""What BentoML answers before it looks for routes."""
OF_ONE_SHAPE = {"error", "faults"}


@pytest.fixture(scope="module")
def running(data_dir: Path) -> Iterator[ServedBento]:
    settings = {"MLOPS_SERVICE_BODY_TIMEOUT_MS": str(int(PATIENCE * 1000))}
    with served(TAG, data_dir=data_dir, settings=settings) as running:
        yield running


@pytest.fixture(scope="module")
def url(running: ServedBento) -> str:
    return running.url


@pytest.fixture(autouse=True)
def _still_answers(url: str) -> Iterator[None]:
    """After each attack a good request is answered."""
    yield
    assert send(url, post(GOOD)).status == 200


def test_hostile_requests_are_told_apart_by_their_names() -> None:
    assert len({name for name, _, _ in HOSTILE}) == len(HOSTILE) >= 250


@pytest.mark.parametrize("kind", sorted({name.partition(":")[0] for name, _, _ in HOSTILE}))
def test_a_hostile_request_is_answered_in_time_with_its_status_in_the_one_shape(url: str, kind: str) -> None:
    sent = [hostile for hostile in HOSTILE if hostile[0].startswith(f"{kind}:")]

    assert {hostile[0]: fault for hostile in sent if (fault := _fault(url, hostile))} == {}


def _fault(url: str, hostile: Hostile) -> str:
    name, request, statuses = hostile
    try:
        answer = send(url, request)
    except (OSError, ValueError, IndexError) as error:
        return f"no answer: {error!r}"
    if answer.status not in statuses:
        return f"{answer.status} {answer.body[:200]!r}"
    if answer.status < 400 or name in BEFORE_US or request.startswith(b"HEAD"):
        return ""
    return "" if _is_of_one_shape(answer) else f"another shape: {answer.body[:200]!r}"


def _is_of_one_shape(answer: RawAnswer) -> bool:
    told = json.loads(answer.body)
    faults = [set(fault) == {"row", "field", "value", "rule"} for fault in told["faults"]]
    return set(told) == OF_ONE_SHAPE and all(faults) and answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("send_as", [post, chunked], ids=["by its length", "in chunks"])
def test_two_hundred_thousand_nulls_are_refused_while_others_are_answered(url: str, send_as: Any) -> None:
    nulls = b'{"rows":[' + b",".join([b"null"] * 200_000) + b"]}"
    slowest: list[float] = []
    over = threading.Event()

    def others() -> None:
        while not over.is_set():
            for request in (head("GET /livez"), post(GOOD)):
                started = time.monotonic()
                assert send(url, request).status == 200
                slowest.append(time.monotonic() - started)

    with ThreadPoolExecutor(2) as clients:
        asking = clients.submit(others)
        statuses = {send(url, send_as(nulls)).status for _ in range(5)}
        over.set()
        asking.result(30)

    assert statuses == {413}
    assert max(slowest) < 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("weight", True),
        ("weight", "2.5"),
        ("weight", 2**63),
        ("depot", 1),
        ("sent_at", "2013-07-01"),
        ("sent_at", "0001-01-01T00:00:00"),
        ("sent_at", "9999-12-31T23:59:59"),
    ],
)
def test_a_value_that_was_guessed_once_is_refused_by_row_and_field(url: str, field: str, value: object) -> None:
    answer = send(url, post({"rows": [make_parcel(), make_parcel(**{field: value})]})).json["predictions"][1]

    assert answer["faults"][0]["row"] == 1
    assert answer["faults"][0]["field"] in (field, "event_time")
    assert answer["faults"][0]["rule"]


def test_headers_that_never_end_are_given_up(url: str) -> None:
    with ExitStack() as stack:
        silent = [stack.enter_context(closing(opened(url, seconds=3 * PATIENCE))) for _ in range(100)]
        half = [stack.enter_context(closing(opened(url, seconds=3 * PATIENCE))) for _ in range(100)]
        kept_alive = stack.enter_context(closing(opened(url, seconds=3 * PATIENCE)))
        for connection in half:
            connection.sendall(b"POST /predict HTTP/1.1\r\nHost: here\r\nX-")
        kept_alive.sendall(post(GOOD))
        assert received(kept_alive).status == 200
        kept_alive.sendall(b"POST /predict HTTP/1.1\r\nHost: ")
        dripping = threading.Thread(target=_drip, args=(half[0],))
        dripping.start()
        ended = [_ended(connection) for connection in (*silent, *half, kept_alive)]
        dripping.join(30)

    assert ended == [True] * 201


def _drip(connection: socket.socket) -> None:
    """A byte now and then, which must not win time."""
    try:
        for _ in range(40):
            connection.sendall(b"a")
            time.sleep(0.2)
    except OSError:
        return


def _ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(
    "half",
    [
        head("POST /predict", (JSON_TYPE, ("Content-Length", "100"))) + b'{"rows":',
        head("POST /outcomes", (JSON_TYPE, ("Transfer-Encoding", "chunked"))) + b'4\r\n{"ou',
    ],
    ids=["by its length", "in chunks"],
)
def test_a_body_that_never_ends_gets_408_and_no_more_is_read(url: str, half: bytes) -> None:
    answer = send(url, half, seconds=3 * PATIENCE)

    assert (answer.status, answer.headers["connection"]) == (408, "close")
    assert set(answer.json) == OF_ONE_SHAPE


@pytest.mark.parametrize("start", ["POST /predict", "POST /a b"], ids=["too long", "no HTTP"])
def test_a_caller_that_still_sends_gets_its_refusal_and_no_reset(url: str, start: str) -> None:
    with closing(opened(url)) as connection:
        connection.sendall(head(start, (JSON_TYPE, ("Content-Length", str(64 * 65_536)))))
        for _ in range(64):
            connection.sendall(b" " * 65_536)
            time.sleep(0.002)

        assert received(connection).status in (400, 413)


def test_a_caller_that_never_reads_is_given_up(url: str, running: ServedBento) -> None:
    with closing(opened(url)) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with suppress(TimeoutError, ConnectionResetError):
            connection.sendall(head("GET /docs.json") * 2_000)
        port = connection.getsockname()[1]

        assert comes_true(lambda: port in callers_of(running))
        assert comes_true(lambda: port not in callers_of(running))


def comes_true(condition: Callable[[], bool]) -> bool:
    """Whether it does while a caller may be slow, and as long again."""
    until = time.monotonic() + 3 * PATIENCE
    while not (true := condition()) and time.monotonic() < until:
        time.sleep(0.02)
    return true


def callers_of(running: ServedBento) -> set[int]:
    """The ports of those whose connections the service holds."""
    workers = psutil.Process(running.process.pid).children(recursive=True)
    return {place.raddr.port for worker in workers for place in worker.net_connections() if place.raddr}


def test_requests_on_one_connection_are_answered_in_their_order(url: str) -> None:
    upgrade = post(GOOD, headers=[JSON_TYPE, ("Connection", "Upgrade"), ("Upgrade", "h2c")])
    with closing(opened(url)) as connection, connection.makefile("rb") as stream:
        connection.sendall(post(GOOD) + post({}) + head("GET /model"))
        pipelined = [read(stream).status for _ in range(3)]
        connection.sendall(upgrade)
        upgraded = read(stream).status
        connection.sendall(post(GOOD))

        assert (pipelined, upgraded, read(stream).status) == ([200, 400, 200], 200, 200)


def test_a_caller_that_leaves_in_the_middle_is_forgotten(url: str, running: ServedBento) -> None:
    before = running.log.read_text()
    for _ in range(20):
        with closing(opened(url)) as connection:
            connection.sendall(head("POST /predict", (JSON_TYPE, ("Content-Length", "100"))) + b"{")
    send(url, post(GOOD))

    assert "Traceback" not in running.log.read_text().removeprefix(before)


def test_unknown_paths_are_one_series(url: str) -> None:
    for path in ("/unknown", "/metrics"):
        send(url, head(f"GET {path}"))
    before = send(url, head("GET /metrics")).body.decode()
    with closing(opened(url)) as connection:
        for number in range(300):
            connection.sendall(head(f"GET /unknown/{number}"))
            assert received(connection).status == 404
    after = send(url, head("GET /metrics")).body.decode()

    assert len(after.splitlines()) == len(before.splitlines())
    assert "/unknown" not in after
    assert _counted(after, "other") - _counted(before, "other") == 300


def _counted(page: str, route: str) -> float:
    (value,) = re.findall(rf'mlops_requests_total{{route="{route}",status="404"}} (\S+)', page)
    return float(value)


def test_malformed_json_is_one_line_of_the_log_with_the_id_that_the_caller_was_told(
    url: str, running: ServedBento
) -> None:
    before = running.log.read_text()
    answer = send(url, post(b'{"rows":['))
    send(url, head("GET /livez"))  # the line is written once the answer is sent
    lines = running.log.read_text().removeprefix(before).splitlines()

    assert (answer.status, set(answer.json)) == (400, OF_ONE_SHAPE)
    assert [json.loads(line)["request_id"] for line in lines] == [answer.headers["x-request-id"]]


def test_the_answer_carries_the_callers_own_request_id_and_what_owasp_recommends(url: str) -> None:
    headers = send(url, post(GOOD, headers=[JSON_TYPE, ("X-Request-ID", "order-17")])).headers

    assert headers["x-request-id"] == "order-17"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


def test_every_example_of_the_documents_works_when_sent(url: str) -> None:
    client = Client(url)
    _, docs = client.get("/docs.json")
    asked = {path: methods["post"] for path, methods in docs["paths"].items() if "post" in methods}

    assert set(asked) == {"/predict", "/explain", "/outcomes"}
    for path, operation in asked.items():
        example = operation["requestBody"]["content"]["application/json"]["example"]
        status, answer = client.post(example, path=path)
        assert (status, "error" in str(answer)) == (200, False), answer

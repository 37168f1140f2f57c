"""The gate before every route: who passes, what every answer carries, and that nothing that fails stays unanswered."""

from __future__ import annotations

import asyncio
import logging
import re

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from mlops_assets.serving.gate import HEADERS, Check, Gate
from mlops_assets.serving.metrics import ServiceMetrics
from mlops_assets.serving.wire import Fault, Refused


async def answers(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers everybody."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"max-age=9")]})
    await send({"type": "http.response.body", "body": b"{}"})


def failing(error: Exception) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    return app


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> ServiceMetrics:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    return ServiceMetrics()


class Client:
    """Asks what stands behind a gate, without a server."""

    def __init__(self, app: ASGIApp, *, metrics: ServiceMetrics, check: Check = lambda _: None) -> None:
        self._app = Gate(app, check=check, metrics=metrics, routes=frozenset({"/predict"}))

    def get(self, path: str, **headers: str) -> httpx.Response:
        return asyncio.run(self._get(path, headers))

    async def _get(self, path: str, headers: dict[str, str]) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self._app), base_url="http://here") as client:
            return await client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_every_answer_carries_a_request_id_and_safe_headers_but_those_that_the_answer_has_itself(
    metrics: ServiceMetrics,
) -> None:
    headers = Client(answers, metrics=metrics).get("/predict").headers

    assert re.fullmatch("[0-9a-f]{32}", headers["x-request-id"])
    assert headers["cache-control"] == "max-age=9"
    assert {name: headers[name] for name in HEADERS if name != "cache-control"} == {
        name: value for name, value in HEADERS.items() if name != "cache-control"
    }


@pytest.mark.parametrize(("sent", "kept"), [("a-1._Z", True), ("a b", False), ('","x":"', False), ("a" * 65, False)])
def test_the_callers_own_request_id_is_kept_where_it_can_be_logged(
    metrics: ServiceMetrics, sent: str, kept: bool
) -> None:
    told = Client(answers, metrics=metrics).get("/predict", x_request_id=sent).headers["x-request-id"]

    assert (told == sent) == kept


@pytest.mark.parametrize(
    ("refused", "headers"),
    [
        (Refused(401, "no key"), {"www-authenticate": "Bearer"}),
        (Refused(429, "too fast", retry_after=3), {"retry-after": "3"}),
        (Refused(503, "too many"), {"retry-after": "1", "connection": "close"}),
        (Refused(413, "too long"), {"connection": "close"}),
        (Refused(400, "bad", faults=[Fault(rule="a rule")]), {}),
    ],
)
def test_who_may_not_pass_gets_the_one_shape(
    metrics: ServiceMetrics, refused: Refused, headers: dict[str, str]
) -> None:
    def refuses(_: Scope) -> None:
        raise refused

    answer = Client(answers, metrics=metrics, check=refuses).get("/predict")

    assert answer.status_code == refused.status
    assert answer.json() == refused.refusal.model_dump()
    assert headers.items() <= answer.headers.items()
    assert ("retry-after" in answer.headers) == ("retry-after" in headers)


def test_what_fails_is_a_500_that_tells_nothing_and_is_logged_with_its_id(
    metrics: ServiceMetrics, caplog: pytest.LogCaptureFixture
) -> None:
    answer = Client(failing(ValueError("/a/path")), metrics=metrics).get("/predict")

    assert (answer.status_code, answer.json()["error"]) == (500, "This request could not be answered.")
    (failed,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert failed.fields["request_id"] == answer.headers["x-request-id"]  # type: ignore[attr-defined]


def test_requests_are_counted_by_route_and_status_never_by_path(metrics: ServiceMetrics) -> None:
    asking = Client(answers, metrics=metrics)
    for path in ("/predict", "/a", "/b", "/predict/c"):
        asking.get(path)

    page = metrics.page().decode()
    assert 'mlops_requests_total{route="/predict",status="200"} 1.0' in page
    assert 'mlops_requests_total{route="other",status="200"} 3.0' in page

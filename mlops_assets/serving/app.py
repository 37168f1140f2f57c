"""The service's own routes: an ASGI app that BentoML mounts beside its probes.

Belongs here: HTTP, from a body's bytes to a response. BentoML's own handling of inputs costs a request more than its
answer does, so requests come in here; `bentoml serve` and the probes stay BentoML's.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from mlops_assets.contract.errors import ServingError
from mlops_assets.serving.asking import LONGEST_KEY
from mlops_assets.serving.faults import shortened
from mlops_assets.serving.first_page import PAGE_HEADERS, first_page
from mlops_assets.serving.gate import MONITOR, Gate, header, refusal
from mlops_assets.serving.metrics import CONTENT_TYPE, ServiceMetrics
from mlops_assets.serving.openapi import openapi
from mlops_assets.serving.settings import ServiceSettings
from mlops_assets.serving.wire import Fault, Refused

log = logging.getLogger(__name__)

INLINE = 16_384
"""Bytes of a body that is checked at once; a longer one is checked beside the event loop."""
JSON = "application/json"


class Routes:
    """The endpoints of one service. ``service`` answers with the instance that BentoML made, once it has."""

    def __init__(
        self, service: Callable[[], Any], *, settings: ServiceSettings, metrics: ServiceMetrics, monitor_page: Path
    ) -> None:
        self._service = service
        self._settings = settings
        self._metrics = metrics
        self._monitor_page = monitor_page

    async def predict(self, request: Request) -> Response:
        """POST /predict: each row's answer, or what is wrong with it."""
        service = self._service()
        service.engine.refuse_if_full()
        body = await self._body(request)
        asked = await self._checked(service.asking.check, body, request=request)
        self._metrics.faulty_rows.inc(len(asked.faulty))
        fingerprint = b""
        if asked.key:  # two callers that chose the same one asked two things
            fingerprint = hashlib.sha256(body).digest()
            asked = replace(asked, key=f"{request.scope.get('caller', '')}/{asked.key}")
        return Response(await service.engine.answer(asked, fingerprint=fingerprint), media_type=JSON)

    async def explain(self, request: Request) -> Response:
        """POST /explain: what moved each row's score, and how far."""
        service = self._service()
        body = await self._body(request)
        asked = await self._checked(service.asking.check, body, request=request)
        return Response(await service.explaining.answer(asked), media_type=JSON)

    async def outcomes(self, request: Request) -> Response:
        """POST /outcomes: what turned out to be true."""
        service = self._service()
        body = await self._body(request)
        return Response(await run_in_threadpool(service.outcomes.record, body), media_type=JSON)

    async def model(self, _: Request) -> Response:
        """GET /model: what is expected, the version that answers, and what it was made of."""
        return JSONResponse(await run_in_threadpool(self._described))

    async def page(self, request: Request) -> Response:
        """GET /: the same for people."""
        url, monitored = str(request.base_url).rstrip("/"), self._monitor_page.exists()
        told = await run_in_threadpool(self._described)
        return HTMLResponse(first_page(told, url=url, monitored=monitored), headers=PAGE_HEADERS)

    async def monitor(self, _: Request) -> Response:
        """GET /monitor: the page of monitoring as it was written last."""
        try:
            text = await run_in_threadpool(self._monitor_page.read_text, encoding="utf-8")
        except FileNotFoundError as error:
            raise Refused(404, "There is no page of monitoring yet: it is written once a day is watched.") from error
        return HTMLResponse(text, headers=PAGE_HEADERS)

    async def docs(self, _: Request) -> Response:
        """GET /docs.json: OpenAPI."""
        service = self._service()
        return JSONResponse(openapi(service.predictor.answering.use_case, body=service.asking.body))

    async def metrics(self, _: Request) -> Response:
        """GET /metrics: for Prometheus."""
        return Response(await run_in_threadpool(self._counted), media_type=CONTENT_TYPE)

    def _counted(self) -> bytes:
        service = self._service()
        self._metrics.serving.labels(service.predictor.answering.use_case.name).set(1)
        self._metrics.waiting_rows.set(service.engine.waiting_rows)
        with suppress(ServingError):  # a log that cannot be read is told by /readyz; everything else is counted still
            self._metrics.uncollected.set(service.predictor.log.uncollected())
        return self._metrics.page()

    def _described(self) -> dict[str, Any]:
        with _reaching_history():
            told: dict[str, Any] = self._service().predictor.describe()
            return told

    async def _body(self, request: Request) -> bytes:
        """The whole body. ``Refused`` when it is no JSON, too long, or takes too long to come."""
        if header(request.scope, b"content-type").partition(";")[0].strip().lower() not in (JSON, ""):
            raise Refused(415, f"The body must be {JSON}.")
        if header(request.scope, b"content-encoding").lower() not in ("identity", ""):
            raise Refused(415, "The body must not be compressed.")
        most = self._settings.max_bytes
        length = header(request.scope, b"content-length")
        if length.isdigit() and int(length) > most:
            raise Refused(413, f"The body has {length} bytes; at most {most} are taken.")
        pieces, size = [], 0
        try:
            async with asyncio.timeout(self._settings.body_timeout_ms / 1000):
                async for piece in request.stream():
                    pieces.append(piece)
                    size += len(piece)
                    if size > most:
                        raise Refused(413, f"The body has more than {most} bytes, which is the most that is taken.")
        except TimeoutError as error:
            raise Refused(408, "The request did not arrive in time.") from error
        except ClientDisconnect as error:
            raise Refused(400, "The request did not arrive as a whole.") from error
        return b"".join(pieces)

    async def _checked(self, check: Callable[..., Any], body: bytes, *, request: Request) -> Any:
        day, key = self._day(), _key(request)
        if len(body) <= INLINE:
            return check(body, day=day, key=key)
        return await run_in_threadpool(check, body, day=day, key=key)

    def _day(self) -> Any:
        with _reaching_history():
            return self._service().predictor.day()


def build_app(
    service: Callable[[], Any],
    *,
    settings: ServiceSettings,
    metrics: ServiceMetrics,
    check: Callable[[Any], None],
    monitor_page: Path,
) -> Starlette:
    """The app. ``check`` raises ``Refused`` for who may not pass to a route; ``monitor_page`` is where the page of
    monitoring is, once there is one.
    """
    routes = Routes(service, settings=settings, metrics=metrics, monitor_page=monitor_page)
    paths = [
        Route("/", routes.page, methods=["GET"]),
        Route("/predict", routes.predict, methods=["POST"]),
        Route("/explain", routes.explain, methods=["POST"]),
        Route("/outcomes", routes.outcomes, methods=["POST"]),
        Route("/model", routes.model, methods=["GET"]),
        Route("/describe", routes.model, methods=["GET", "POST"]),
        Route("/docs.json", routes.docs, methods=["GET"]),
        Route("/metrics", routes.metrics, methods=["GET"]),
        Route(MONITOR, routes.monitor, methods=["GET"]),
    ]
    gate = Middleware(Gate, check=check, metrics=metrics, routes=frozenset(route.path for route in paths))
    app = Starlette(
        routes=paths,
        middleware=[gate],
        exception_handlers={Refused: _refused, HTTPException: _http_error},
    )
    app.router.redirect_slashes = False  # a redirected POST is a GET to most clients
    return app


@contextmanager
def _reaching_history() -> Iterator[None]:
    try:
        yield
    except ServingError as error:
        log.error("history cannot be reached", extra={"fields": {"reason": str(error)}})
        raise Refused(503, "History cannot be reached: try again later.") from error


def _key(request: Request) -> str | None:
    """The caller's name of its request; None if it has none."""
    key = header(request.scope, b"idempotency-key")
    if len(key) > LONGEST_KEY or not (key.isascii() and key.isprintable()):
        rule = f"at most {LONGEST_KEY} printable ASCII characters"
        fault = Fault(field="Idempotency-Key", value=shortened(key), rule=rule)
        raise Refused(400, "Nothing was answered.", faults=[fault])
    return key or None


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return refusal(error)


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = refusal(Refused(error.status_code, error.detail))
    response.headers.update(error.headers or {})  # a 405 says what is allowed
    return response

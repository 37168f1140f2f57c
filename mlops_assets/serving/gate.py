"""The gate in front of a service's routes: who may pass, and what every answer carries.

Belongs here: request ids, keys, headers, counting, the log line of a refusal, and the one shape of every error. It is
plain ASGI, as what stands before each answer must cost next to nothing.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from uuid import uuid4

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlops_assets.serving.metrics import ServiceMetrics
from mlops_assets.serving.wire import Refused

log = logging.getLogger(__name__)

MONITOR = "/monitor"
"""The page of monitoring: the one route that people with a key open in a browser."""
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""As OWASP's REST security cheat sheet recommends; a page of its own says what else it needs."""
_PLAIN = [(name.encode(), value.encode()) for name, value in HEADERS.items()]

Check = Callable[[Scope], None]


class Gate:
    """Lets a request through to ``app``, or answers for it. ``check`` raises ``Refused`` for who may not pass.

    ``routes`` are the paths that there are: others are counted as one.
    """

    def __init__(self, app: ASGIApp, *, check: Check, metrics: ServiceMetrics, routes: frozenset[str]) -> None:
        self._app = app
        self._check = check
        self._metrics = metrics
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        answer = _Answer(send, request_id=_request_id(scope))
        scope["request_id"] = answer.request_id
        try:
            self._check(scope)
            await self._app(scope, receive, answer)
        except Refused as refused:
            response = refusal(refused)
            if refused.status == 401 and scope["path"] == MONITOR:
                response.headers["www-authenticate"] = 'Basic realm="a key as the password", charset="UTF-8"'
            await response(scope, receive, answer)
        except Exception:
            log.exception("failed", extra={"fields": {"request_id": answer.request_id, "path": scope["path"][:200]}})
            if not answer.status:
                failed = Refused(500, "This request could not be answered.")
                await refusal(failed)(scope, receive, answer)
        finally:
            self._count(scope, answer, seconds=time.perf_counter() - started)

    def _count(self, scope: Scope, answer: _Answer, *, seconds: float) -> None:
        route = scope["path"] if scope["path"] in self._routes else "other"
        self._metrics.requests.labels(route, str(answer.status)).inc()
        self._metrics.latency.labels(route).observe(seconds)
        if answer.status >= 400 and answer.status != 503:  # refusals under load are counted, not written one by one
            fields = {"request_id": answer.request_id, "route": route, "status": answer.status}
            log.info("refused", extra={"fields": fields | {"ms": round(seconds * 1e3, 1)}})


class _Answer:
    """Sends an answer with the headers that all have, and remembers its status."""

    def __init__(self, send: Send, *, request_id: str) -> None:
        self._send = send
        self.request_id = request_id
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = {name.lower() for name, _ in message["headers"]}
            more = [(name, value) for name, value in _PLAIN if name not in own]
            message["headers"] = [*message["headers"], *more, (b"x-request-id", self.request_id.encode())]
        await self._send(message)


def refusal(refused: Refused) -> Response:
    """The one shape of everything that is not answered."""
    headers = {"retry-after": str(refused.retry_after)} if refused.retry_after else {}
    if refused.status == 401:
        headers["www-authenticate"] = "Bearer"
    if refused.status in (408, 413, 503):
        headers["connection"] = "close"  # what the caller still sends is not read
    content = refused.refusal.model_dump_json()
    return Response(content, status_code=refused.status, headers=headers, media_type="application/json")


def header(scope: Scope, name: bytes) -> str:
    """A request's header, empty where it has none."""
    for key, value in scope["headers"]:
        if key == name:
            text: str = value.decode("latin-1")
            return text
    return ""


def _request_id(scope: Scope) -> str:
    """The caller's own where it is one that can be logged."""
    sent = header(scope, b"x-request-id")
    return sent if REQUEST_ID.match(sent) else uuid4().hex

"""HTTP as the server needs it: authentication, reading parameters and bodies, and answering in JSON."""

from __future__ import annotations

import errno
import json
import logging
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from starlette.datastructures import Headers, QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lakefs_embedded.api_error import ApiError, bad_request
from lakefs_embedded.auth import Credentials
from lakefs_embedded.listing import Page

MAX_JSON_BYTES = 8 * 1024 * 1024
MAX_HEADER_BYTES = 64 * 1024
MAX_PER_PAGE = 1000
DEFAULT_PER_PAGE = 100
PUBLIC_PATHS = ("/api/v1/healthcheck",)

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

logger = logging.getLogger(__name__)


class Gate:
    """Admits requests that carry the key, and hands on paths whose segments are still told apart.

    A segment may contain an encoded slash (a tag `a/b` is asked for as `a%2Fb`). Each segment is decoded by
    itself and what would be ambiguous is encoded again; `Call.param` undoes that.
    """

    def __init__(self, app: ASGIApp, credentials: Credentials) -> None:
        self._app = app
        self._credentials = credentials

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADER_BYTES:
            return error_response(ApiError(431, f"request headers exceed {MAX_HEADER_BYTES} bytes"))
        authorization = Headers(scope=scope).get("authorization", "")
        if scope["path"] not in PUBLIC_PATHS and not self._credentials.admits(authorization):
            return error_response(ApiError(401, "error authenticating request"))
        try:
            raw = scope["raw_path"].decode("ascii")
            segments = [unquote(segment, errors="strict") for segment in raw.split("/")]
        except UnicodeDecodeError:
            return error_response(bad_request("request path is not valid UTF-8"))
        scope["path"] = "/".join(part.replace("%", "%25").replace("/", "%2F") for part in segments)
        return None


@dataclass(frozen=True, kw_only=True)
class Body:
    """The fields of a JSON object, each read with the type it must have."""

    fields: Mapping[str, Any]

    def text(self, name: str, default: str | None = None) -> str:
        value = self._field(name, str, default)
        assert isinstance(value, str)
        return _encodable(name, value)

    def optional_text(self, name: str) -> str | None:
        return None if self.fields.get(name) is None else self.text(name)

    def number(self, name: str, default: int | None = None) -> int:
        value = self._field(name, int, default)
        assert isinstance(value, int)
        if isinstance(value, bool) or not -(2**62) < value < 2**62:
            raise bad_request(f"field {name!r} must be an integer of 63 bits")
        return value

    def optional_number(self, name: str) -> int | None:
        return None if self.fields.get(name) is None else self.number(name)

    def flag(self, name: str) -> bool:
        value = self._field(name, bool, False)
        assert isinstance(value, bool)
        return value

    def texts(self, name: str) -> list[str]:
        value = self._field(name, list, None)
        assert isinstance(value, list)
        if not all(isinstance(item, str) for item in value):
            raise bad_request(f"field {name!r} must hold strings")
        return [_encodable(name, item) for item in value]

    def mapping(self, name: str) -> dict[str, str]:
        value = self._field(name, dict, {})
        assert isinstance(value, dict)
        if not all(isinstance(item, str) for item in value.values()):
            raise bad_request(f"field {name!r} must map strings to strings")
        return {_encodable(name, key): _encodable(name, item) for key, item in value.items()}

    def part(self, name: str) -> Body:
        value = self._field(name, dict, {})
        assert isinstance(value, dict)
        return Body(fields=value)

    def parts(self, name: str) -> list[Body]:
        value = self._field(name, list, None)
        assert isinstance(value, list)
        if not all(isinstance(item, dict) for item in value):
            raise bad_request(f"field {name!r} must hold objects")
        return [Body(fields=item) for item in value]

    def _field(self, name: str, kind: type, default: object) -> object:
        value = self.fields.get(name)
        if value is None:
            value = default
        if value is None:
            raise bad_request(f"field {name!r} is required")
        if not isinstance(value, kind):
            raise bad_request(f"field {name!r} must be of type {kind.__name__}")
        return value


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request, as the operations see it."""

    params: Mapping[str, str]
    query: QueryParams
    headers: Headers
    body: Body

    def param(self, name: str) -> str:
        """A segment of the path."""
        return unquote(self.params[name])

    def text(self, name: str, default: str = "") -> str:
        return self.query.get(name, default)

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.query.get(name)
        if value is None:
            return default
        if value.lower() not in ("true", "false", "1", "0"):
            raise bad_request(f"parameter {name!r} must be true or false")
        return value.lower() in ("true", "1")

    @property
    def amount(self) -> int:
        """How many items a page may have: 100 unless told, all the server gives for 0 or -1."""
        text = self.query.get("amount", str(DEFAULT_PER_PAGE))
        try:
            amount = int(text) if len(text) < 8 else MAX_PER_PAGE + 1
        except ValueError:
            raise bad_request(f"parameter 'amount' must be a number, not {text[:50]!r}") from None
        if not -1 <= amount <= MAX_PER_PAGE:
            raise bad_request(f"parameter 'amount' must be between -1 and {MAX_PER_PAGE}")
        return amount if amount > 0 else MAX_PER_PAGE

    @property
    def page(self) -> Page:
        return Page(
            prefix=self.text("prefix"),
            after=self.text("after"),
            delimiter=self.text("delimiter"),
            amount=self.amount,
        )


async def call_of(request: Request) -> Call:
    """Reads a request whole. Raises 400 for a body that is not a JSON object, 413 for one too large."""
    content = bytearray()
    if request.method in ("POST", "PUT", "PATCH"):
        async for chunk in request.stream():
            content += chunk
            if len(content) > MAX_JSON_BYTES:
                raise ApiError(413, f"request body exceeds {MAX_JSON_BYTES} bytes")
    return Call(
        params=request.path_params,
        query=request.query_params,
        headers=request.headers,
        body=Body(fields=_parsed(bytes(content)) if content else {}),
    )


def call_without_body(request: Request) -> Call:
    """A request whose body, if it has one, is not JSON."""
    return Call(params=request.path_params, query=request.query_params, headers=request.headers, body=Body(fields={}))


def _parsed(content: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        raise bad_request("request body is not valid JSON") from None
    if not isinstance(value, dict):
        raise bad_request("request body must be a JSON object")
    return value


def _encodable(name: str, text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise bad_request(f"field {name!r} is not valid Unicode") from None
    return text


def paginated(results: Sequence[Mapping[str, Any]], *, has_more: bool, next_offset: str) -> JSONResponse:
    pagination = {
        "has_more": has_more,
        "next_offset": next_offset if has_more else "",
        "results": len(results),
        "max_per_page": MAX_PER_PAGE,
    }
    return JSONResponse({"pagination": pagination, "results": list(results)})


def error_response(error: ApiError) -> Response:
    headers = {"WWW-Authenticate": 'Basic realm="lakeFS"'} if error.status == 401 else {}
    content = {"message": error.message, **error.fields}
    return JSONResponse(content, status_code=error.status, headers={**headers, **error.headers})


def as_api_error(error: Exception) -> ApiError:
    """The answer to what went wrong below: a full disk and a busy store are said, the rest is a 500."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, ClientDisconnect):
        return bad_request("the request ended before its end")
    if isinstance(error, OSError) and error.errno in _NO_SPACE:
        return ApiError(507, f"no space to store that: {error.strerror}; nothing was changed")
    if isinstance(error, sqlite3.OperationalError) and ("full" in str(error) or "disk I/O" in str(error)):
        return ApiError(507, f"no space to store that: {error}; nothing was changed")
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        return ApiError(503, "the store is busy with other writers; try again")
    logger.exception("The embedded lakeFS server failed", exc_info=error)
    return ApiError(500, f"internal error: {type(error).__name__}: {error}")

"""What a connection may do before it is a request, where uvicorn as BentoML starts it bounds nothing.

Belongs here: callers that are slow, headers without end, what is no HTTP, and requests that ask for another protocol.
BentoML hands no option through to uvicorn, so its protocol is replaced by one that knows more, in the one place where
uvicorn looks which to take.
"""

from __future__ import annotations

import logging
from asyncio import Transport
from asyncio.events import TimerHandle
from typing import Any, ClassVar

import httptools
from uvicorn.protocols.http import auto
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from mlops_assets.serving.wire import Refusal

log = logging.getLogger(__name__)

MOST_BYTES = 65_536
"""Of a request's first line and headers."""
NOT_HTTP = "This is no HTTP/1.1 request."
TOO_LONG = f"The headers have more than {MOST_BYTES} bytes."
_OF_UPGRADES = (b"connection", b"upgrade", b"http2-settings")


class Connection(HttpToolsProtocol):
    """One connection: the headers of each request must come within ``seconds``, all of them, and what waits to be read
    must be taken within as many.
    """

    seconds: ClassVar[float] = 10.0
    _head: int = 0
    _waiting: TimerHandle | None = None
    _unread: TimerHandle | None = None
    _is_refused: bool = False

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Begins to wait for a request."""
        super().connection_made(transport)
        self.transport = _Lingering(transport, of=self)  # type: ignore[assignment]
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends."""
        self._head_is_there()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """As uvicorn's, which never reads the body of a request that asks for another protocol."""
        if self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        if self.cycle is None or self.cycle.response_complete:
            self._wait_for_head()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._stay_with_http(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response(NOT_HTTP)
        self._head += len(data)
        if self._waiting and self._head > MOST_BYTES:
            self._refuse(431, TOO_LONG)

    @property
    def is_still_sent(self) -> bool:
        """Whether more of a request may be on its way, which nobody will look at."""
        return self._is_refused or (self.cycle is not None and self.cycle.more_body)

    def pause_writing(self) -> None:
        """Gives up a caller that takes no more of its answer, as closing would wait for it."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Goes on."""
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def on_headers_complete(self) -> None:
        """Begins to answer, unless the request is read again without its wish for another protocol."""
        if not self.parser.should_upgrade():
            self._head_is_there()
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """As uvicorn's, with the same exception."""
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """In the one shape of all refusals."""
        self._refuse(400, msg)

    def _stay_with_http(self, rest: bytes) -> None:
        """Reads the request once more as if it asked for no other protocol, as HTTP lets a server do.

        Java's client asks every server for HTTP/2 so. A websocket is answered as what else it is, a GET.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            self.send_400_response(NOT_HTTP)
            return
        lines = [b"%b: %b\r\n" % line for line in self.headers if line[0] not in _OF_UPGRADES]
        head = b"%b %b HTTP/1.1\r\n%b\r\n" % (method, self.url, b"".join(lines))
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(head + rest)

    def _wait_for_head(self) -> None:
        if self._waiting is None:
            self._head, self._waiting = 0, self.loop.call_later(self.seconds, self.timeout_keep_alive_handler)

    def _head_is_there(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _refuse(self, status: int, error: str) -> None:
        """Answers below HTTP's routes, once."""
        self._head_is_there()
        self._is_refused = True
        log.info("refused", extra={"fields": {"route": "none", "status": status}})
        body = Refusal(error=error).model_dump_json().encode()
        head = b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()


class _Lingering:
    """A transport that, closed in the middle of a request, reads on until the caller ends or ``seconds`` are over.

    A socket that is closed over bytes that nobody read is reset, and a caller that still sends gets that instead of its
    answer.
    """

    def __init__(self, transport: Transport, *, of: Connection) -> None:
        self._transport = transport
        self._connection = of
        self._is_closing = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether nothing more is answered."""
        return self._is_closing or bool(self._transport.is_closing())

    def close(self) -> None:
        """Ends what is sent, and reads on."""
        if self.is_closing() or not self._connection.is_still_sent or not self._transport.can_write_eof():
            self._transport.close()
            return
        self._is_closing = True
        self._connection.flow.resume_reading()
        self._transport.write_eof()
        self._connection.loop.call_later(self._connection.seconds, self._transport.close)


def bound_connections(*, seconds: float) -> None:
    """From now on, a server that is started in this process takes ``Connection``."""
    Connection.seconds = seconds
    auto.AutoHTTPProtocol = Connection

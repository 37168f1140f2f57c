"""Uploads sent as a form: the bytes of its one file `content`, passed on as they arrive."""

from __future__ import annotations

from collections.abc import AsyncIterator

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from lakefs_embedded.api_error import bad_request

FIELD = b"content"


async def content_of_form(content_type: str, body: AsyncIterator[bytes]) -> tuple[str, AsyncIterator[bytes]]:
    """The content type of the file in a form, and its bytes. Raises 400 for what is no form with one file."""
    form = _Form(content_type)
    chunks = form.read(body)
    first = await anext(chunks, b"")
    return form.content_type, _joined(first, chunks)


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


class _Form:
    def __init__(self, content_type: str) -> None:
        _, options = parse_options_header(content_type)
        if not options.get(b"boundary"):
            raise bad_request("multipart upload: no boundary")
        self.content_type = ""
        self._parser = MultipartParser(
            options[b"boundary"],
            {
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_part_begin": self._on_part_begin,
                "on_end": self._on_end,
            },
        )
        self._name, self._value = b"", b""
        self._headers: dict[bytes, bytes] = {}
        self._pending = bytearray()
        self._files = 0
        self._ended = False

    async def read(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in body:
            try:
                self._parser.write(chunk)
            except MultipartParseError as error:
                raise bad_request(f"multipart upload: {error}") from None
            if self._pending:
                yield bytes(self._pending)
                self._pending.clear()
        if not self._ended or self._files != 1:
            raise bad_request("multipart upload: expected one whole file named 'content'")

    def _on_part_begin(self) -> None:
        self._headers = {}

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name, self._value = b"", b""

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if options.get(b"name") != FIELD:
            raise bad_request("multipart upload: expected one file named 'content'")
        self._files += 1
        self.content_type = self._headers.get(b"content-type", b"").decode("latin-1")

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._pending += data[start:end]

    def _on_end(self) -> None:
        self._ended = True

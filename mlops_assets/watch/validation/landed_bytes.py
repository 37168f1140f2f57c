"""The text of a landed file as UTF-8 bytes: unpacked and decoded on the way, never on disk or in memory as a whole.

Knows no lines and values; whether the text is a table is judged in ``file_format.py``.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from mlops_assets.contract.anomalies import Code, anomaly
from mlops_assets.contract.file_form import UTF_8, FileForm, Packing

BLOCK = 8 * 1024 * 1024
"""So many bytes are read at once."""
LONGEST_VALUE = 1024 * 1024
"""Bytes that one value may have; a longer one is a fault of the file."""
LONGEST_ROW = 8 * 1024 * 1024
"""Bytes that one row may have."""
MAGIC = {Packing.GZIP: b"\x1f\x8b", Packing.ZSTD: b"\x28\xb5\x2f\xfd", Packing.PARQUET: b"PAR1"}
_COMPRESSION = {Packing.GZIP: "gzip", Packing.ZSTD: "zstd"}
_CONTROL = re.compile("[\x80-\x9f]")
"""What is no letter: a file that has it is of another encoding."""


class FileFaultError(Exception):
    """Ends the reading of a file: ``finding`` says what is wrong with it."""

    def __init__(self, code: Code, message: str, **more: Any) -> None:
        super().__init__(message)
        self.finding = anomaly(code, message, **more)


def packing_of(path: Path) -> Packing:
    """What the first bytes of a file say that it is; text unless they say another thing."""
    with path.open("rb") as file:
        start = file.read(4)
    return next((packing for packing, magic in MAGIC.items() if start.startswith(magic)), Packing.TEXT)


def open_text(path: Path, *, packing: Packing, form: FileForm, end: int | None = None) -> BinaryIO:
    """The text of a file as UTF-8, up to byte ``end`` of it.

    Reading raises FileFaultError where it cannot be unpacked or is not of its declared encoding.
    """
    if packing is Packing.TEXT and form.is_utf_8 and end is None:
        return path.open("rb")
    blocks = _unpacked(path, packing=packing)
    blocks = blocks if form.is_utf_8 else _decoded(blocks, encoding=form.encoding)
    return io.BufferedReader(_Stream(blocks if end is None else _up_to(blocks, end=end)))


class _Stream(io.RawIOBase):
    """Blocks of bytes as a file."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        super().__init__()
        self._blocks = blocks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def _unpacked(path: Path, *, packing: Packing) -> Iterator[bytes]:
    with pa.input_stream(str(path), compression=_COMPRESSION.get(packing)) as file:
        while block := _read(file, packing=packing):
            yield block


def _read(file: pa.NativeFile, *, packing: Packing) -> bytes:
    try:
        return bytes(file.read(BLOCK))
    except OSError as error:
        if packing is Packing.TEXT:
            raise
        message = f"The file is {packing} that cannot be unpacked to its end: {error}. It is cut or broken."
        raise FileFaultError(Code.CUT_FILE, message) from error


def _decoded(blocks: Iterator[bytes], *, encoding: str) -> Iterator[bytes]:
    """``blocks`` as UTF-8; a FileFaultError names line and byte of what is no letter in ``encoding``."""
    decoder, utf_8 = codecs.getincrementaldecoder(encoding)(), codecs.getincrementaldecoder(UTF_8)()
    line, is_plain, is_utf_8 = 1, True, True
    for block in chain(blocks, [b""]):
        text = _text_of(block, decoder=decoder, line=line, encoding=encoding)
        line += text.count("\n")
        is_plain &= block.isascii()
        is_utf_8 = is_utf_8 and _fits(block, decoder=utf_8)
        yield text.encode()
    if is_utf_8 and not is_plain:
        raise FileFaultError(
            Code.WRONG_ENCODING, f"The file is UTF-8 text, and its source declares {encoding}: say encoding='utf-8'."
        )


def _text_of(block: bytes, *, decoder: codecs.IncrementalDecoder, line: int, encoding: str) -> str:
    """What ``block``, which begins in ``line``, is as text; an empty one ends the file."""
    try:
        text = decoder.decode(block, not block)
    except UnicodeDecodeError as error:
        line += error.object.count(b"\n", 0, error.start)
        raise _no_letter(f"byte 0x{error.object[error.start]:02x}", line=line, encoding=encoding) from error
    if found := _CONTROL.search(text):
        line += text.count("\n", 0, found.start())
        raise _no_letter(f"byte 0x{ord(found[0]):02x}", line=line, encoding=encoding)
    return text


def _no_letter(what: str, *, line: int, encoding: str) -> FileFaultError:
    message = f"The file is not {encoding} text as its source declares: {what} in line {line} is no letter there."
    return FileFaultError(Code.WRONG_ENCODING, message)


def _fits(block: bytes, *, decoder: codecs.IncrementalDecoder) -> bool:
    try:
        decoder.decode(block, not block)
    except UnicodeDecodeError:
        return False
    return True


def _up_to(blocks: Iterator[bytes], *, end: int) -> Iterator[bytes]:
    for block in blocks:
        yield block[:end]
        end -= len(block)
        if end <= 0:
            return

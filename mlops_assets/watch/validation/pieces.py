"""Tables piece by piece, so that the memory of judging a batch follows a piece of it and not its rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

PIECE_BYTES = 96 * 1024 * 1024
"""What a piece has at least, as Arrow counts it, unless it is the last."""
_ROWS_AT_ONCE = 65_536


def in_pieces(parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The rows of ``parts``, one under the other, in pieces of ``PIECE_BYTES``: many small parts are one."""
    held: list[pa.Table] = []
    size = 0
    for part in parts:
        held.append(part)
        size += part.nbytes
        if size >= PIECE_BYTES:
            yield pa.concat_tables(held).combine_chunks()
            held, size = [], 0
            pa.default_memory_pool().release_unused()  # Arrow would keep what was freed, piece by piece
    if held:
        yield pa.concat_tables(held).combine_chunks()


def parquet_parts(path: Path) -> Iterator[pa.Table]:
    """The rows of one Parquet file, some at a time."""
    with pq.ParquetFile(path) as file:
        for part in file.iter_batches(batch_size=_ROWS_AT_ONCE):
            yield pa.Table.from_batches([part])

"""An entry: what a tree remembers of one object. Its path is the key it is stored under."""

from __future__ import annotations

from typing import Any, NamedTuple

DEFAULT_CONTENT_TYPE = "application/octet-stream"


class Entry(NamedTuple):
    """`blob` is the sha256 naming the stored bytes; `checksum` is their md5, the ETag lakeFS clients know."""

    blob: str
    size: int
    checksum: str
    mtime: int
    content_type: str
    metadata: dict[str, str]


def same(left: Entry | None, right: Entry | None) -> bool:
    """Whether two entries are one version of an object. As in lakeFS, the time of upload is no part of it."""
    if left is None or right is None:
        return left is right
    return (left.blob, left.content_type, left.metadata) == (right.blob, right.content_type, right.metadata)


def to_row(entry: Entry) -> list[Any]:
    """The JSON form; `from_row` is its inverse."""
    return list(entry)


def from_row(row: list[Any]) -> Entry:
    return Entry(*row)

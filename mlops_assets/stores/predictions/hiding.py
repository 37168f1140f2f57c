"""Sensitive columns of a request, hashed or left out before its record reaches a log.

Hidden are the column in ``inputs``, the feature of the same name, the example's id where the column is ``id``, and the
column's value where flags name it. Not hidden are features that SQL makes of the column under other names.

A hash is keyed (HMAC-SHA256), so that nobody without the key can try all values; the same value has the same hash.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mlops_assets.contract.errors import ServingError
from mlops_assets.contract.use_case import HASHED, Logged, UseCase
from mlops_assets.stores.predictions.records import RecordGroup

KEY_FILE = "hash.key"
_KEY_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class Hiding:
    """What is done to each record group of a use case: ``columns`` as ``UseCase.logged`` declares, by ``key``."""

    columns: Mapping[str, Logged]
    key: bytes

    @classmethod
    def of(cls, use_case: UseCase, *, folder: Path) -> Hiding:
        """As the use case declares; a key is made below ``folder`` at the first use of one."""
        hashes = HASHED in use_case.logged.values()
        return cls(columns=use_case.logged, key=hash_key(folder) if hashes else b"")

    def value(self, column: str, value: object) -> object:
        """What a log may hold instead of a column's value: its hash, or None."""
        if value is None or self.columns[column] != HASHED:
            return None
        text = value if isinstance(value, str) else json.dumps(value)
        return hmac.new(self.key, text.encode(), hashlib.sha256).hexdigest()[:32]

    def example_id(self, example_id: str) -> str | None:
        """Under which id the log has an example: what an outcome by example must be looked up by."""
        return example_id if "id" not in self.columns else self._text("id", example_id)

    def hide(self, group: RecordGroup) -> RecordGroup:
        """The group as a log may hold it."""
        if not self.columns:
            return group
        rows = group.rows.to_pydict()
        asked = [json.loads(text) for text in rows["inputs"]]
        hidden = {
            **rows,
            "inputs": [json.dumps(self._inputs(row)) for row in asked],
            "texts": [self._texts(texts, names=group.layout.texts) for texts in rows["texts"]],
            "numbers": [self._numbers(numbers, names=group.layout.numbers) for numbers in rows["numbers"]],
            "flags": [self._flags(flags, asked=row) for flags, row in zip(rows["flags"], asked, strict=True)],
            "example_id": [one if one is None else self.example_id(one) for one in rows["example_id"]],
        }
        return replace(group, rows=pa.RecordBatch.from_pydict(hidden, schema=group.rows.schema))

    def _text(self, column: str, value: str) -> str | None:
        hidden = self.value(column, value)
        return None if hidden is None else str(hidden)

    def _inputs(self, row: Mapping[str, Any]) -> dict[str, Any]:
        shown = {name: value for name, value in row.items() if name not in self.columns}
        hashed = [name for name in row if self.columns.get(name) == HASHED]
        return shown | {name: self.value(name, row[name]) for name in hashed}

    def _texts(self, texts: Sequence[str | None], *, names: Sequence[str]) -> list[str | None]:
        pairs = zip(names, texts, strict=True)
        return [text if text is None or name not in self.columns else self._text(name, text) for name, text in pairs]

    def _numbers(self, numbers: Sequence[float], *, names: Sequence[str]) -> list[float]:
        """A number has no hash that would be one: it is missing either way."""
        return [np.nan if name in self.columns else value for name, value in zip(names, numbers, strict=True)]

    def _flags(self, flags: Sequence[str], *, asked: Mapping[str, Any]) -> list[str]:
        """What flags quote of hidden columns is replaced."""
        hidden = [name for name in self.columns if asked.get(name)]
        values = [(str(asked[name]), str(self.value(name, asked[name]) or "…")) for name in hidden]
        said = []
        for flag in flags:
            before, quote, quoted = flag.partition("'")
            for value, shown in values:
                quoted = quoted.replace(value, shown)
            said.append(f"{before}{quote}{quoted}")
        return said


NOTHING_HIDDEN = Hiding(columns={}, key=b"")
"""What a use case does that names no sensitive column."""


def hash_key(folder: Path) -> bytes:
    """The secret below ``folder``, made at first use, for its owner alone. Hosts with one log need the same file."""
    path = folder / "prediction_log" / KEY_FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.with_name(f"{KEY_FILE}.{secrets.token_hex(8)}")
        if not path.exists():
            with os.fdopen(os.open(made, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                file.write(secrets.token_bytes(_KEY_BYTES))
                os.fsync(file.fileno())
            with suppress(FileExistsError):  # another process was first
                path.hardlink_to(made)
            made.unlink()
        key = path.read_bytes()
    except OSError as error:
        raise ServingError(f"The key {path} of hashed columns cannot be used: {error}") from error
    if len(key) != _KEY_BYTES:
        raise ServingError(
            f"The key {path} of hashed columns has {len(key)} bytes, not {_KEY_BYTES}: put its copy back."
        )
    return key

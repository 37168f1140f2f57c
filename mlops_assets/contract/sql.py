"""SQL that a use case hands over: a file of its own, or text that is generated from what it declares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias


@dataclass(frozen=True, kw_only=True)
class GeneratedSql:
    """A query that nobody wrote, read as a file is: ``name`` stands in messages, ``text`` is what runs."""

    name: str
    text: str

    def read_text(self, encoding: str = "utf-8") -> str:
        """The query."""
        return self.text


Sql: TypeAlias = Path | GeneratedSql


def identifier(name: str) -> str:
    """``name`` as an SQL identifier, whatever it contains."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """``text`` as an SQL text, whatever it contains."""
    return "'" + text.replace("'", "''") + "'"

"""How the files of a source are written: what must be known before a byte of them can be read as a value.

The declaration only; reading is in ``watch/validation/``. Whether a file is packed, or is Parquet, its name says where
it lands, and its first bytes say everywhere.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from enum import StrEnum

from mlops_assets.contract.errors import DeclarationError

UTF_8 = "utf-8"


class Packing(StrEnum):
    """What holds the rows of a file, in words: text as it is, text that is compressed, or Parquet."""

    TEXT = "CSV text"
    GZIP = "gzip data"
    ZSTD = "Zstandard data"
    PARQUET = "a Parquet file"


SUFFIXES = {
    ".csv": Packing.TEXT,
    ".csv.gz": Packing.GZIP,
    ".csv.zst": Packing.ZSTD,
    ".parquet": Packing.PARQUET,
}
"""How the names of landed files end."""


def suffix_of(name: str) -> str | None:
    """Which of ``SUFFIXES`` a file's name ends with, ``None`` if with none."""
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), None)


@dataclass(frozen=True, kw_only=True)
class FileForm:
    """How text is written in a file.

    Without a ``header`` the columns are those of the schema, in its order. ``decimal`` is the sign before the fraction
    of a number, ``thousands`` the one between groups of three digits, if any. ``strip`` takes blanks from around each
    value, quoted or not. ``encoding`` is one that Python names.
    """

    header: bool = True
    delimiter: str = ","
    decimal: str = "."
    thousands: str = ""
    strip: bool = False
    encoding: str = UTF_8

    @property
    def is_plain_number(self) -> bool:
        """Whether numbers are written as in Python."""
        return self.decimal == "." and not self.thousands

    @property
    def is_utf_8(self) -> bool:
        return codecs.lookup(self.encoding).name in (UTF_8, "utf-8-sig")

    @property
    def has_plain_line_ends(self) -> bool:
        """Whether a line ends in the byte that it ends in elsewhere: not so in UTF-16."""
        return "\n".encode(self.encoding) == b"\n"

    def refuse_unfit(self, source: str) -> None:
        """Raises DeclarationError if no file of ``source`` can be written so."""
        if fault := self._fault():
            raise DeclarationError(f"Source '{source}': {fault}.")

    def _fault(self) -> str | None:
        if len(self.delimiter) != 1 or self.delimiter in '"\r\n':
            return f"delimiter {self.delimiter!r} must be one character"
        if self.decimal not in (".", ","):
            return f"decimal {self.decimal!r} must be '.' or ','"
        if self.thousands == self.decimal or self.thousands not in ("", ".", ",", " ", "'", "\u00a0", "\u202f"):
            return f"thousands {self.thousands!r} must be '.', ',', \"'\" or a blank, and another sign than decimal"
        if self.strip and self.delimiter == " ":
            return "strip takes the blanks away that are its delimiter: declare one of the two"
        return None if _is_text_encoding(self.encoding) else f"Python knows no encoding {self.encoding!r} of text"


PLAIN = FileForm()


def _is_text_encoding(name: str) -> bool:
    try:
        return "".encode(name) is not None
    except LookupError:
        return False

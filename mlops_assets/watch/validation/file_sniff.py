"""How a file seems to be written, guessed from its beginning, each guess with its reason, for a person to confirm.

Nothing that is judged depends on a guess: the judge reads what a ``Source`` declares.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mlops_assets.contract.file_form import PLAIN, UTF_8, FileForm, Packing
from mlops_assets.watch.validation.headers import unnamed_columns
from mlops_assets.watch.validation.landed_bytes import LONGEST_VALUE, open_text, packing_of
from mlops_assets.watch.validation.written_values import OTHER_VALUES, all_match, is_value, number_pattern

HEAD = 1024 * 1024
"""So many bytes of a file are looked at."""
STRIPPED = 0.1
"""If so large a part of the values of a column has blanks around it, they are no part of the values."""
LOOKS_LIKE_DATA = 0.5
"""If so large a part of the first line looks like values, it is no header."""

MISSING = ("", "NA", "N/A", "NULL", "null", "NaN", "nan", "n/a", "#N/A", "<NA>", "?")
"""Texts that are taken for missing values where they occur; ``NA`` may be a code beside others."""
MISSING_NUMBERS = (*MISSING, "None", "none", "-", "--", ".", "*", "unknown", "missing")
"""The same in a column that has numbers, dates or truth values beside them."""

_DELIMITERS = ("\t", ";", "|", ",")
"""In the order of trust: a comma may be part of a number, and further ones of texts."""
_NUMBERS = (
    PLAIN,
    FileForm(decimal=","),
    FileForm(thousands=","),
    FileForm(decimal=",", thousands="."),
    FileForm(decimal=",", thousands=" "),
    FileForm(thousands=" "),
    FileForm(thousands="'"),
)
_CODE = re.compile(r"[A-Z0-9]+")


@dataclass(frozen=True, kw_only=True)
class SniffedFormat:
    """How a file is written, as far as its beginning says.

    ``columns`` are the names as written, or ``column_1``, … of a file without a header; ``null_values`` has those with
    other texts than the empty one. ``reasons`` has a sentence for each argument of ``Source`` that is not as by
    default, that of a column's texts under ``null_values.<column>``.
    """

    form: FileForm = PLAIN
    columns: tuple[str, ...] = ()
    null_values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)

    @property
    def declared(self) -> dict[str, Any]:
        """The arguments of ``Source`` that say it; what is as by default is left out."""
        told = {name: value for name, value in vars(self.form).items() if value != getattr(PLAIN, name)}
        return told | ({"null_values": dict(self.null_values)} if self.null_values else {})

    def seen_in(self, text: pa.Table) -> SniffedFormat:
        """The same with the texts for missing values of all rows, not of the first; ``text`` has one column for each,
        by its name in the lake."""
        found = {name: null_texts(text[name], form=self.form) for name in text.column_names}
        nulls = {name: texts for name, texts in found.items() if texts != ("",)}
        kept = {name: reason for name, reason in self.reasons.items() if not name.startswith("null_values.")}
        return replace(
            self, columns=tuple(text.column_names), null_values=nulls, reasons=kept | reasons_of_nulls(nulls)
        )

    def encoded_as(self, encoding: str) -> SniffedFormat:
        """The same in another encoding, which the beginning did not show."""
        reasons = dict(self.reasons) | {"encoding": said_encoding(encoding)}
        return replace(self, form=replace(self.form, encoding=encoding), reasons=reasons)


def sniff_file(path: Path, *, delimiter: str | None = None, header: bool | None = None) -> SniffedFormat:
    """``sniff`` of a file as it lies there, packed or not; Parquet says all of it by itself."""
    packing = packing_of(path)
    if packing is Packing.PARQUET:
        return SniffedFormat(columns=tuple(pq.read_schema(path).names))
    with open_text(path, packing=packing, form=PLAIN) as file:
        return sniff(file.read(HEAD), delimiter=delimiter, header=header)


def sniff(head: bytes, *, delimiter: str | None = None, header: bool | None = None) -> SniffedFormat:
    """The format of the file that begins with ``head``, unpacked; what is known of it is not guessed."""
    encoding = sniff_encoding(head)
    text = _whole_lines(codecs.getincrementaldecoder(encoding)("replace").decode(head).removeprefix("\ufeff"))
    csv.field_size_limit(LONGEST_VALUE)
    try:
        sign = delimiter or _delimiter(text)
        rows = _rows(text, delimiter=sign)
    except csv.Error:
        return SniffedFormat(form=FileForm(encoding=encoding))
    if not rows:
        return SniffedFormat(form=FileForm(delimiter=sign, encoding=encoding))
    has_header = _has_header(rows, text=text, delimiter=sign) if header is None else header
    return _sniffed(rows, text=text, form=FileForm(header=has_header, delimiter=sign, encoding=encoding))


def _sniffed(rows: Sequence[Sequence[str]], *, text: str, form: FileForm) -> SniffedFormat:
    """What the values say, besides what divides them: strip, signs in numbers, missing values."""
    names = tuple(rows[0]) if form.header else unnamed_columns(len(rows[0]))
    values = list(zip_longest(*rows[int(form.header) :], fillvalue="")) or [()] * len(names)
    columns = [pa.chunked_array([pa.array(column, pa.string())]) for column in values]
    if _is_padded(text, columns, delimiter=form.delimiter):
        form = replace(form, strip=True)
        names = tuple(name.strip() for name in names)
        columns = [pc.utf8_trim_whitespace(column) for column in columns]
    numbers = _number_form(columns)
    form = replace(form, decimal=numbers.decimal, thousands=numbers.thousands)
    nulls = {name: null_texts(column, form=form) for name, column in zip(names, columns, strict=False)}
    nulls = {name: texts for name, texts in nulls.items() if texts != ("",)}
    reasons = _reasons(form, first=rows[0], columns=columns) | reasons_of_nulls(nulls)
    return SniffedFormat(form=form, columns=names, null_values=nulls, reasons=reasons)


def _rows(text: str, *, delimiter: str) -> list[list[str]]:
    return [row for row in csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True) if row]


def sniff_encoding(head: bytes) -> str:
    """UTF-8 if it can be, UTF-16 if it is marked so, else Windows' western letters, or Latin-1 where it has none."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    for encoding in (UTF_8, "cp1252"):
        try:
            codecs.getincrementaldecoder(encoding)().decode(head)
        except UnicodeDecodeError:
            continue
        return encoding
    return "latin-1"


def null_texts(values: pa.ChunkedArray, *, form: FileForm) -> tuple[str, ...]:
    """The texts that stand for a missing value in a column: the empty one, which always does, and those that occur.

    In a column of codes of two letters ``NA`` is one of them.
    """
    known = pa.array(MISSING_NUMBERS)
    distinct = pc.unique(values)
    others = distinct.filter(pc.invert(pc.is_in(distinct, value_set=known)))
    occurring = {"", *distinct.filter(pc.is_in(distinct, value_set=known)).to_pylist()}
    if len(others) and all_match(others, f"{number_pattern(form)}|{OTHER_VALUES}"):
        return tuple(text for text in MISSING_NUMBERS if text in occurring)
    is_code = _are_codes_like_na(others)
    return tuple(text for text in MISSING if text in occurring and not (text == "NA" and is_code))


def reasons_of_nulls(nulls: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Why these texts of columns are taken for missing values, under ``null_values.<column>``."""
    written = {column: " and ".join(repr(text) for text in texts if text) for column, texts in nulls.items()}
    return {f"null_values.{column}": f"{texts} stands for a missing value." for column, texts in written.items()}


def _are_codes_like_na(others: pa.Array) -> bool:
    lengths = pc.unique(pc.utf8_length(others)).to_pylist()
    return lengths == [2] and all(_CODE.fullmatch(text) for text in others.to_pylist())


def _whole_lines(text: str) -> str:
    """Without the line that the end of the head cuts."""
    return text[: text.rfind("\n") + 1] or text


def _delimiter(text: str) -> str:
    """The first that splits every line into the same number of values, else what DuckDB takes it for."""
    for sign in _DELIMITERS:
        widths = {len(row) for row in _rows(text, delimiter=sign)}
        if len(widths) == 1 and widths != {1}:
            return sign
    found = _by_duckdb(text, delimiter=None)
    return found[0] if found and found[0] in set(_DELIMITERS) & set(text.partition("\n")[0]) else ","


def _by_duckdb(text: str, *, delimiter: str | None) -> tuple[str, bool] | None:
    """Delimiter and whether there is a header, by DuckDB's own sniffer; ``None`` if that finds no table."""
    options = "quote='\"', escape='\"', skip=0, comment=''" + (", delim=$delim" if delimiter else "")
    with NamedTemporaryFile(suffix=".csv") as file, duckdb.connect() as connection:
        file.write(text.encode())
        file.flush()
        given = {"path": file.name} | ({"delim": delimiter} if delimiter else {})
        query = f"SELECT delimiter, hasheader FROM sniff_csv($path, {options})"
        try:
            return connection.execute(query, given).fetchone()
        except duckdb.Error:
            return None


def _has_header(rows: Sequence[Sequence[str]], *, text: str, delimiter: str) -> bool:
    """DuckDB says where types do; a first line that has many values, or texts that come again, is none."""
    first = [value.strip() for value in rows[0]]
    if len(rows) == 1 or _are_numbered(first):
        return True
    if len(values_in(first, below=[row for row in rows if row != rows[0]])) >= LOOKS_LIKE_DATA * len(first):
        return False
    found = _by_duckdb(text, delimiter=delimiter)
    return found is None or found[1]


def values_in(first: Sequence[str], *, below: Sequence[Sequence[str]]) -> list[str]:
    """What of a first line is a value rather than a name: a number, a date, nothing, or what comes again below it."""
    columns = zip_longest(*below, fillvalue="")
    again = [name for name, column in zip(first, columns, strict=False) if name in {value.strip() for value in column}]
    return [name for name in first if is_value(name) or name in MISSING or name in again]


def _are_numbered(first: Sequence[str]) -> bool:
    """Whether the columns are named by counting, as pandas writes those without names."""
    whole = [int(name) for name in first if name.isdecimal()]
    return len(whole) > 1 and whole in [list(range(start, start + len(whole))) for start in (0, 1)]


def _is_padded(text: str, columns: Sequence[pa.ChunkedArray], *, delimiter: str) -> bool:
    """Whether blanks stand behind most delimiters, or around the values of a column."""
    signs = text.count(delimiter)
    if delimiter != " " and signs and text.count(f"{delimiter} ") > LOOKS_LIKE_DATA * signs:
        return True
    padded = (pc.mean(pc.not_equal(column, pc.utf8_trim_whitespace(column))).as_py() for column in columns)
    return any(share >= STRIPPED for share in padded if share is not None)


def _number_form(columns: Sequence[pa.ChunkedArray]) -> FileForm:
    """Decimal sign and thousands sign by which most columns have numbers; the plain ones if others add none."""
    nulls = pa.array(MISSING_NUMBERS)
    present = [pc.unique(column.filter(pc.invert(pc.is_in(column, value_set=nulls)))) for column in columns]

    def fitting(form: FileForm) -> int:
        return sum(len(column) > 0 and all_match(column, number_pattern(form)) for column in present)

    return max(_NUMBERS, key=fitting)


def said_encoding(encoding: str) -> str:
    """Why a file is taken to be in an encoding other than UTF-8."""
    if encoding == "utf-16":
        return "The file begins with the mark of UTF-16."
    return f"The bytes are no UTF-8, but letters as {encoding}: see that they are the right ones."


def _reasons(form: FileForm, *, first: Sequence[str], columns: Sequence[pa.ChunkedArray]) -> dict[str, str]:
    shown = ", ".join(repr(value.strip()[:20]) for value in first[:4])
    number = re.compile(number_pattern(form))
    plain = re.compile(number_pattern(PLAIN))
    examples = (value for column in columns for value in column.to_pylist() if not plain.fullmatch(value))
    example = next((value for value in examples if number.fullmatch(value)), "")
    said = {
        "header": f"The first line has values and no names: {shown}, …",
        "delimiter": f"{form.delimiter!r} splits every line alike.",
        "decimal": f"Numbers are written as {example}.",
        "thousands": f"Numbers are written as {example}.",
        "strip": "Blanks stand around values.",
        "encoding": said_encoding(form.encoding),
    }
    return {name: sentence for name, sentence in said.items() if getattr(form, name) != getattr(PLAIN, name)}

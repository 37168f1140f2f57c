"""How numbers are written under a declared decimal sign, and what looks like a value at all.

Patterns that Python, DuckDB and Arrow read alike.
"""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.contract.file_form import PLAIN, FileForm

DATES = (
    r"([0-9]{4}[./-][0-9]{1,2}[./-][0-9]{1,2}|[0-9]{1,2}[./-][0-9]{1,2}[./-]([0-9]{4}|[0-9]{2})"
    r"|[0-9]{1,2}[ -][A-Za-z]{3,9}[ -][0-9]{2,4})([ T][0-9].*)?"
)
"""Dates and times, however written."""
OTHER_VALUES = rf"{DATES}|true|false|True|False|TRUE|FALSE"
"""Values that are no numbers, and no texts either."""


def number_pattern(form: FileForm) -> str:
    """A regular expression for a whole number or a fraction, with an exponent or without."""
    point = re.escape(form.decimal)
    return rf"[+-]?({_digits(form)}{point}?[0-9]*|{point}[0-9]+)([eE][+-]?[0-9]+)?"


def whole_number_pattern(form: FileForm) -> str:
    """The same for what has no fraction."""
    return rf"[+-]?{_digits(form)}"


def _digits(form: FileForm) -> str:
    grouped = rf"[0-9]{{1,3}}({re.escape(form.thousands)}[0-9]{{3}})+"
    return f"({grouped}|[0-9]+)" if form.thousands else "[0-9]+"


_VALUE = re.compile(f"{number_pattern(PLAIN)}|{number_pattern(FileForm(decimal=','))}|{OTHER_VALUES}")


def is_value(text: str) -> bool:
    """Whether a text is a number, a date or a truth value, and so hardly the name of a column."""
    return _VALUE.fullmatch(text) is not None


def all_match(values: pa.Array | pa.ChunkedArray, pattern: str) -> bool:
    """Whether every one of these texts is wholly as the pattern says."""
    return bool(pc.all(pc.match_substring_regex(values, f"^(?:{pattern})$")).as_py())

"""How numbers are written under a declared decimal sign, as patterns that DuckDB and Arrow read alike."""

from __future__ import annotations

import re

from mlops_assets.contract.file_form import FileForm


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

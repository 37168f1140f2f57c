"""How files seem to be written, as the declaration of a source for a person to edit: each guess with its reason."""

from __future__ import annotations

from mlops_assets.watch.validation.file_sniff import SniffedFormat


def declared_source(found: SniffedFormat, *, name: str, schema: str) -> str:
    """``Source(…)`` with what is not as by default; ``schema`` is written as ``package.module:Model``."""
    lines = [f"    name={name!r},", f"    schema={schema!r},"]
    for argument, value in found.declared.items():
        if argument != "null_values":
            lines += [f"    # {_one_line(found.reasons[argument])}", f"    {argument}={value!r},"]
    if found.null_values:
        lines += [
            "    # Texts that stand for a missing value; a column that is not named has the empty one.",
            "    null_values={",
        ]
        lines += [f"        {column!r}: {texts!r}," for column, texts in found.null_values.items()] + ["    },"]
    return "\n".join(["Source(", *lines, ")"])


def _one_line(text: str) -> str:
    return " ".join(text.split())

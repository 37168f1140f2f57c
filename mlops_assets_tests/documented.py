"""What stands in the docs: tables that are made by tests (a test compares, its module writes), and blocks to run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def section(page: Path, name: str) -> str:
    """What stands between ``<!-- name -->`` and ``<!-- /name -->``."""
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert found, f"{page} has no section {name}"
    return found[1].strip()


def write_section(page: Path, name: str, *, text: str) -> None:
    """Puts ``text`` there."""
    old = page.read_text(encoding="utf-8")
    start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, after = old.split(start)[0], old.split(end)[1]
    page.write_text(f"{before}{start}{text}\n{end}{after}", encoding="utf-8")


def blocks(page: Path) -> list[str]:
    """The fenced blocks of a page, in order, without their fences."""
    found = re.findall(r"^```\w*\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return [text.strip() for text in found]

"""What ``docs/serving.md`` tells callers of statuses and limits is what the service has; ``python -m`` this writes it.

Its commands are run in ``mlops_assets_tests/end_to_end/test_readme.py``, where a champion of flights is served.
"""

from __future__ import annotations

import re
from dataclasses import fields

from mlops_assets.serving.openapi import REFUSED
from mlops_assets.serving.settings import PREFIX, ServiceSettings
from mlops_assets_tests.documented import DOCS, markdown_table, section, write_section

PAGE = DOCS / "serving.md"


def statuses() -> str:
    """Why something was not answered, by status."""
    return markdown_table(("status", "why"), [[f"{status}", said] for status, said in REFUSED.items()])


def test_every_status_is_told() -> None:
    assert section(PAGE, "statuses") == statuses()


def test_every_setting_is_told_with_its_default() -> None:
    told = re.findall(rf"^\| `{PREFIX}(\w+)` \| (\d+) \|", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)

    assert [(name.lower(), int(default)) for name, default in told] == [
        (field.name, field.default) for field in fields(ServiceSettings)
    ]


if __name__ == "__main__":
    write_section(PAGE, "statuses", text=statuses())

"""Edits a copy of the package file by file and prints the versions that its use cases have then: run in the copy."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from mlops_assets.stores.code import PACKAGE
from mlops_assets.stores.models.identity import use_case_code_version


def versions() -> dict[str, str]:
    """Of each use case, as it stands in the folder now."""
    for name in [name for name in sys.modules if name.startswith("mlops_assets.use_cases")]:
        del sys.modules[name]
    from mlops_assets.use_cases import registry

    return {name: use_case_code_version(registry.find(name)) for name in registry.names()}


def versions_after(edits: Mapping[str, list[str]]) -> dict[str, dict[str, str]]:
    """The versions after each edit (file: text, what it becomes; no text appends), which is then taken back."""
    found = {"": versions()}
    for what, (file, old, new) in edits.items():
        path = PACKAGE / file
        before = path.read_bytes()
        text = before.decode()
        assert old in text, (file, old)
        path.write_text(text.replace(old, new, 1) if old else text + new, encoding="utf-8")
        found[what] = versions()
        path.write_bytes(before)
    return found


if __name__ == "__main__":
    assert PACKAGE.is_relative_to(Path.cwd()), "a copy is edited, never the package itself"
    print(json.dumps(versions_after(json.load(sys.stdin))))  # noqa: T201 (what the test reads)

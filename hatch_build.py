"""Writes into every wheel which commit it was built from: an installed package has no checkout that git could ask."""

from __future__ import annotations

import json
import runpy
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUILT_FROM = "mlops_assets/built_from.json"


class CommitHook(BuildHookInterface):  # type: ignore[type-arg]
    """A wheel built from an sdist keeps what the sdist says."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable" or (Path(self.root) / BUILT_FROM).is_file():
            return
        code = runpy.run_path(str(Path(self.root) / "mlops_assets" / "stores" / "code.py"))
        told = json.dumps(asdict(code["git_state"](Path(self.root) / "mlops_assets")), indent=1)
        with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
            file.write(told)
        build_data["force_include"][file.name] = BUILT_FROM

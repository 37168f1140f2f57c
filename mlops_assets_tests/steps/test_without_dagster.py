"""The way of the data needs no Dagster, and with it comes to the same bytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from mlops_assets_tests.orchestration.deployment import FOREIGN_SETTINGS, Deployment
from mlops_assets_tests.steps.played import digests

PLAYED = """
import sys
sys.modules["dagster"] = sys.modules["dagster_duckdb"] = None  # importing either is an error from here on
from mlops_assets_tests.steps.played import main
main(sys.argv[1])
"""
SAYS_WHO_AND_WHEN = ("record.json", "decision.json", "champion.json", "champion_events/000001.json")


def played_without_dagster(folder: Path) -> dict[str, Any]:
    """What a process that cannot import Dagster made of the toy."""
    environ = {name: value for name, value in os.environ.items() if name not in FOREIGN_SETTINGS}
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", PLAYED, str(folder)],
        env={**environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_steps_called_without_dagster_give_the_version_and_the_bytes_that_dagster_gives(
    trained: Deployment, tmp_path: Path
) -> None:
    alone = played_without_dagster(tmp_path / "alone")

    by_dagster = digests(trained.lake)
    assert alone["digests"].keys() == by_dagster.keys()
    assert f"parcels/models/{alone['version']}/model.ubj" in by_dagster
    differing = {path for path, digest in by_dagster.items() if alone["digests"][path] != digest}
    assert {path for path in differing if not path.endswith(SAYS_WHO_AND_WHEN)} == set()

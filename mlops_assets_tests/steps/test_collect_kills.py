"""A collection killed at any moment: every answer once, with its figures, and what the service counted once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_assets_tests.orchestration.deployment import FOREIGN_SETTINGS
from mlops_assets_tests.steps import collect_kills

KILLS = 10


@pytest.mark.slow
def test_collections_that_are_killed_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if name not in FOREIGN_SETTINGS}

    done = subprocess.run(
        [sys.executable, "-m", collect_kills.__name__, str(tmp_path), str(KILLS), "20130101"],
        env={**environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    outcomes = json.loads(done.stdout.splitlines()[-1])
    assert outcomes["answers"] >= KILLS * collect_kills.ANSWERS

"""A run killed at any step: the target branch shows whole, audited writes, and running again ends the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_assets_tests.end_to_end import pipeline_kills
from mlops_assets_tests.orchestration.deployment import FOREIGN_SETTINGS

KILLS = 20


@pytest.mark.slow
def test_a_pipeline_killed_at_every_step_shows_whole_writes_only_and_ends_as_if_nothing_had_happened(
    tmp_path: Path,
) -> None:
    environ = {name: value for name, value in os.environ.items() if name not in FOREIGN_SETTINGS}

    done = subprocess.run(
        [sys.executable, "-m", pipeline_kills.__name__, str(tmp_path), str(KILLS), "20130101"],
        env={**environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    outcomes = json.loads(done.stdout.splitlines()[-1])
    assert sum(outcomes.get(kind, 0) for kind in (pipeline_kills.AFTER_A_MERGE, pipeline_kills.BEFORE_A_MERGE)) >= 8
    assert outcomes.get(pipeline_kills.AT_RANDOM, 0) >= 2
    assert outcomes["compared"] > 5 * 10

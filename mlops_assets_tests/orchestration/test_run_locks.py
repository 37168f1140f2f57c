"""A run whose process was killed is ended, one whose process lives is not."""

from __future__ import annotations

import signal
import subprocess
import sys

import dagster as dg

from mlops_assets.orchestration.instance import open_instance
from mlops_assets.orchestration.run_locks import fail_dead_runs, hold, lock_folder
from mlops_assets_tests.orchestration.deployment import Deployment

KILLED = """
import os, signal
from pathlib import Path
from mlops_assets.lake.settings import data_directory
from mlops_assets.orchestration.assets import raw
from mlops_assets.orchestration.instance import open_instance
from mlops_assets.orchestration.runs import run_job
from mlops_assets_tests.orchestration.toy import PARCELS

raw.land = lambda *arguments, **options: os.kill(os.getpid(), signal.SIGKILL)
with open_instance(data_directory()) as instance:
    run_job(PARCELS, job="reference", instance=instance)
"""


def test_a_run_of_a_killed_process_is_ended_by_the_next_run_and_blocks_no_queue(empty: Deployment) -> None:
    empty.land(0)
    done = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True)

    with open_instance(empty.data) as instance:
        (before,) = instance.get_runs()
        dead = fail_dead_runs(instance)
        (after,) = instance.get_runs()
        told = [str(event.message) for event in instance.all_logs(before.run_id)]

    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    assert before.status is dg.DagsterRunStatus.STARTED
    assert (dead, after.status) == ([before.run_id], dg.DagsterRunStatus.FAILURE)
    assert any("has ended without saying so: it was killed" in message for message in told)
    assert list(lock_folder().iterdir()) == []


def test_a_run_of_a_living_process_goes_on(empty: Deployment) -> None:
    run = empty.instance.add_run(dg.DagsterRun(job_name="parcels__ingest", status=dg.DagsterRunStatus.STARTED))
    hold(run.run_id)

    assert fail_dead_runs(empty.instance) == []
    assert [each.status for each in empty.instance.get_runs()] == [dg.DagsterRunStatus.STARTED]

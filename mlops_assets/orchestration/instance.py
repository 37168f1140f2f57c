"""Where Dagster keeps its runs and events: below the data folder, telemetry off, without the first-run dialog."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import yaml

from mlops_assets.orchestration.event_log import Storage

SETTINGS = {
    "telemetry": {"enabled": False},
    "nux": {"enabled": False},
    "concurrency": {"runs": {"max_concurrent_runs": 1}},
    # a run whose process died is started again, one that ended with a verdict is not: the same data gives the same
    "run_retries": {"enabled": True, "max_retries": 2, "retry_on_asset_or_op_failure": False},
    # this launcher cannot be asked whether a run's process lives: what never ends is taken for dead after a while
    "run_monitoring": {
        "enabled": True,
        "start_timeout_seconds": 600,
        "max_runtime_seconds": 6 * 3600,
        "free_slots_after_run_end_seconds": 300,
    },
}
OURS = "# Written anew by mlops when it differs. For settings of your own set DAGSTER_HOME to a folder that has some.\n"


def storage_in(home: Path) -> dict[str, object]:
    """Where runs and events are kept, as `dagster.yaml` says it."""
    return {"custom": {"module": Storage.__module__, "class": Storage.__name__, "config": {"base_dir": str(home)}}}


def dagster_home(data: Path) -> Path:
    """The folder for ``DAGSTER_HOME``: the one that is set, else ``dagster`` in the data folder, with our settings.

    A ``dagster.yaml`` that somebody else has written is left alone.
    """
    configured = os.environ.get("DAGSTER_HOME")
    home = (Path(configured) if configured else data / "dagster").absolute()
    home.mkdir(parents=True, exist_ok=True)
    settings = home / "dagster.yaml"
    wanted = OURS + yaml.safe_dump({**SETTINGS, "storage": storage_in(home)})
    found = settings.read_text(encoding="utf-8") if settings.exists() else OURS
    if found.startswith(OURS) and found != wanted:
        unfinished = home / f"dagster.yaml.{os.getpid()}"
        unfinished.write_text(wanted, encoding="utf-8")
        unfinished.replace(settings)
    return home


@contextmanager
def open_instance(data: Path) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance of this deployment, the same one the UI and the daemon use."""
    with dg.DagsterInstance.from_config(str(dagster_home(data))) as instance:
        yield instance

"""Where Dagster keeps its runs and events: below the data folder, telemetry off, without the first-run dialog."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import yaml

SETTINGS = {
    "telemetry": {"enabled": False},
    "nux": {"enabled": False},
    "concurrency": {"runs": {"max_concurrent_runs": 1}},
}


def dagster_home(data: Path) -> Path:
    """The folder for ``DAGSTER_HOME``: the one that is set, else ``dagster`` in the data folder, with our settings."""
    configured = os.environ.get("DAGSTER_HOME")
    home = Path(configured) if configured else data / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    settings = home / "dagster.yaml"
    if not settings.exists():
        settings.write_text(yaml.safe_dump(SETTINGS), encoding="utf-8")
    return home


@contextmanager
def open_instance(data: Path) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance of this deployment, the same one the UI and the daemon use."""
    with dg.DagsterInstance.from_config(str(dagster_home(data))) as instance:
        yield instance

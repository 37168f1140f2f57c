"""How a test process answers signals and waits for its threads, and which files are tested first."""

from __future__ import annotations

import os
import signal

import pytest

# Several test processes share the cores: a thread of XGBoost that waits for another one sleeps instead of spinning on
# a core that the other one needs. Read when the library is loaded; child processes inherit it.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# No service that somebody runs on this machine is asked what it has counted.
os.environ.setdefault("MLOPS_SERVICE_URL", "")
# A console made while this is set keeps that width for good, whatever a test sets later.
os.environ.pop("COLUMNS", None)


def pytest_configure() -> None:
    """Ctrl-C is answered also where a script started the tests in its background, which ignores it.

    Every process the tests start would inherit that; and Dagster, once it has run in a process, lets the end signal be
    treated as Ctrl-C is, so that what it starts afterwards could not be ended at all.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests go first: a worker that begins one last keeps the others waiting."""
    slow = {each.path for each in items if each.get_closest_marker("slow")}
    items.sort(key=lambda each: each.path not in slow)

"""How a test process answers signals, whatever started it, and which files are tested first."""

from __future__ import annotations

import signal

import pytest


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

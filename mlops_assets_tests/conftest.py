"""How a test process answers signals, whatever started it."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Ctrl-C is answered also where a script started the tests in its background, which ignores it.

    Every process the tests start would inherit that; and Dagster, once it has run in a process, lets the end signal be
    treated as Ctrl-C is, so that what it starts afterwards could not be ended at all.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)

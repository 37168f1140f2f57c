"""The Dagster UI as `mlops dev` starts it, for as long as a test needs it, and a real browser to look at it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from playwright.sync_api import Page, expect, sync_playwright

from mlops_assets_tests.serving.servers import free_port

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
START_SECONDS = 150
MILLISECONDS = 120_000


@contextmanager
def dagster_ui(data: Path) -> Iterator[str]:
    """`mlops dev` on a data folder: UI, daemon and code server; yields the UI's address once it answers."""
    port, log = free_port(), data / "dev.log"
    environ = {
        **os.environ,
        "MLOPS_DATA_DIR": str(data),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    command = [sys.executable, "-c", "from mlops_assets.cli.main import main; main()", "dev", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environ, cwd=data, stdout=output, stderr=subprocess.STDOUT)
    try:
        url = f"http://127.0.0.1:{port}"
        _await_answer(url + "/server_info", process=process, log=log)
        yield url
    finally:
        _end(process)


@contextmanager
def browser_page(*, seen: Path, width: int = 1600, height: int = 1000) -> Iterator[Page]:
    """A page of a headless Chromium. What it shows at the end is kept as the picture ``seen``."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(MILLISECONDS)
        expect.set_options(timeout=MILLISECONDS)
        try:
            yield page
        finally:
            page.screenshot(path=seen)
            browser.close()


def _await_answer(url: str, *, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:  # not listening yet
            time.sleep(0.1)
    raise AssertionError(f"The UI did not start within {START_SECONDS} seconds:\n{log.read_text()[-3000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Asks the whole family to end, as Ctrl-C in a terminal does, and insists after a while."""
    family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    for each in family:
        with suppress(psutil.NoSuchProcess):
            each.send_signal(signal.SIGINT)
    _, left = psutil.wait_procs(family, timeout=20)
    for each in left:
        each.kill()
    process.wait(20)

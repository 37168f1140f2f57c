"""Pages for people (profiles of batches, reports) over HTTP on this machine, so that the Dagster UI can link to them.

A browser follows no ``file://`` link from a page that came over HTTP, and Dagster serves no files. So `mlops dev`
starts this server beside the UI: the HTML pages below the data folder, to this machine only, as long as the UI runs.
"""

from __future__ import annotations

import io
import secrets
import sys
import threading
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, urlsplit

from mlops_assets.lake.settings import data_directory, pages_address

FOLDERS = ("pages", "reports")
MONITOR = "monitor.html"
LOCAL = ("127.0.0.1", "localhost")


def page_url(page: Path, *, root: Path) -> str:
    """Where a browser finds the ``page``, which lies below the data folder ``root``."""
    return f"{pages_address()}/{quote(page.resolve().relative_to(root.resolve()).as_posix())}"


def monitor_page(folder: Path, *, use_case: str) -> Path:
    """Where the page of a use case's monitoring is below ``folder``, the environment's, for `mlops dev`."""
    return folder / "pages" / use_case / MONITOR


def served_monitor_page(folder: Path, *, use_case: str) -> Path:
    """Where its service finds the same page: beside what else it is told (``serving_orders.py``)."""
    return folder / "serving" / use_case / MONITOR


def write_page(page: Path, text: str) -> None:
    """Replaces the page as a whole: whoever reads it meanwhile has the one before, or this one."""
    page.parent.mkdir(parents=True, exist_ok=True)
    unfinished = page.with_name(f".{page.name}-{secrets.token_hex(4)}")
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(page)
    finally:
        unfinished.unlink(missing_ok=True)


class _Pages(SimpleHTTPRequestHandler):
    """Only pages: nothing else of the data folder, and no listings."""

    def send_head(self) -> io.BytesIO | BinaryIO | None:
        path = Path(self.translate_path(self.path)).resolve()
        inside = path.is_relative_to(Path(self.directory).resolve()) and set(FOLDERS) & set(path.parts)
        if inside and path.suffix == ".html" and path.is_file():
            return super().send_head()
        self.send_error(404, "No such page")
        return None

    def log_message(self, *_: object) -> None:
        """The UI's terminal is for the UI."""


def serve(root: Path, *, port: int) -> None:
    """Serves the pages below ``root`` until standard input ends, which it does with the process that started this."""
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), partial(_Pages, directory=str(root)))
    except OSError as error:
        told = f"Pages are not served at port {port}: {error.strerror}. Set MLOPS_PAGES_URL to another.\n"
        sys.stderr.write(told)
        return
    threading.Thread(target=_end_with_input, args=(server,), daemon=True).start()
    with server, suppress(KeyboardInterrupt):
        server.serve_forever()


def _end_with_input(server: ThreadingHTTPServer) -> None:
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    _address = urlsplit(pages_address())
    if _address.hostname in LOCAL:
        serve(data_directory(), port=_address.port or 80)

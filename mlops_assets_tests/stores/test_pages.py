"""Pages are served to this machine, nothing else is, and no longer than the one who asked for them lives."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_assets.stores.pages import page_url, write_page
from mlops_assets_tests.serving.servers import free_port


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pages" / "toy").mkdir(parents=True)
    (tmp_path / "pages" / "toy" / "day one.html").write_text("<h1>day one</h1>")
    (tmp_path / "pages" / "toy" / "rows.parquet").write_text("rows")
    (tmp_path / "secret.html").write_text("secret")
    (tmp_path / "pages" / "out.html").symlink_to(tmp_path / "secret.html")
    return tmp_path


@pytest.fixture
def server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    port = free_port()
    monkeypatch.setenv("MLOPS_PAGES_URL", f"http://127.0.0.1:{port}/")
    monkeypatch.setenv("MLOPS_DATA_DIR", str(folder))
    command = [sys.executable, "-m", "mlops_assets.stores.pages"]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environ) as process:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with socket.socket() as asked:
                if not asked.connect_ex(("127.0.0.1", port)):
                    break
            time.sleep(0.05)
        yield port, process
        process.kill()


def status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse().status
    connection.close()
    return answer


def test_pages_are_served_and_nothing_else(server: tuple[int, subprocess.Popen[bytes]], folder: Path) -> None:
    port, process = server
    url = page_url(folder / "pages" / "toy" / "day one.html", root=folder)
    assert url == f"http://127.0.0.1:{port}/pages/toy/day%20one.html"
    assert status(port, "/pages/toy/day%20one.html") == 200
    for path in ("/", "/pages/", "/pages/toy/rows.parquet", "/secret.html", "/pages/../secret.html", "/pages/out.html"):
        assert status(port, path) == 404, path

    assert process.stdin
    process.stdin.close()
    assert process.wait(20) == 0, "it ends with the process that started it"


def test_a_page_is_replaced_as_a_whole_and_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    page = tmp_path / "pages" / "toy" / "monitor.html"
    write_page(page, "first ✓")

    with pytest.raises(UnicodeEncodeError):
        write_page(page, "second \ud800")

    assert page.read_text(encoding="utf-8") == "first ✓"
    assert [path.name for path in page.parent.iterdir()] == ["monitor.html"]

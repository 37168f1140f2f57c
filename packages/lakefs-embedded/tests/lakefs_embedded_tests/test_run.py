from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lakefs.client import Client
from lakefs.repository import Repository

from lakefs_embedded import EmbeddedLakeFS

STANDALONE = (
    "import sys, pathlib; from lakefs_embedded import run_standalone;"
    " run_standalone(pathlib.Path(sys.argv[1]), host='127.0.0.1', port=0)"
)


def client_of(server: EmbeddedLakeFS) -> Client:
    return Client(host=server.endpoint, username=server.access_key_id, password=server.secret_access_key)


def test_server_listens_on_loopback_only(server: EmbeddedLakeFS) -> None:
    assert server.endpoint.startswith("http://127.0.0.1:")


def test_server_starts_quickly(tmp_path: Path) -> None:
    with EmbeddedLakeFS.start(tmp_path):
        pass  # the first start also compiles and imports what it needs
    started = time.perf_counter()
    server = EmbeddedLakeFS.start(tmp_path / "another")
    seconds = time.perf_counter() - started
    server.close()
    assert seconds < 1.0  # about 0.02 on an idle machine


def test_port_can_be_chosen(tmp_path: Path) -> None:
    with EmbeddedLakeFS.start(tmp_path / "first") as first:
        port = int(first.endpoint.rpartition(":")[2])
    with EmbeddedLakeFS.start(tmp_path / "second", port=port) as second:
        assert second.endpoint == first.endpoint


def test_taken_port_is_an_error(server: EmbeddedLakeFS, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="in use"):
        EmbeddedLakeFS.start(tmp_path / "other", port=int(server.endpoint.rpartition(":")[2]))


def test_closing_twice_is_no_error(tmp_path: Path) -> None:
    server = EmbeddedLakeFS.start(tmp_path)
    server.close()
    server.close()


def test_servers_on_one_root_show_the_same(server: EmbeddedLakeFS, root: Path, repo: Repository) -> None:
    with EmbeddedLakeFS.start(root) as other:
        assert other.access_key_id == server.access_key_id
        there = Repository("flights", client=client_of(other))
        repo.branch("main").object("a").upload(b"a")
        assert there.branch("main").object("a").reader().read() == b"a"
        head = there.branch("main").commit("a").id
        assert repo.branch("main").head.id == head


def test_data_is_there_after_a_restart(tmp_path: Path) -> None:
    with EmbeddedLakeFS.start(tmp_path) as server:
        repo = Repository("flights", client=client_of(server)).create("local://flights")
        repo.branch("main").object("committed").upload(b"1")
        repo.branch("main").commit("1")
        repo.branch("main").object("uncommitted").upload(b"2")
    with EmbeddedLakeFS.start(tmp_path) as server:
        main = Repository("flights", client=client_of(server)).branch("main")
        assert [info.path for info in main.objects()] == ["committed", "uncommitted"]


def test_moved_root_is_read_as_before(tmp_path: Path) -> None:
    with EmbeddedLakeFS.start(tmp_path / "before") as server:
        repo = Repository("flights", client=client_of(server)).create("local://flights")
        repo.branch("main").object("a").upload(b"a")
    (tmp_path / "before").rename(tmp_path / "after")
    with EmbeddedLakeFS.start(tmp_path / "after") as server:
        stored = Repository("flights", client=client_of(server)).branch("main").object("a")
        assert stored.reader().read() == b"a"
        assert Path(stored.stat().physical_address.removeprefix("local://")).read_bytes() == b"a"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_standalone_server_ends_cleanly_on_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STANDALONE, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    where, key = process.stdout.readline(), process.stdout.readline()
    endpoint = where.split(",")[0].rpartition(" ")[2]
    credentials = json.loads(Path(key.strip().rpartition(": ")[2]).read_text())
    client = Client(host=endpoint, username=credentials["access_key_id"], password=credentials["secret_access_key"])
    Repository("flights", client=client).create("local://flights")
    process.send_signal(number)
    rest, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "stopped" in rest
    assert errors == ""
    assert not (tmp_path / "lake.db-wal").exists()


LEFT_OPEN = """
import atexit, pathlib, sys, threading
atexit.register(lambda: print([each.name for each in threading.enumerate()]))  # the first registered runs last
from lakefs_embedded import EmbeddedLakeFS
EmbeddedLakeFS.start(pathlib.Path(sys.argv[1]))
"""


def test_process_ends_with_no_thread_left_although_nobody_closed_the_server(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LEFT_OPEN, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == "['MainThread']"


def test_importing_the_server_is_light() -> None:
    code = (
        "import sys, lakefs_embedded;"
        " print([name for name in ('pandas', 'duckdb', 'pyarrow', 'dagster', 'xgboost', 'pydantic', 'numpy')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"

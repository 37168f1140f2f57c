"""What is left when a server is killed, a disk is full, or many processes write at once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakefs_embedded import EmbeddedLakeFS
from lakefs_embedded_tests.plain_http import Http

TESTS = Path(__file__).resolve().parents[1]
OBJECTS = "/repositories/flights/branches/main/objects"


def run(module: str, *arguments: object) -> dict[str, int]:
    """Runs a module of this folder in a process of its own and returns the JSON that it prints."""
    command = [sys.executable, "-m", f"lakefs_embedded_tests.{module}", *map(str, arguments)]
    done = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


@pytest.mark.slow
def test_server_killed_at_200_random_points_loses_nothing(tmp_path: Path) -> None:
    report = run("kill_rounds", tmp_path / "lake", 200, 2013)
    assert report["rounds"] == 200
    assert report["merges"] > 20


def test_processes_publishing_at_once_lose_and_double_nothing(tmp_path: Path) -> None:
    report = run("publish_rounds", tmp_path / "lake", 4, 12)
    assert report["merged"] == 4 * 12
    assert report["files"] == 4 * 12 * 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB, where this user may mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("may not mount a small file system here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk_refuses_cleanly_and_keeps_what_was_there(small_disk: Path) -> None:
    with EmbeddedLakeFS.start(small_disk / "lake") as server:
        check_refusals(Http(server), small_disk / "lake")


def test_file_size_limit_refuses_cleanly_and_keeps_what_was_there(tmp_path: Path) -> None:
    assert run("limited_server", tmp_path / "lake", 3_000_000) == {"refused": True}


def check_refusals(http_client: Http, root: Path) -> None:
    """Fills the disk with uploads; each is either there and whole, or refused and not there."""
    http_client.send("POST", "/repositories", {"name": "flights", "storage_namespace": "local://f"})
    assert http_client.send("POST", f"{OBJECTS}?path=before", b"before").status == 201
    assert http_client.send("POST", "/repositories/flights/branches/main/commits", {"message": "m"}).status == 201
    too_large = http_client.send("POST", f"{OBJECTS}?path=large", b"x" * 5_000_000)
    assert too_large.status == 507
    assert "no space" in too_large.message
    stored = {}
    for number in range(12):
        content = bytes([65 + number]) * 700_000
        if http_client.send("POST", f"{OBJECTS}?path=f{number}", content).status == 201:
            stored[f"f{number}"] = content
    assert list((root / "incoming").iterdir()) == []
    for path, content in {"before": b"before", **stored}.items():
        read = http_client.send("GET", f"/repositories/flights/refs/main/objects?path={path}")
        assert (read.status, read.content) == (200, content)
    listed = http_client.send("GET", "/repositories/flights/refs/main/objects/ls").json["results"]
    assert {item["path"] for item in listed} == {"before", *stored}

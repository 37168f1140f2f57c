"""What the lake promises when processes die, disks fill, servers vanish and writers meet."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from lakefs_embedded import EmbeddedLakeFS
from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.errors import LakeError
from mlops_assets.lake.branches import BranchKind
from mlops_assets.lake.connection import close_embedded_servers
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import LakeKind, LakeSettings
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets_tests.lake import kills
from mlops_assets_tests.lake.factories import make_write, passing
from mlops_assets_tests.lake.rivals import SHARED

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[2]
KILLS = 102
RIVALS = 4
RIVALRY_SECONDS = float(os.environ.get("MLOPS_RIVALRY_SECONDS", "3"))


def run_module(name: str, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", f"mlops_assets_tests.lake.{name}", *words]
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("mode", ["embedded", "remote"])
def test_writes_killed_at_any_moment_are_whole_or_absent_and_running_again_finishes(mode: str, tmp_path: Path) -> None:
    killed = run_module("kills", mode, str(tmp_path), str(KILLS), "20130101")
    printed, complaints = killed.communicate(timeout=280)
    assert killed.returncode == 0, complaints
    outcomes = json.loads(printed)
    assert outcomes[kills.AT_RANDOM] > KILLS // 2
    assert outcomes[kills.AT_REQUEST] >= 2 * 8
    assert outcomes[kills.AT_RANDOM] + outcomes[kills.AT_REQUEST] == KILLS
    left = Lake.connect(LakeSettings.embedded(tmp_path)) if mode == "embedded" else served(tmp_path / "server")
    assert {branch.kind for branch in left.branches()} >= {BranchKind.TARGET, BranchKind.UNFINISHED}
    left.clean_branches(older_than=timedelta(), now=datetime.now(UTC) + timedelta(hours=1))
    assert [branch.name for branch in left.branches()] == ["main"]
    newest = max(int(commit.metadata["partitions"]) for commit in left.log(limit=1))
    assert newest >= sum(outcomes.values()) - 2
    kills.check(left, newest=newest)
    close_embedded_servers()


def served(root: Path) -> Lake:
    """The lake in a server's folder, whose data folder is not the usual one."""
    return Lake.connect(replace(LakeSettings.embedded(root.parent), root=root))


def test_rivals_publishing_at_once_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    rivals = run_module("rivals", str(tmp_path), str(RIVALS), str(RIVALRY_SECONDS))
    printed, complaints = rivals.communicate(timeout=RIVALRY_SECONDS * 4 + 120)
    assert rivals.returncode == 0, complaints
    published = json.loads(printed)
    lake = Lake.connect(LakeSettings.embedded(tmp_path))
    log = lake.log(limit=1_000_000)
    assert [len(commit.parents) for commit in log] == [1] * (len(log) - 1) + [0]
    assert [commit.parents[0] for commit in log[:-1]] == [commit.id for commit in log[1:]]
    assert Counter(commit.id for commit in log[:-1]) == Counter(each["commit"] for each in published)
    for each in published:
        assert lake.at(each["commit"]).read(each["path"]) == each["content"].encode()
    own = {each["path"]: each["content"] for each in published if each["path"] != SHARED}
    assert {info.path for info in lake.at().paths()} == {*own, SHARED}
    assert [branch.name for branch in lake.branches()] == ["main"]
    assert any(each["attempts"] > 1 for each in published), "the rivals never met"
    close_embedded_servers()


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[tuple[EmbeddedLakeFS, Lake]]:
    """A lake behind a server that the test may end."""
    server = EmbeddedLakeFS.start(tmp_path / "server")
    yield server, Lake.connect(reached_at(server, tmp_path))
    server.close()


def reached_at(server: EmbeddedLakeFS, folder: Path) -> LakeSettings:
    return LakeSettings(
        kind=LakeKind.CONFIGURED,
        source="a server that may end",
        root=folder / "unused",
        cache=folder / "cache",
        endpoint=server.endpoint,
        access_key_id=server.access_key_id,
        secret_access_key=server.secret_access_key,
        storage_namespace="local://mlops",
    )


def test_a_server_that_ends_midway_is_a_clear_error_and_running_again_finishes(
    mortal: tuple[EmbeddedLakeFS, Lake], tmp_path: Path
) -> None:
    server, lake = mortal

    def outlived(snapshot: Snapshot) -> Iterable[CheckResult]:
        server.close()
        return ()

    with pytest.raises(LakeError, match=r"the lake did not answer.*run again once it is back"):
        lake.publish(make_write(), files={"flights/a": b"rows"}, audit=outlived)
    with EmbeddedLakeFS.start(tmp_path / "server") as again:
        back = Lake.connect(reached_at(again, tmp_path))
        assert not back.at().paths()
        assert back.publish(make_write(), files={"flights/a": b"rows"}, audit=passing).changed
        assert back.at().read("flights/a") == b"rows"


@pytest.mark.parametrize(
    "use",
    [
        lambda lake: lake.at(),
        lambda lake: lake.log(),
        lambda lake: lake.branches(),
        lambda lake: lake.diff("main"),
        lambda lake: lake.branch("dev-alice"),
        lambda lake: lake.merge("dev-alice"),
        lambda lake: lake.revert("main"),
        lambda lake: lake.pin("v1", commit="main"),
        lambda lake: lake.pins(),
        lambda lake: lake.publish(make_write(), files={"a": b"x"}, audit=passing),
    ],
    ids=["at", "log", "branches", "diff", "branch", "merge", "revert", "pin", "pins", "publish"],
)
def test_every_call_to_a_lake_that_is_gone_says_so(
    mortal: tuple[EmbeddedLakeFS, Lake], use: Callable[[Lake], object]
) -> None:
    server, lake = mortal
    server.close()
    with pytest.raises(LakeError, match="the lake did not answer"):
        use(lake)


@pytest.mark.parametrize("limit", [64 * 1024, 300 * 1024], ids=["database full", "object too large"])
def test_a_write_that_does_not_fit_is_a_clear_error_and_nothing_of_it_is_visible(tmp_path: Path, limit: int) -> None:
    lake = Lake.connect(LakeSettings.embedded(tmp_path))
    before = lake.publish(make_write(), files={"flights/a": b"before"}, audit=passing).commit
    close_embedded_servers()
    program = (
        "import resource, signal; from pathlib import Path; "
        "from mlops_assets.contract.errors import LakeError; from mlops_assets.lake.lake import Lake; "
        "from mlops_assets.lake.settings import LakeSettings; "
        "from mlops_assets_tests.lake.factories import make_write, passing; "
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit})); "
        f"lake = Lake.connect(LakeSettings.embedded(Path({str(tmp_path)!r}))); "
        "files = {f'flights/{n}': bytes([n]) * 350_000 for n in range(9)}\n"
        "try: lake.publish(make_write(), files=files, audit=passing)\n"
        "except LakeError as error: print(error)"
    )
    full = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False
    )
    assert full.returncode == 0, full.stderr
    assert "While " in full.stdout
    assert any(word in full.stdout for word in ("File too large", "no space", "disk I/O", "full")), full.stdout
    again = Lake.connect(LakeSettings.embedded(tmp_path))
    assert again.head() == before
    files = {f"flights/{number}": bytes([number]) * 350_000 for number in range(9)}
    assert again.publish(make_write(), files=files, audit=passing).changed
    close_embedded_servers()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB, where this machine lets us mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting needs root")
    yield disk
    close_embedded_servers()
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_keeps_what_was_published_and_takes_more_once_there_is_room(small_disk: Path) -> None:
    lake = Lake.connect(LakeSettings.embedded(small_disk))
    kept: list[str] = []

    def publish_days() -> None:
        for day in range(20):
            files = {f"flights/{day}": os.urandom(1_000_000)}
            kept.append(lake.publish(make_write(), files=files, audit=passing).commit)

    with pytest.raises(LakeError, match=r"(?i)no space|full|disk I/O"):
        publish_days()
    assert 2 < len(kept) < 8
    assert lake.head() == kept[-1]
    for day, commit in enumerate(kept):
        assert len(lake.at(commit).read(f"flights/{day}")) == 1_000_000
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    assert lake.publish(make_write(), files={"flights/x": os.urandom(5_000_000)}, audit=passing).changed


def test_a_backup_taken_while_others_publish_restores_whole_commits(tmp_path: Path) -> None:
    """As docs/lake.md says it: the database first, then the objects."""
    lake, root = Lake.connect(LakeSettings.embedded(tmp_path / "data")), tmp_path / "restored" / "lake"
    root.mkdir(parents=True)
    stop = threading.Event()

    def keep_publishing() -> None:
        for turn in count():
            if stop.is_set():
                return
            lake.publish(make_write(), files={f"flights/{turn}": b"%d" % turn}, audit=passing)

    with ThreadPoolExecutor(1) as pool:
        publishing = pool.submit(keep_publishing)
        while not lake.at().exists("flights/3"):
            assert not publishing.done()
        with closing(sqlite3.connect(lake.settings.root / "lake.db")) as live:
            with closing(sqlite3.connect(root / "lake.db")) as copy:
                live.backup(copy)
            shutil.copytree(lake.settings.root / "objects", root / "objects")
            shutil.copy2(lake.settings.root / "credentials.json", root)
        stop.set()
        publishing.result()
    restored = Lake.connect(LakeSettings.embedded(tmp_path / "restored"))
    for commit in restored.log(limit=1000)[:-1]:
        for path, local in restored.at(commit.id).local_many("flights/").items():
            assert local.read_bytes() == path.removeprefix("flights/").encode()
    assert restored.publish(make_write(), files={"flights/more": b"more"}, audit=passing).changed
    close_embedded_servers()

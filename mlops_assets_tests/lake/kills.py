"""Runs writes that are killed at random moments, each finished by the next run: `python -m … MODE FOLDER
KILLS SEED`.

MODE is `embedded` (client and server are one process and die together) or `remote` (only the client dies; the
server is another process). For every write a forked child first checks that the previous one is visible whole
or not at all, repeats it as a user would after a crash, and begins the next; the parent kills it after a
random time, or it kills itself just before or after one of its requests. Prints a JSON summary; a child that
finds anything wrong ends this program with 1.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import urllib3

from lakefs_embedded import EmbeddedLakeFS
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import LakeKind, LakeSettings
from mlops_assets_tests.lake.factories import make_write, seeing

PARTS = 3
FIRST_LONGEST_SECONDS = 0.06
REQUESTS_OF_A_WRITE = 10
AT_RANDOM, AT_REQUEST, FINISHED = "at a random moment", "at a request", "after it had finished"


def files_of(write: int) -> dict[str, bytes]:
    """What a write writes: files of its own, and a new version of one that all writes share."""
    own = {f"flights/{write:04}/{part}": b"%d-%d" % (write, part) for part in range(PARTS)}
    return {**own, "flights/pointer": b"%d" % write}


def publish(lake: Lake, write: int) -> None:
    files = files_of(write)
    lake.publish(make_write(partitions=(f"{write:04}",)), files=files, audit=seeing(files))


def is_visible(lake: Lake, write: int) -> bool:
    """Whether a write is visible; fails if a part of it is."""
    snapshot = lake.at()
    shared = "flights/pointer"
    found = {info.path: snapshot.read(info.path) for info in snapshot.paths(f"flights/{write:04}/")}
    if found:
        found[shared] = snapshot.read(shared)
    elif write:
        assert snapshot.read(shared) == b"%d" % (write - 1)
    assert found in ({}, files_of(write)), found
    return bool(found)


def check(lake: Lake, *, newest: int) -> None:
    """Every write up to ``newest`` is whole and logged once, in order; the pointer is the newest one's."""
    snapshot = lake.at()
    expected = {path: content for write in range(newest + 1) for path, content in files_of(write).items()}
    found = {info.path for info in snapshot.paths()}
    assert found == set(expected), f"visible: {sorted(found ^ set(expected))}"
    for path in files_of(newest):
        assert snapshot.read(path) == expected[path], path
    log = lake.log(limit=10_000)
    assert [len(commit.parents) for commit in log] == [1] * (len(log) - 1) + [0]
    partitions = [commit.metadata.get("partitions") for commit in log[:-1]]
    assert partitions == [f"{write:04}" for write in range(newest, -1, -1)], partitions


def die_around_request(number: int, *, before: bool) -> None:
    """From now on the process kills itself just before or after its request of that number."""
    real: Callable[..., Any] = urllib3.connectionpool.HTTPConnectionPool.urlopen
    made = Counter[str]()

    def urlopen(pool: Any, *arguments: Any, **options: Any) -> Any:
        made["requests"] += 1
        if before and made["requests"] == number:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = real(pool, *arguments, **options)
        if made["requests"] == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    urllib3.connectionpool.HTTPConnectionPool.urlopen = urlopen  # type: ignore[method-assign, assignment]


def child(settings: LakeSettings, write: int, *, ready: int, at_request: int | None, before: bool) -> None:
    lake = Lake.connect(settings)
    if write:
        was_visible = is_visible(lake, write - 1)
        publish(lake, write - 1)
        assert is_visible(lake, write - 1), f"visible before: {was_visible}"
    if at_request is not None:
        die_around_request(at_request, before=before)
    os.write(ready, b"!")
    publish(lake, write)
    os.write(ready, b"finished")
    time.sleep(600)


def run_one(settings: LakeSettings, write: int, *, after: float) -> str:
    """Forks a child for this write and sees it killed; how far it came."""
    planned = write // 2 if write % 2 and write < 4 * REQUESTS_OF_A_WRITE else None
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ready)
        _run_child(settings, write, ready=told, planned=planned)
    os.close(told)
    begun = os.read(ready, 1)
    if planned is None:
        time.sleep(after)
        os.kill(pid, signal.SIGKILL)
    said = os.read(ready, 100)
    os.kill(pid, signal.SIGKILL)
    os.close(ready)
    _, status = os.waitpid(pid, 0)
    if not begun or not os.WIFSIGNALED(status):
        raise SystemExit(f"write {write}: the child failed by itself, status {status}")
    return FINISHED if said else AT_REQUEST if planned is not None else AT_RANDOM


def _run_child(settings: LakeSettings, write: int, *, ready: int, planned: int | None) -> None:
    """Never returns."""
    try:
        at_request = None if planned is None else planned // 2 + 1
        child(settings, write, ready=ready, at_request=at_request, before=bool(planned and planned % 2))
    except BaseException as error:  # noqa: BLE001 - whatever it is, the parent must see that the child failed
        sys.stderr.write(f"write {write}: {error!r}\n")
    os._exit(1)


def serve(folder: Path) -> tuple[subprocess.Popen[str], LakeSettings]:
    program = (
        "from pathlib import Path; from lakefs_embedded import run_standalone; "
        f"run_standalone(Path({str(folder / 'server')!r}), host='127.0.0.1', port=0)"
    )
    server = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    endpoint = server.stdout.readline().split(" at ")[1].split(",")[0]
    key = json.loads(Path(server.stdout.readline().split(": ", 1)[1].strip()).read_text())
    settings = LakeSettings(
        kind=LakeKind.CONFIGURED,
        source="the kill test's server",
        root=folder / "unused",
        cache=folder / "cache",
        endpoint=endpoint,
        access_key_id=key["access_key_id"],
        secret_access_key=key["secret_access_key"],
        storage_namespace="local://mlops",
    )
    return server, settings


def main(mode: str, folder: Path, kills: int, seed: int) -> None:
    chance, outcomes, server = random.Random(seed), Counter[str](), None
    longest = FIRST_LONGEST_SECONDS
    settings = LakeSettings.embedded(folder)
    EmbeddedLakeFS.start(folder / "warm-up").close()  # what is imported by now, no child imports again
    if mode == "remote":
        server, settings = serve(folder)
    try:
        while outcomes[AT_RANDOM] + outcomes[AT_REQUEST] < kills:
            outcome = run_one(settings, outcomes.total(), after=chance.uniform(0, longest))
            outcomes[outcome] += 1
            longest *= 0.9 if outcome == FINISHED else 1.03
    finally:
        if server is not None:
            server.terminate()
            server.wait(30)
    sys.stdout.write(json.dumps(outcomes))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))

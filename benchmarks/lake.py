"""What the lake costs beside plain files, and how that grows with the repository.

    python benchmarks/lake.py [--quick]

Everything is measured in this run on the embedded lake, side by side with its peer: medians of rounds in which
the two take turns. Writes `benchmarks/results/lake.json`; ends with 1 if a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

from mlops_assets.lake.connection import close_embedded_servers  # noqa: E402
from mlops_assets.lake.lake import Lake  # noqa: E402
from mlops_assets.lake.settings import LakeSettings  # noqa: E402
from mlops_assets.lake.write import Write  # noqa: E402

GOALS = {
    "publish one day's file, large against small repository": 1.5,
    "make a branch, large against small repository": 1.5,
    "read 100 MB from a pinned commit, against a plain path": 1.3,
    "publish 365 one-day files as one write, against a plain copy with fsync": 3.0,
}
DAY_BYTES = 100_000  # a day of flights as CSV
YEAR = 365
LARGE_FILE_BYTES = 100 * 1024 * 1024
SMALL, LARGE, LARGE_QUICK = 1_000, 100_000, 20_000


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison: medians in seconds, and what the ratio may be at most."""

    name: str
    seconds: float
    peer: str
    peer_seconds: float
    goal: float | None

    @property
    def ratio(self) -> float:
        return self.seconds / self.peer_seconds

    @property
    def missed(self) -> bool:
        return self.goal is not None and self.ratio > self.goal


def growth(folder: Path, *, large: int, rounds: int) -> Iterator[Row]:
    """Publishing a file and making a branch in a repository of 1,000 and of many objects."""
    lakes = {size: filled(folder / f"objects-{size}", objects=size) for size in (SMALL, large)}
    number = count()

    def publish(size: int) -> Callable[[], object]:
        return lambda: put(lakes[size], {f"flights/raw/{next(number):06}": os.urandom(DAY_BYTES)})

    def branch(size: int) -> Callable[[], object]:
        return lambda: lakes[size].branch(f"dev-{next(number)}")

    for (name, goal), work in zip(list(GOALS.items())[:2], (publish, branch), strict=True):
        many, few = in_turns(work(large), work(SMALL), rounds=rounds)
        peer = f"{SMALL:,} objects"
        yield Row(name=f"{name} ({large:,} objects)", seconds=many, peer=peer, peer_seconds=few, goal=goal)


def reading(folder: Path, *, rounds: int) -> Iterator[Row]:
    """A large file from a pinned commit: the first time, when its checksum is compared, and afterwards."""
    plain = folder / "large.bin"
    plain.write_bytes(os.urandom(LARGE_FILE_BYTES))
    lake = filled(folder / "reading", objects=0)
    put(lake, {"flights/large.bin": plain})
    commit = lake.head()

    def first_time() -> None:
        Lake.connect(lake.settings).at(commit).read("flights/large.bin")

    name, goal = list(GOALS.items())[2]
    snapshot = lake.at(commit)
    snapshot.read("flights/large.bin")
    again, peer_again = in_turns(lambda: snapshot.read("flights/large.bin"), plain.read_bytes, rounds=rounds)
    yield Row(name=name, seconds=again, peer="Path.read_bytes", peer_seconds=peer_again, goal=goal)
    first, peer_first = in_turns(first_time, plain.read_bytes, rounds=rounds)
    yield Row(
        name="the same for the first time in a process, which compares the checksum",
        seconds=first,
        peer="Path.read_bytes",
        peer_seconds=peer_first,
        goal=None,
    )


def a_year_at_once(folder: Path, *, rounds: int) -> Iterator[Row]:
    """365 new files as one write, and as plain files each synced to the disk."""
    source, number = folder / "year", count()
    source.mkdir()
    lake = filled(folder / "writing", objects=0)

    def renew() -> None:
        for day in range(YEAR):
            (source / f"{day:03}.csv").write_bytes(os.urandom(DAY_BYTES))

    def copy() -> None:
        target = folder / f"plain-{next(number)}"
        target.mkdir()
        for path in sorted(source.iterdir()):
            with path.open("rb") as reader, (target / path.name).open("wb") as writer:
                shutil.copyfileobj(reader, writer)
                writer.flush()
                os.fsync(writer.fileno())

    def publish() -> None:
        put(lake, {f"flights/raw/{path.name}": path for path in source.iterdir()})

    name, goal = list(GOALS.items())[3]
    ours, theirs = in_turns(publish, copy, rounds=rounds, before=renew)
    yield Row(name=name, seconds=ours, peer="copy + fsync each", peer_seconds=theirs, goal=goal)


def filled(data: Path, *, objects: int) -> Lake:
    """An embedded lake holding so many small files."""
    lake = Lake.connect(LakeSettings.embedded(data))
    put(lake, {f"flights/history/{number % 997:03}/{number:06}": b"%d" % number for number in range(objects)})
    return lake


def put(lake: Lake, files: Mapping[str, bytes | Path]) -> None:
    lake.publish(Write(use_case="flights", asset="raw", run_id="benchmark"), files=files, audit=lambda _: ())


def in_turns(
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    rounds: int,
    before: Callable[[], object] = lambda: None,
) -> tuple[float, float]:
    """Median seconds of each, run in turns so that a busy moment of the machine meets both."""
    taken: tuple[list[float], list[float]] = ([], [])
    for each in range(-1, rounds):
        before()
        for work, seconds in zip((ours, theirs), taken, strict=True):
            begun = time.perf_counter()
            work()
            if each >= 0:
                seconds.append(time.perf_counter() - begun)
    return statistics.median(taken[0]), statistics.median(taken[1])


def machine() -> dict[str, object]:
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "load": os.getloadavg()[0],
    }


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder on the disk that data would lie on."""
    (PROJECT / "data").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=PROJECT / "data", prefix="benchmark-") as folder:
        yield Path(folder)
        close_embedded_servers()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"{LARGE_QUICK:,} objects, fewer rounds")
    quick = parser.parse_args().quick
    print(*(f"{name}: {value}" for name, value in machine().items()), sep="\n")
    rows = []
    with scratch() as folder:
        rows += a_year_at_once(folder, rounds=5)
        rows += reading(folder, rounds=9 if quick else 21)
        rows += growth(folder, large=LARGE_QUICK if quick else LARGE, rounds=11 if quick else 25)
    print(f"\n{'':<86} {'lake':>9} {'peer':>9} {'ratio':>6} {'goal':>5}")
    for row in rows:
        verdict = "" if row.goal is None else f"{row.goal:>5.1f} {'MISSED' if row.missed else 'met'}"
        print(f"{row.name:<86} {row.seconds:>8.4f}s {row.peer_seconds:>8.4f}s {row.ratio:>6.2f} {verdict}")
    result = {
        "machine": machine(),
        "quick": quick,
        "rows": [{**asdict(row), "ratio": row.ratio, "met": not row.missed} for row in rows],
    }
    target = PROJECT / "benchmarks" / "results" / "lake.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(result, indent=2) + "\n")
    return int(any(row.missed for row in rows))


if __name__ == "__main__":
    sys.exit(main())

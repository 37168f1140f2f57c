"""Runs the toy's whole pipeline in processes that are killed, each taken up by the next.

`python -m mlops_assets_tests.end_to_end.pipeline_kills FOLDER KILLS SEED`. A parent that only imports forks one child
for each attempt; the child runs what `mlops run` runs and dies by SIGKILL: right after a merge (every step's end),
right before the next one (a step staged and audited), around a request to the lake, or at a random moment. When an
attempt comes to its end the next one starts over in a folder of its own. The log of the target branch tells all it ever
showed: every commit is examined. Prints a JSON summary; anything wrong ends this program with 1.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import urllib3

from mlops_assets.contract.paths import batch_of
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.orchestration.instance import open_instance
from mlops_assets.orchestration.pipeline import ingest, score
from mlops_assets.orchestration.runs import run_job
from mlops_assets.stores.landing.progress import unfinished_batches
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.registry import load_evaluation, load_version, version_ids
from mlops_assets_tests.orchestration.deployment import TRAINED, Silent
from mlops_assets_tests.orchestration.toy import PARCELS, day_number, land

LAST = 9
LONGEST_SECONDS = 2.0
PER_BATCH = ("raw/parcels", "raw/roads", "validated/parcels", "validated/roads", "history")
COMPARED = ("raw/", "validated/", "quarantine/", "history/", "training_view/", "predictions/")
AFTER_A_MERGE, BEFORE_A_MERGE, AT_A_REQUEST, AT_RANDOM, FINISHED = (
    "after a merge",
    "before a merge",
    "at a request",
    "at a random moment",
    "finished",
)


def run_pipeline(data: Path) -> None:
    """Lands, takes in, trains, promotes and scores: from wherever the last attempt stopped."""
    land(data / "landing", first=day_number(0), last=day_number(LAST))
    with open_instance(data) as instance:
        ingest(PARCELS, instance=instance, steps=Silent())
        run_job(PARCELS, job="train", instance=instance, assets=TRAINED)
        score(PARCELS, batches=[day_number(LAST)], instance=instance, steps=Silent())


def examine() -> None:
    """Every commit of the target branch is a whole, audited write that can be read."""
    lake = Lake.connect()
    seen: set[tuple[str, str]] = set()
    for commit in lake.log(limit=1000)[:-1]:
        assert commit.metadata.get("audit") == "passed", commit
        snapshot = lake.at(commit.id)
        for info in snapshot.paths("parcels/"):
            if (info.path, info.checksum) not in seen:
                assert len(snapshot.read(info.path)) == info.size
                seen.add((info.path, info.checksum))
        examine_snapshot(snapshot)


def examine_snapshot(snapshot: Snapshot) -> None:
    """All batches of a step are there or none, each made from what lies beside it; versions are whole."""
    for step in PER_BATCH:
        held = [batch_of(info.path) for info in snapshot.paths(f"parcels/{step}/")]
        assert held in ([], [day_number(day) for day in range(LAST + 1)]), (step, held)
    left = unfinished_batches(snapshot, use_case=PARCELS)
    assert not left or not snapshot.paths("parcels/history/"), left
    for version in version_ids(snapshot, use_case="parcels"):
        load_version(snapshot, use_case="parcels", version=version)
    serving = champion(snapshot, use_case="parcels")
    if serving is not None:
        judged = load_evaluation(snapshot, use_case="parcels", version=serving.version)
        assert judged is not None
        assert judged.record.decision.passed


def content() -> dict[str, str]:
    """Checksums of everything that must not depend on how often the pipeline was killed, by path."""
    head = Lake.connect().at()
    found = {info.path: info.checksum for info in head.paths("parcels/")}
    kept = {path: sha for path, sha in found.items() if path.removeprefix("parcels/").startswith(COMPARED)}
    models = {path: sha for path, sha in found.items() if path.endswith(("model.ubj", "vocabulary.json"))}
    return kept | models


def die(*, how: str, number: int) -> None:
    """From now on the process kills itself just before or after its request of that number, of all or of its merges."""
    real: Callable[..., Any] = urllib3.connectionpool.HTTPConnectionPool.urlopen
    made = Counter[str]()

    def urlopen(pool: Any, method: str, url: str, *arguments: Any, **options: Any) -> Any:
        counted = how == AT_A_REQUEST or (method == "POST" and "/merge/" in url)
        made["counted"] += counted
        due = counted and made["counted"] == number
        if due and (how == BEFORE_A_MERGE or (how == AT_A_REQUEST and number % 2)):
            os.kill(os.getpid(), signal.SIGKILL)
        answer = real(pool, method, url, *arguments, **options)
        if due:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    urllib3.connectionpool.HTTPConnectionPool.urlopen = urlopen  # type: ignore[method-assign, assignment]


def in_child(work: Callable[[], object], *, kill_after: float | None = None) -> bool:
    """Runs ``work`` in a forked child, killed after that many seconds if given; whether it came to its end."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001 - whatever it is, the parent must see that the child failed
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit("A child failed by itself; what it said is above.")
    return os.WIFEXITED(status)


def attempt(data: Path, *, how: str, draw: random.Random) -> bool:
    """One attempt in ``data`` that ends by ``how``; whether it came to its end nevertheless."""
    os.environ["MLOPS_DATA_DIR"] = str(data)
    number = draw.randint(1, 80) if how == AT_A_REQUEST else 2 if how == BEFORE_A_MERGE else 1

    def work() -> None:
        if how != AT_RANDOM:
            die(how=how, number=number)
        run_pipeline(data)

    return in_child(work, kill_after=draw.uniform(0.05, LONGEST_SECONDS) if how == AT_RANDOM else None)


def save_content(*, to: Path) -> None:
    """Writes ``content`` as JSON."""
    to.write_text(json.dumps(content(), sort_keys=True), encoding="utf-8")


def finish(data: Path) -> dict[str, str]:
    """Runs to the end, unkilled; the content it ends with."""
    os.environ["MLOPS_DATA_DIR"] = str(data)
    told = data.with_suffix(".json")
    in_child(lambda: (run_pipeline(data), examine(), save_content(to=told)))
    found: dict[str, str] = json.loads(told.read_text(encoding="utf-8"))
    return found


def main(folder: Path, *, kills: int, seed: int) -> dict[str, int]:
    """Kills that many attempts and compares what comes out with a run that nobody disturbed; outcomes by kind."""
    draw, outcomes, rounds = random.Random(seed), Counter[str](), itertools.count(1)
    expected = finish(folder / "undisturbed")
    data = folder / f"round-{next(rounds)}"
    kinds = itertools.cycle((AFTER_A_MERGE, BEFORE_A_MERGE, AFTER_A_MERGE, AT_A_REQUEST, AT_RANDOM))
    while outcomes.total() - outcomes[FINISHED] < kills:
        how = next(kinds)
        finished = attempt(data, how=how, draw=draw)
        outcomes[FINISHED if finished else how] += 1
        if finished:
            in_child(examine)
            data = folder / f"round-{next(rounds)}"
    found = finish(data)
    if found != expected:
        differing = sorted(path for path in {*found, *expected} if found.get(path) != expected.get(path))
        raise SystemExit(f"After the kills these differ from an undisturbed run: {', '.join(differing)}")
    return {**outcomes, "compared": len(expected)}


if __name__ == "__main__":
    os.environ |= {"LAKECTL_CONFIG_FILE": "/nonexistent"}
    dg.get_dagster_logger().setLevel("CRITICAL")
    told = main(Path(sys.argv[1]), kills=int(sys.argv[2]), seed=int(sys.argv[3]))
    sys.stdout.write(json.dumps(told) + "\n")

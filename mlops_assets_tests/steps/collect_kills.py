"""Collects in processes that are killed, each taken up by the next: `python -m … FOLDER KILLS SEED`.

Before every attempt some answers are logged, and the service has counted as many requests. The forked child that
collects them dies by SIGKILL: at one of its requests to the lake, just before or after a merge, or at a random moment.
Every other day the answers of the day before are joined. In the end the lake must hold every answer once, figures of
all of them beside every file and of nothing else, and every request once. Prints a JSON summary.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import sys
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.compute as pc

from mlops_assets.contract.paths import prediction_log_folder, served_metrics_folder
from mlops_assets.lake.tables import read_parquet
from mlops_assets.steps.collect import collect
from mlops_assets.stores.predictions.collected_files import collected_files
from mlops_assets.stores.predictions.prediction_log import prediction_log_of
from mlops_assets.stores.predictions.served_metrics import served_metrics
from mlops_assets.stores.predictions.service_figures import Counted, Services
from mlops_assets_tests.end_to_end.pipeline_kills import (
    AFTER_A_MERGE,
    AT_A_REQUEST,
    AT_RANDOM,
    BEFORE_A_MERGE,
    FINISHED,
    die,
    in_child,
)
from mlops_assets_tests.steps.played import NOW, Loop
from mlops_assets_tests.stores.predictions.answered import make_group, make_record

EVENT = datetime(2013, 7, 1, 8, 30)
ANSWERS, REQUESTS_OF_A_COLLECTION, STEP = 3, 30, timedelta(hours=9)


@dataclass(frozen=True, kw_only=True)
class Counting(Services):
    """A service that has counted ``requests``."""

    requests: int = 0

    def ask(self, *, use_case: str, now: datetime) -> tuple[dict[str, Counted], str]:
        """What it has counted."""
        status = {"200": float(self.requests)}
        return {"http://toy": Counted(at=now, status=status, within={}, seconds=0.0, waiting=0.0)}, ""


def answer(loop: Loop, *, first: int, at: datetime) -> None:
    """Logs some answers about two days."""
    with closing(prediction_log_of("parcels", folder=loop.data)) as log:
        events = [EVENT + timedelta(hours=12 * number) for number in range(ANSWERS)]
        rows = [
            make_record(prediction_id=f"p{first + place}", answered_at=at, event_time=event)
            for place, event in enumerate(events)
        ]
        log.append([make_group(rows)], timeout=5)


def collect_all(loop: Loop, *, now: datetime, requests: int) -> None:
    """Collects what is there, with what the service has counted."""
    with (
        closing(prediction_log_of("parcels", folder=loop.data)) as log,
        log.collecting(),
        TemporaryDirectory() as folder,
    ):
        step = collect(
            loop.lake.at(),
            use_case=loop.use_case,
            log=log,
            now=now,
            into=Path(folder),
            kept=timedelta(days=2),
            services=Counting(urls=(), requests=requests),
        )
        loop.put("prediction_log", step)


def examine(loop: Loop, *, answers: int, collected: bool) -> None:
    """Nothing is doubled, figures are of what is there; all ``answers`` are there if everything was ``collected``."""
    head = loop.lake.at()
    files = collected_files(head, folder=prediction_log_folder("parcels"))
    ids = [name for path in files for name in read_parquet(head.local(path))["prediction_id"].to_pylist()]
    assert sorted(ids, key=lambda name: int(name[1:])) == [f"p{number}" for number in range(len(ids))], ids
    beside = {
        path.replace(served_metrics_folder("parcels"), prediction_log_folder("parcels")) for path in _figures(loop)
    }
    assert beside == set(files), beside ^ set(files)
    table = served_metrics(head, use_case="parcels", first=EVENT.date(), last=date(2013, 7, 3))
    overall = table.filter((pc.field("metric") == "answered") & (pc.field("scope") == "overall"))
    assert sum(overall["n"].to_pylist()) == len(ids), (overall, len(ids))
    if collected:
        assert len(ids) == answers, (len(ids), answers)
        service = served_metrics(head, use_case="parcels", first=NOW.date(), last=date(2026, 1, 1))
        counted = service.filter(pc.field("metric") == "requests")
        assert sum(counted["value"].to_pylist()) == answers, counted


def _figures(loop: Loop) -> list[str]:
    paths = [info.path for info in loop.lake.at().paths(served_metrics_folder("parcels"))]
    return [path for path in paths if not path.endswith("/service.parquet")]


def attempt(loop: Loop, *, how: str, now: datetime, requests: int, draw: random.Random, longest: float) -> bool:
    """One collection that ends by ``how``; whether it came to its end nevertheless."""

    def work() -> None:
        if how != AT_RANDOM:
            die(how=how, number=draw.randint(1, REQUESTS_OF_A_COLLECTION) if how == AT_A_REQUEST else 1)
        collect_all(loop, now=now, requests=requests)

    return in_child(work, kill_after=draw.uniform(0.0, longest) if how == AT_RANDOM else None)


def main(folder: Path, *, kills: int, seed: int) -> dict[str, float]:
    """Kills that many collections; outcomes by kind, and how many answers were collected once."""
    loop, draw, outcomes = Loop(data=folder), random.Random(seed), Counter[str]()
    kinds, now, answers = itertools.cycle((AT_RANDOM, AT_A_REQUEST, AT_RANDOM, AFTER_A_MERGE, BEFORE_A_MERGE)), NOW, 0
    begun = time.monotonic()
    in_child(lambda: collect_all(loop, now=NOW, requests=0))
    longest = time.monotonic() - begun
    while outcomes.total() - outcomes[FINISHED] < kills:
        how, now = next(kinds), now + STEP
        answer(loop, first=answers, at=now)
        answers += ANSWERS
        finished = attempt(loop, how=how, now=now, requests=answers, draw=draw, longest=longest)
        outcomes[FINISHED if finished else how] += 1
        in_child(partial(examine, loop, answers=answers, collected=finished))
    in_child(lambda: (collect_all(loop, now=now, requests=answers), examine(loop, answers=answers, collected=True)))
    return {**outcomes, "answers": answers, "seconds": round(time.monotonic() - begun, 1)}


if __name__ == "__main__":
    os.environ |= {"LAKECTL_CONFIG_FILE": "/nonexistent"}
    told = main(Path(sys.argv[1]), kills=int(sys.argv[2]), seed=int(sys.argv[3]))
    sys.stdout.write(json.dumps(told) + "\n")

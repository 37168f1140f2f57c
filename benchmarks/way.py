"""How much of the house a newcomer reads, and how much of it is entered: lines of each room, and the modules that a
request, a landed file, a day and a judgement go through.

    python benchmarks/way.py FOLDER

``FOLDER`` is the data folder of a played `mlops demo flights`; it is copied, never written to. What is counted are
modules of `mlops_assets` in which a function is called, whatever the thread; `lakefs_embedded` is not among them.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

PROJECT = Path(__file__).resolve().parents[1]
PACKAGE = PROJECT / "mlops_assets"
WAY = ("contract", "steps", "features", "training", "serving", "orchestration")
LIBRARIES = ("judge", "watch", "lake", "stores", "reports", "cli", "use_cases")
DAY = "2013-07-02"


def lines_of(room: str) -> int:
    """Lines of Python below a room."""
    return sum(len(path.read_text().splitlines()) for path in (PACKAGE / room).rglob("*.py"))


@contextmanager
def entered() -> Iterator[set[str]]:
    """The modules that are entered within the block."""
    seen: set[str] = set()
    root = str(PACKAGE) + os.sep

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_name != "<module>" and frame.f_code.co_filename.startswith(root):
            seen.add(frame.f_code.co_filename.removeprefix(root))

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield seen
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]


def request(data: Path) -> set[str]:
    """One row, checked already, to its recorded answer."""
    from mlops_assets.lake.lake import Lake
    from mlops_assets.serving.predictor import Predictor
    from mlops_assets.stores.models.champion import require_champion
    from mlops_assets.use_cases import registry

    flights = registry.find("flights", schemas=False)
    version = require_champion(Lake.connect().at(), use_case="flights").version
    folder = data / "bentoml" / "models" / "flights" / version
    from mlops_assets.stores.models.bento_store import checksum

    checksums = {path.name: checksum(path) for path in folder.iterdir() if path.name != "model.yaml"}
    predictor = Predictor.open(folder, use_case=flights, checksums=checksums, data_dir=data)
    rows = [flights.request.model_validate(row) for row in registry.find("flights").seed.requests("2013-07-01")[:2]]
    predictor.predict(rows[:1])
    with entered() as seen:
        predictor.predict(rows[1:])
    predictor.close()
    return seen


def landed_file(data: Path) -> set[str]:
    """One landed CSV to everything that is said of it."""
    import duckdb

    from mlops_assets.lake.lake import Lake
    from mlops_assets.stores.landing.batch_surroundings import surroundings_of
    from mlops_assets.use_cases import registry
    from mlops_assets.watch.validation.batch_judgement import judge_batches

    flights = registry.find("flights")
    source, batch = flights.source("flights"), "2013-06-20"
    file = data / "landing" / "flights" / "flights" / f"{batch}.csv"
    around = surroundings_of([batch], use_case=flights, source=source, head=Lake.connect().at())
    with duckdb.connect() as connection, entered() as seen:
        judge_batches({batch: file}, use_case=flights, source=source, surroundings=around, connection=connection)
    return seen


def day(data: Path) -> set[str]:
    """A landed day to history and online store, as Dagster runs it."""
    from mlops_assets.orchestration.instance import open_instance
    from mlops_assets.orchestration.runs import run_job
    from mlops_assets.use_cases import registry

    flights = registry.find("flights")
    flights.seed.land(data / "landing", first=DAY, last=DAY, sources=None)
    with open_instance(data) as instance, entered() as seen:
        run_job(flights, job="ingest", instance=instance, batches=[DAY])
    return seen


def judgement(_: Path) -> set[str]:
    """The champion judged on its test rows."""
    from mlops_assets.judge.judgement import judge
    from mlops_assets.lake.lake import Lake
    from mlops_assets.stores.models.champion import require_champion
    from mlops_assets.stores.models.recipe import read_view
    from mlops_assets.stores.models.registry import open_candidate
    from mlops_assets.use_cases import registry

    flights, head = registry.find("flights"), Lake.connect().at()
    version = require_champion(head, use_case="flights").version
    challenger = open_candidate(head, use_case=flights, version=version)
    view = read_view(head, use_case=flights)
    with entered() as seen:
        judge(view, use_case=flights, challenger=challenger, champion=None)
    return seen


JOURNEYS: dict[str, Callable[[Path], set[str]]] = {
    "a request, checked, to its recorded answer": request,
    "a landed CSV to its judgement": landed_file,
    "a landed day to history and online store": day,
    "a version to its verdict": judgement,
}


def main() -> None:
    face = len((PACKAGE / "__init__.py").read_text().splitlines())
    rooms = {"the face": face, **{room: lines_of(room) for room in WAY}}
    print(f"The way: {sum(rooms.values()):,} lines: " + ", ".join(f"{name} {n:,}" for name, n in rooms.items()))
    print("Libraries: " + ", ".join(f"{room} {lines_of(room):,}" for room in LIBRARIES))
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "data"
        shutil.copytree(sys.argv[1], data)
        os.environ["MLOPS_DATA_DIR"] = str(data)
        for what, walk in JOURNEYS.items():
            modules = walk(data)
            print(f"{what}: {len(modules)} modules, {sum(_lines(name) for name in modules):,} lines in them")
            if "--names" in sys.argv:
                print("    " + " ".join(sorted(modules)))


def _lines(module: str) -> int:
    return len((PACKAGE / module).read_text().splitlines())


if __name__ == "__main__":
    main()

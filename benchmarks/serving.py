"""The service under load beside its peers, and by itself for longer: two workers, a soak, an overload.

    python benchmarks/serving.py [--data FOLDER] [--quick] [--rounds 5] [--soak SECONDS] [--part contest] [--part soak]

``FOLDER`` is the data folder of a played `mlops demo flights`; it is copied, never written to, and its champion is
packaged with the code of this checkout. All contenders answer with that model, and must agree before they are timed:

- product: `bentoml serve`, as `mlops serve` runs it: validation, flags, a durable record of every answer;
- bare, computed: FastAPI with the same look-up, feature SQL, encoding and XGBoost, and nothing else;
- bare, ready: the same with features that are in the request (both `serving_bare.py`);
- MLflow, computed: `mlflow models serve` of a Python function that calls the bare service's code;
- MLflow, ready: the same of the booster, with features that are in the request (both `serving_mlflow.py`).

Each is one process on the first core, `wrk` (`apt-get install wrk`) is on the last one. They are up together and asked
in turn, round by round, so that whoever else is on the machine disturbs all alike; figures are medians over rounds.
Memory is that of all of a contender's processes (PSS), CPU theirs while a case runs. Takes 40 minutes. Writes
`benchmarks/results/serving.json`; ends with 1 if a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

from benchmarks.serving_contest import contest, show  # noqa: E402
from benchmarks.serving_endurance import overload, soak, two_workers  # noqa: E402
from benchmarks.serving_ground import Ground, Sizes, ground  # noqa: E402
from benchmarks.serving_load import LOAD_CORE, SERVER_CORE, require_wrk  # noqa: E402

# where no number of clients is named it is 32
AT_LEAST = {
    "throughput against bare, computed: single rows": 1.0,
    "throughput against MLflow, computed: single rows": 3.0,
    "throughput against MLflow, ready: single rows": 2.0,
    "throughput against bare, computed: 100 rows": 1.0,
    "throughput against MLflow, ready: 100 rows": 3.0,
    "throughput of two workers against one": 1.6,
}
AT_MOST = {
    "p99 against bare, computed: single rows": 1.5,
    "CPU ms per request: single rows": 1.5,
    "p50 ms of one client: single rows": 5.0,
    "memory MB, at most in any case": 350.0,
    "errors of the product in any case": 0,
    "errors of the soak": 0,
    "memory at the soak's end against its start": 1.05,
    "p99 ms of a refusal under overload": 100.0,
    "errors under overload other than 429 and 503": 0,
    "longest ms of /livez under overload": 1000.0,
    "seconds to recover from overload": 5.0,
}
FULL = Sizes(clients=(1, 8, 32, 128), rounds=5, case=6, soak=600, overload=120)
QUICK = Sizes(clients=(1, 32), rounds=1, case=4, soak=40, overload=20)
PARTS: Mapping[str, Callable[[Ground], dict[str, Any]]] = {
    "contest": contest,
    "workers": two_workers,
    "soak": soak,
    "overload": overload,
}


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=PROJECT / "data", help="of a played `mlops demo flights`")
    parser.add_argument("--quick", action="store_true", help="1 and 32 clients, one short round, a minute of the rest")
    parser.add_argument("--rounds", type=int, help=f"of every case: {FULL.rounds}, with --quick {QUICK.rounds}")
    parser.add_argument("--soak", type=float, help=f"its seconds: {FULL.soak}, with --quick {QUICK.soak}")
    parser.add_argument("--part", action="append", choices=PARTS, help="only this; may be given several times")
    return parser.parse_args()


def measure(parts: Mapping[str, Callable[[Ground], dict[str, Any]]], *, data: Path, sizes: Sizes) -> dict[str, Any]:
    """What every part found, printed as soon as it is there."""
    results = {}
    with tempfile.TemporaryDirectory(prefix="serving-") as folder:
        on = ground(Path(folder), data=data, sizes=sizes)
        for name, part in parts.items():
            results[name] = part(on)
            if name == "contest":
                show(results[name]["figures"])
            else:
                print(f"\n{name}", *(f"  {what}: {value}" for what, value in results[name].items()), sep="\n")
    return results


def verdict(measured: Mapping[str, float]) -> bool:
    """Prints every goal that was measured; whether all are met."""
    print("\ngoals")
    missed = 0
    for name, value in measured.items():
        least = name in AT_LEAST
        limit = AT_LEAST[name] if least else AT_MOST[name]
        met = value >= limit if least else value <= limit
        missed += not met
        print(f"  {'met   ' if met else 'MISSED'} {name}: {value:.2f} ({'at least' if least else 'at most'} {limit})")
    return not missed


def main() -> int:
    """Measure, print, write, and say by the exit code whether every goal was met."""
    chosen = arguments()
    require_wrk()
    default = QUICK if chosen.quick else FULL
    given = {"rounds": chosen.rounds or default.rounds, "soak": chosen.soak or default.soak}
    sizes = Sizes(**{**asdict(default), **given})
    machine = {
        "system": platform.platform(),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "cores": f"servers on core {SERVER_CORE}, load on core {LOAD_CORE}",
        "load": os.getloadavg()[0],
    }
    print(*(f"{name}: {value}" for name, value in machine.items()), sep="\n")
    parts = {name: part for name, part in PARTS.items() if name in (chosen.part or PARTS)}
    results = measure(parts, data=chosen.data, sizes=sizes)
    machine["load at the end"] = os.getloadavg()[0]
    print(
        f"\nload at the end: {machine['load at the end']:.1f}; far above 2 others were at work, and times are too long"
    )
    measured = {goal: value for result in results.values() for goal, value in result.pop("goals").items()}
    met = verdict(measured)
    document = {"machine": machine, "quick": chosen.quick, "sizes": asdict(sizes), **results, "goals": measured}
    (PROJECT / "benchmarks" / "results" / "serving.json").write_text(json.dumps(document, indent=1) + "\n")
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())

"""What the gates say to half a year of challengers: an honest one of flights after each month, and two harmed ones.

    python benchmarks/challengers.py [--quick] [--data FOLDER [--steps N]]

A champion learns from January to June, as `mlops run flights` does it. After each further month until December that
month is landed, taken in, and a challenger is trained, judged and, if its gates allow it, promoted: the loop as it is
used. In two of the months three more stand beside it that learnt from the same rows after a fault was put into them,
judged against the same champion on the same untouched test rows: one feature shuffled, all weather shuffled, as by a
wrong join, and one carrier's outcomes turned round.

Ends with 1 if a harmed challenger passes its gates, if the gate on carriers does not see the one that was turned round,
or if a day of the last month takes half as long again to take in as one of the first. Writes the tables of
``docs/evaluation.md`` and ``benchmarks/results/challengers.json``. ``--quick`` ends after July and writes nothing.
``--data`` keeps the deployment in that folder, to be looked at with `mlops models flights` or `mlops dev`, and goes on
where an earlier call stopped, after at most ``--steps`` more challengers.
"""

from __future__ import annotations

import argparse
import calendar
import contextlib
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from rich.console import Console

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

from mlops_assets.cli.deployment import dagster_instance, landing_zone  # noqa: E402
from mlops_assets.cli.progress import Steps  # noqa: E402
from mlops_assets.contract.gates import NoSliceRegressed, NotWorseThanChampion  # noqa: E402
from mlops_assets.judge.gate_decision import GateDecision  # noqa: E402
from mlops_assets.judge.judgement import Candidate, judge  # noqa: E402
from mlops_assets.judge.report import EvaluationReport  # noqa: E402
from mlops_assets.judge.significance import Comparison  # noqa: E402
from mlops_assets.lake.lake import Lake  # noqa: E402
from mlops_assets.lake.snapshot import Snapshot  # noqa: E402
from mlops_assets.stores.models.recipe import current_version, read_view  # noqa: E402
from mlops_assets.stores.models.registry import load_evaluation, open_candidate  # noqa: E402
from mlops_assets.training.fit import fit  # noqa: E402
from mlops_assets.use_cases.flights import USE_CASE  # noqa: E402
from mlops_assets_tests.documented import DOCS, markdown_table, write_section  # noqa: E402
from mlops_assets_tests.use_cases.flights.harms import flip_carrier, shuffle_features  # noqa: E402

if TYPE_CHECKING:
    from dagster import DagsterInstance

FIRST, JUNE, LAST_MONTH, QUICK_MONTH = "2013-01-01", 6, 12, 7
HARMED_IN, FEATURE, FEATURES, CARRIER = (7, 9), "minute_of_day", "weather_", "VX"
HONEST = "honest"
SLOWER_GOAL = 1.5  # how many times longer per day the last month may take to take in than the first
TURNED = f"outcomes of {CARRIER} turned round"
HARMS: dict[str, Callable[[pa.Table], pa.Table]] = {
    f"`{FEATURE}` shuffled": lambda view: shuffle_features(view, named=FEATURE),
    "weather shuffled": lambda view: shuffle_features(view, named=FEATURES),
    TURNED: lambda view: flip_carrier(view, carrier=CARRIER),
}
COMPARED = next(gate for gate in USE_CASE.gates if isinstance(gate, NotWorseThanChampion))
OF_CARRIERS = next(gate for gate in USE_CASE.gates if isinstance(gate, NoSliceRegressed))
Figure = tuple[float | None, float | None, float | None]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One challenger and what came of it; figures are value, lower and upper end of their 95 % interval."""

    challenger: str
    month: str
    opponent: str
    test_rows: int
    roc_auc: Figure
    gain: Figure
    verdict: str
    passed: bool
    failed: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What the product needed for one landing: days, and seconds to take them in and to train on all there is."""

    month: str
    days: int
    ingest_seconds: float
    train_seconds: float


def play(month: int, *, instance: DagsterInstance, steps: Steps) -> Cost:
    """Lands a month (January to June at once) and runs the product's main job on it."""
    from mlops_assets.orchestration.pipeline import ingest, train
    from mlops_assets.orchestration.runs import RunFailed

    first, last = FIRST if month == JUNE else _day(month, 1), _day(month, calendar.monthrange(2013, month)[1])
    last = min(last, str(USE_CASE.batches.last))
    USE_CASE.seed.land(landing_zone().root, first=first, last=last)
    begun = time.perf_counter()
    days = sum(len(run.batches) for run in ingest(USE_CASE, instance=instance, steps=steps))
    taken = time.perf_counter()
    with contextlib.suppress(RunFailed):  # so ends a run whose challenger is refused
        train(USE_CASE, instance=instance, steps=steps, through=last)
    return Cost(month=last[:7], days=days, ingest_seconds=taken - begun, train_seconds=time.perf_counter() - taken)


def honest(head: Snapshot, *, month: str) -> Row:
    """The version that was trained last, as it was judged."""
    version = current_version(head, use_case=USE_CASE)
    found = load_evaluation(head, use_case="flights", version=version)
    assert found is not None
    assert found.comparison is not None
    return _row(HONEST, month, found.report, found.comparison, found.record.decision)


def harmed(head: Snapshot, name: str, *, opponent: str, month: str) -> Row:
    """The same recipe on the same rows after that harm, judged as the asset judges."""
    view, before = read_view(head, use_case=USE_CASE), load_evaluation(head, use_case="flights", version=opponent)
    fitted = fit(HARMS[name](view), use_case=USE_CASE)
    judgement = judge(
        view,
        use_case=USE_CASE,
        challenger=Candidate.of(fitted, version=name, threads=USE_CASE.recipe.threads),
        champion=open_candidate(head, use_case=USE_CASE, version=opponent),
        previous=before.report if before else None,
    )
    return _row(name, month, judgement.report, judgement.comparison, judgement.decision)


def _row(name: str, month: str, report: EvaluationReport, comparison: Comparison, decision: GateDecision) -> Row:
    area, difference = report.overall.metrics["roc_auc_score"], comparison.of(COMPARED.metric)
    assert difference is not None
    return Row(
        challenger=name,
        month=month,
        opponent=comparison.opponent,
        test_rows=report.overall.rows,
        roc_auc=(area.value, area.lower, area.upper),
        gain=(difference.gain, difference.lower, difference.upper),
        verdict=difference.verdict(margin=COMPARED.margin).value,
        passed=decision.passed,
        failed=tuple(verdict.name for verdict in decision.verdicts if verdict.blocks),
        reasons=decision.reasons,
    )


def run(until: int, *, steps: int, kept: Path) -> tuple[list[Row], list[Cost]]:
    """The year from January on, in the data folder that the environment names; what is in ``kept`` is done already."""
    rows, costs = _read(kept) if kept.exists() else ([], [])
    todo = [(month, name) for month in range(JUNE, until + 1) for name in (HONEST, *HARMS)]
    todo = [(month, name) for month, name in todo if name == HONEST or month in HARMED_IN]
    with dagster_instance() as instance, Steps(Console(width=110)) as shown:
        for month, name in todo[len(rows) :][:steps]:
            if name == HONEST:
                costs.append(play(month, instance=instance, steps=shown))
                row = honest(Lake.connect().at(), month=costs[-1].month)
            else:
                row = harmed(Lake.connect().at(), name, opponent=rows[-1].opponent, month=costs[-1].month)
            print(f"{row.month} {name}: {'passed' if row.passed else '; '.join(row.reasons)}", flush=True)
            rows.append(row)
            kept.write_text(json.dumps([[asdict(row) for row in rows], [asdict(cost) for cost in costs]]))
    return rows, costs


def _read(kept: Path) -> tuple[list[Row], list[Cost]]:
    rows, costs = json.loads(kept.read_text())
    return [Row(**row) for row in rows], [Cost(**cost) for cost in costs]


def faults(rows: list[Row], costs: list[Cost]) -> list[str]:
    """Every goal that was missed."""
    spoilt = [row for row in rows if row.challenger in HARMS]
    missed = [f"{row.month}: {row.challenger} passed its gates." for row in spoilt if row.passed]
    missed += [
        f"{row.month}: no gate on slices refuses {row.challenger}."
        for row in spoilt
        if row.challenger == TURNED and OF_CARRIERS.name not in row.failed
    ]
    missed += [f"{rows[0].month}: the first champion was refused."] * (not rows[0].passed)
    per_day = [cost.ingest_seconds / max(cost.days, 1) for cost in costs[1:]]
    if len(per_day) > 1 and per_day[-1] > SLOWER_GOAL * per_day[0]:
        missed.append(f"A day of {costs[-1].month} takes {per_day[-1] / per_day[0]:.2f} times as long as the first.")
    return missed


def verdict_table(rows: list[Row]) -> str:
    """The verdicts as the docs have them."""
    return markdown_table(
        ["data to the end of", "challenger", "ROC AUC", "against", "gain in log loss", "overall", "gates"],
        [
            [
                row.month,
                row.challenger,
                _told(row.roc_auc, "{:.3f}"),
                row.opponent,
                _told(row.gain, "{:+.4f}"),
                row.verdict,
                "passed: promoted" * row.passed or f"refused by {', '.join(f'`{name}`' for name in row.failed)}",
            ]
            for row in rows
        ],
    )


def cost_table(costs: list[Cost]) -> str:
    """The seconds as the docs have them."""
    return markdown_table(
        ["data to the end of", "days taken in", "seconds", "seconds a day", "train, judge, promote, package: seconds"],
        [
            [
                cost.month,
                str(cost.days),
                f"{cost.ingest_seconds:.1f}",
                f"{cost.ingest_seconds / max(cost.days, 1):.2f}",
                f"{cost.train_seconds:.1f}",
            ]
            for cost in costs
        ],
    )


def _told(figure: Figure, form: str) -> str:
    value, lower, upper = (form.format(end) if end is not None else "" for end in figure)
    return f"{value} ({lower} to {upper})"


def _day(month: int, day: int) -> str:
    return f"2013-{month:02d}-{day:02d}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="end after July and write nothing")
    parser.add_argument("--data", type=Path, help="a folder to keep the deployment in, and to go on in")
    parser.add_argument("--steps", type=int, default=100, help="how many more challengers to see in this call")
    arguments = parser.parse_args()
    machine = {
        "system": platform.platform(),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "load": os.getloadavg()[0],
    }
    print(*(f"{name}: {value}" for name, value in machine.items()), sep="\n")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MLOPS_DATA_DIR"] = str(arguments.data or folder)
        until, kept = QUICK_MONTH if arguments.quick else LAST_MONTH, arguments.data or Path(folder)
        rows, costs = run(until, steps=arguments.steps, kept=kept / "challengers.json")
    print(f"\n{verdict_table(rows)}\n\n{cost_table(costs)}\n")
    missed = faults(rows, costs)
    print(*(missed or ["Every goal is met."]), sep="\n")
    if not arguments.quick and costs[-1].month == _day(LAST_MONTH, 1)[:7]:
        write_section(DOCS / "evaluation.md", "challengers", text=f"{verdict_table(rows)}\n\n{cost_table(costs)}")
        result = {"machine": machine, "rows": [asdict(row) for row in rows], "costs": [asdict(cost) for cost in costs]}
        target = PROJECT / "benchmarks" / "results" / "challengers.json"
        target.write_text(json.dumps(result, indent=2) + "\n")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())

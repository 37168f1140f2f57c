"""What monitoring finds, how soon, and how often it cries wolf: half a year of flights with faults, beside NannyML.

    python benchmarks/monitoring.py [--quick] [--data FOLDER]

A champion learns from January to June; what the service would have answered from July to December is computed in batch
by the product's own features and scorer, clean and with every fault of ``monitoring_cases.py`` at ten starts. Each day
(and each hour, for faults that hold for all answers) is judged as the hourly schedule would: at its end, and again when
its outcomes have landed. A fault is found when a cause of its kind is told that is not told of the clean log at that
moment; of NannyML's alerts any counts that is not there on the clean log. False alerts are what opens on the clean log.
NannyML 0.13.1 reads the same logs in an environment of its own (Python 3.12), with its own thresholds and the eight
weeks before each start as reference.

Writes ``benchmarks/results/monitoring.json``; ends with 1 if a goal is missed. ``--quick`` takes three starts and
writes nothing. ``--data`` keeps the deployment and the logs in that folder and takes what is there already.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, timedelta
from operator import attrgetter
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

from benchmarks import monitoring_peer as peer  # noqa: E402
from benchmarks.monitoring_cases import CASES, HALF_YEAR, LANDED, STARTS, WHOLE_DAY, Case  # noqa: E402
from benchmarks.monitoring_log import NOTHING, World  # noqa: E402
from benchmarks.monitoring_watch import Figures, Watcher, days_of  # noqa: E402
from mlops_assets.cli.deployment import dagster_instance, landing_zone  # noqa: E402
from mlops_assets.cli.progress import Steps  # noqa: E402
from mlops_assets.judge.report import evaluate  # noqa: E402
from mlops_assets.lake.lake import Lake  # noqa: E402
from mlops_assets.stores.models.champion import champion  # noqa: E402
from mlops_assets.stores.predictions.parity import compare  # noqa: E402
from mlops_assets.use_cases.flights import USE_CASE  # noqa: E402
from mlops_assets.watch.served.estimated_truth import estimate_binary  # noqa: E402
from mlops_assets.watch.served.report import Cause  # noqa: E402

RESULTS = PROJECT / "benchmarks" / "results" / "monitoring.json"
JUNE = "2013-06-30"
ENOUGH_ROWS = 50
"""In the first hour by which a fault of all answers is timed: at night a handful of flights tell nobody anything."""
SAMPLE = 200
LIMITS = {
    "exact": "an hour",
    "input": "24 hours",
    "slice": "24 hours",
    "answers": "24 hours (shuffled scores: a week of outcomes)",
    "drift": "14 days",
    "labels": "7 days of labels",
}
TRUST = ("exact", "inputs", "predictions", "truth")
SAID_BY = {
    "exact": TRUST[:1],
    "input": TRUST[:2],
    "slice": TRUST,
    "answers": TRUST,
    "drift": TRUST,
    "labels": TRUST[3:],
}
"""What must tell a fault of each kind for it to count as found: a coincidence elsewhere does not."""
GOALS = {"found": 0.95, "false_alerts_a_month": 1.0}
BEYOND = {
    "scores_shifted=0.1": "a day's mean score moves by 0.065 by itself, so +0.1 is 1.5 of that; parity sees it at once",
}
"""What the figures of answers cannot show at these sizes, and why."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One fault from one day on: hours until a new cause was told (None: not while it was played), and until NannyML
    alerted; ``parity`` says whether scores computed once more differ from those served.
    """

    fault: str
    kind: str
    start: str
    within: int
    hours: int | None
    cause: str
    what: str
    parity: bool
    nannyml: int | None

    @property
    def in_time(self) -> bool:
        """Whether it was told as soon as a person would want."""
        return self.hours is not None and self.hours <= self.within

    @property
    def nannyml_in_time(self) -> bool:
        """The same of NannyML, which looks at days: what is wanted within an hour counts within its day."""
        return self.nannyml is not None and self.nannyml <= max(self.within, WHOLE_DAY)

    @property
    def nannyml_reads(self) -> bool:
        """Whether the fault is in a log that it reads."""
        return self.fault not in {case.fault.name for case in CASES if case.fault.stage == "service"}


@dataclass(frozen=True, kw_only=True)
class Clean:
    """The clean half year, each moment judged once, when it is asked for."""

    watcher: Watcher
    told: dict[tuple[date, int, bool], Mapping[str, Cause]] = field(default_factory=dict)

    def causes(self, day: date, *, until: int = WHOLE_DAY, with_truth: bool = False) -> Mapping[str, Cause]:
        """What is told of a day where nothing is wrong."""
        moment = (day, until, with_truth)
        if moment not in self.told:
            self.told[moment] = self.watcher.causes(day, until=until, with_truth=with_truth)
        return self.told[moment]

    def opened(self) -> list[tuple[str, str, str]]:
        """The causes that open, by day: those that were not told the day before."""
        opened, standing = [], frozenset[str]()
        for day in days_played():
            now = {**self.causes(day), **self.causes(day, with_truth=True)}
            new = [(day.isoformat(), key, now[key].what) for key in sorted(set(now) - standing)]
            for each in new:
                print("clean:", *each, flush=True)
            opened += new
            standing = frozenset(now)
        return opened


@dataclass(frozen=True, kw_only=True)
class Estimates:
    """How far the expected area under the ROC curve is from the realised one, by our estimate and by NannyML's: roots
    of mean squares over ``days``; and how far the two are ``apart`` in the mean.
    """

    days: int
    apart: float
    error: float
    nannyml_error: float


@dataclass(frozen=True, kw_only=True)
class Played:
    """All that came out; ``opened`` are the causes that opened on the clean half year."""

    trials: Sequence[Trial]
    opened: Sequence[tuple[str, str, str]]
    nannyml_a_month: float | None = None
    estimates: Estimates | None = None

    @property
    def a_month(self) -> float:
        """False alerts in thirty days."""
        return len(self.opened) / len(days_played()) * 30


def days_played() -> list[date]:
    """Every day of the half year."""
    return [HALF_YEAR[0] + timedelta(days=number) for number in range((HALF_YEAR[1] - HALF_YEAR[0]).days + 1)]


def ground() -> World:
    """The lake with the whole year and the champion of June, made where it is not there."""
    from mlops_assets.orchestration.pipeline import ingest, train

    console = Console(stderr=True)
    with dagster_instance() as instance, Steps(console) as steps:
        USE_CASE.seed.land(landing_zone().root, first="2013-01-01", last=JUNE)
        ingest(USE_CASE, instance=instance, steps=steps)
        if champion(Lake.connect().at(), use_case=USE_CASE.name) is None:
            train(USE_CASE, instance=instance, steps=steps, through=JUNE)
        USE_CASE.seed.land(landing_zone().root, first="2013-07-01", last=str(HALF_YEAR[1]))
        ingest(USE_CASE, instance=instance, steps=steps)
    return World(use_case=USE_CASE, snapshot=Lake.connect().at())


def log_of(world: World, folder: Path, *, case: Case | None, start: date) -> tuple[pa.Table, pa.Table]:
    """Records and outcomes of a case from a day on, or of the clean half year; kept in ``folder``."""
    name = "clean" if case is None else f"{start}-{CASES.index(case)}"
    paths = folder / f"{name}.parquet", folder / f"{name}-outcomes.parquet"
    if not paths[1].exists():
        fault = case.fault if case else NOTHING
        last = min(start + timedelta(days=case.days - 1), HALF_YEAR[1]) if case else HALF_YEAR[1]
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(world.log(first=start, last=last, fault=fault), paths[0])
        pq.write_table(world.outcomes(first=start, last=last, fault=fault), paths[1])
    return pq.read_table(paths[0]), pq.read_table(paths[1])


def watch_fault(watcher: Watcher, case: Case, *, start: date, clean: Clean) -> tuple[int | None, str, str]:
    """Hours until a cause is told that the clean log does not tell, that cause's key, and its sentence."""
    first = start + timedelta(days=case.seen_after)
    for hours, day, until, with_truth in _moments(clean.watcher, case, first=first, days=watcher.days):
        told = watcher.causes(day, until=until, with_truth=with_truth)
        usual = clean.causes(day, until=until, with_truth=with_truth)
        new = [cause for key, cause in told.items() if key not in usual and cause.order in SAID_BY[case.kind]]
        if new:
            first_told = min(new, key=lambda cause: TRUST.index(cause.order))
            return hours, first_told.key, first_told.what
    return None, "", ""


def _moments(clean: Watcher, case: Case, *, first: date, days: Iterable[date]) -> Iterator[tuple[int, date, int, bool]]:
    """When is looked: hours since the fault could be seen, the day, as far as which hour, and with its outcomes or not.

    What is to be found within an hour is looked for every hour, from the first that has ``ENOUGH_ROWS`` on a clean day.
    """
    if case.within < WHOLE_DAY:
        busy = clean.days[first].busy_hours(ENOUGH_ROWS)
        yield from ((hour + 1 - busy[0], first, hour + 1, False) for hour in busy)
    for number, day in enumerate(day for day in sorted(days) if day >= first):
        yield (number + 1) * WHOLE_DAY, day, WHOLE_DAY, False
        yield (number + 1) * WHOLE_DAY + LANDED, day, WHOLE_DAY, True


def sees_parity(world: World, case: Case, *, start: date) -> bool:
    """Whether the product's parity check finds a served score that does not come out once more."""
    if case.fault.stage != "answers":
        return False
    told = replace(world, every_feature=True).log(first=start, last=start, fault=case.fault)
    drawn = told.take(np.sort(np.random.default_rng(0).permutation(told.num_rows)[:SAMPLE]))
    found = compare(drawn.to_pylist(), use_case=USE_CASE, lake=Lake.connect(), connect=duckdb.connect)
    return bool(found.differences)


def play(folder: Path, *, starts: Sequence[date]) -> Played:
    """Every fault from every start, the clean half year, and NannyML on the same logs."""
    world = ground()
    figures = Figures(world=world)
    records, outcomes = log_of(world, folder / "logs", case=None, start=HALF_YEAR[0])
    days = days_of(figures.served(records, outcomes, fault=NOTHING, first=HALF_YEAR[0]), use_case=USE_CASE)
    watcher = Watcher(use_case=USE_CASE, version=world.version, held_out=figures.held_out, days=days)
    clean = Clean(watcher=watcher)
    trials = [
        _trial(case, start, figures=figures, clean=clean, folder=folder / "logs") for start in starts for case in CASES
    ]
    opened = clean.opened()
    told = _nannyml(world, folder, starts=starts, records=records, outcomes=outcomes)
    if told is None:
        return Played(trials=trials, opened=opened)
    alerts, expected = told
    return Played(
        trials=[_beside(trial, alerts) for trial in trials],
        opened=opened,
        nannyml_a_month=peer.opened_a_month(alerts),
        estimates=compare_estimates(records, outcomes, theirs=expected),
    )


def _trial(case: Case, start: date, *, figures: Figures, clean: Clean, folder: Path) -> Trial:
    logs = log_of(figures.world, folder, case=case, start=start)
    served = figures.served(*logs, fault=case.fault, first=start)
    faulty = clean.watcher.with_days(days_of(served, use_case=USE_CASE))
    hours, cause, what = watch_fault(faulty, case, start=start, clean=clean)
    print(f"{start} {case.fault.name}: {hours} hours, {cause}: {what}", flush=True)
    return Trial(
        fault=case.fault.name,
        kind=case.kind,
        start=start.isoformat(),
        within=case.within,
        hours=hours,
        cause=cause,
        what=what,
        parity=start == STARTS[0] and sees_parity(figures.world, case, start=start),
        nannyml=None,
    )


def _beside(trial: Trial, alerts: peer.Alerts) -> Trial:
    """With what NannyML made of the same log."""
    case = next(each for each in CASES if each.fault.name == trial.fault)
    return replace(trial, nannyml=peer.found_after(alerts, case, start=date.fromisoformat(trial.start)))


def _nannyml(
    world: World, folder: Path, *, starts: Sequence[date], records: pa.Table, outcomes: pa.Table
) -> tuple[peer.Alerts, Mapping[str, float]] | None:
    """What NannyML says of the same logs, and the area it expects on clean days; None where it cannot be installed."""
    alerts, expected = folder / "nannyml.json", folder / "nannyml-estimates.json"
    kept = peer.read(alerts.read_text()) if alerts.exists() and expected.exists() else {}
    if {each.isoformat() for each in starts} <= set(kept):
        return kept, json.loads(expected.read_text())
    python = peer.peer_python(PROJECT / "data" / "benchmark-peers" / "nannyml")
    if python is None:
        print("NannyML needs Python 3.12, and there is no python3.12: no comparison.")
        return None
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        peer.write_clean(place, starts=starts, records=records, outcomes=outcomes)
        for start in starts:
            for case in (each for each in CASES if each.fault.stage != "service"):
                logs = log_of(world, folder / "logs", case=case, start=start)
                peer.write_fault(place, case, start=start, logs=logs)
        alerts.write_text(peer.ask(python, place))
        expected.write_text(peer.ask(python, place, "--estimates"))
    return peer.read(alerts.read_text()), json.loads(expected.read_text())


def compare_estimates(records: pa.Table, outcomes: pa.Table, *, theirs: Mapping[str, float]) -> Estimates:
    """The area that the scores of a day led to expect, by our estimate and by NannyML's, beside the realised one."""
    with duckdb.connect() as connection:
        connection.register("records", records.select(["example_id", "event_time", "score", "predicted_positive"]))
        connection.register("outcomes", outcomes.select(["id", "label"]))
        rows = connection.sql(
            "SELECT strftime(event_time, '%Y-%m-%d') AS day, score, predicted_positive::DOUBLE AS decided, label "
            "FROM records LEFT JOIN outcomes ON id = example_id"
        ).to_arrow_table()
    found = []
    for day, theirs_of_day in theirs.items():
        of_day = rows.filter(pc.equal(rows["day"], day))
        told = estimate_binary(of_day["score"].to_numpy(), decided=of_day["decided"].to_numpy())
        known = of_day.filter(pc.is_valid(of_day["label"]))
        report = evaluate(known["label"].to_numpy(), known["score"].to_numpy(), slice_columns=known, slices=())
        realised = report.overall.metrics["roc_auc_score"].value
        ours = next(each.value for each in told if each.metric == "roc_auc_score")
        if realised is not None:
            found.append((ours, theirs_of_day, realised))
    ours, peers, realised = np.array(found).T
    return Estimates(
        days=len(found),
        apart=float(np.mean(np.abs(ours - peers))),
        error=float(np.sqrt(np.mean(np.square(ours - realised)))),
        nannyml_error=float(np.sqrt(np.mean(np.square(peers - realised)))),
    )


def findable(trials: Sequence[Trial]) -> list[Trial]:
    """Without what no figure of answers can show."""
    return [trial for trial in trials if trial.fault not in BEYOND]


def share(trials: Sequence[Trial], *, of: Callable[[Trial], bool]) -> float:
    """The share of trials for which something holds."""
    return sum(map(of, trials)) / max(len(trials), 1)


def goals(played: Played) -> list[tuple[str, str, bool]]:
    """Each goal with what came out, and whether it is met."""
    mine, nannyml_a_month = findable(played.trials), played.nannyml_a_month
    both = [trial for trial in mine if trial.nannyml_reads]
    told = [
        (
            f"{GOALS['found']:.0%} of findable faults found",
            share(mine, of=lambda each: each.hours is not None),
        ),
        *(
            (
                f"{kind}: found within {limit}",
                share([each for each in mine if each.kind == kind], of=attrgetter("in_time")),
            )
            for kind, limit in LIMITS.items()
        ),
    ]
    rows = [(what, f"{value:.0%}", value >= GOALS["found"]) for what, value in told]
    a_month = played.a_month
    limit = GOALS["false_alerts_a_month"]
    rows.append((f"at most {limit:g} false alert a month", f"{a_month:.2f}", a_month <= limit))
    if nannyml_a_month is not None:
        ours, theirs = (share(both, of=each) for each in (attrgetter("in_time"), attrgetter("nannyml_in_time")))
        rows.append(("more found in time than by NannyML", f"{ours:.0%} against {theirs:.0%}", ours > theirs))
        rows.append(
            (
                "fewer false alerts than NannyML",
                f"{a_month:.2f} against {nannyml_a_month:.1f}",
                a_month < nannyml_a_month,
            )
        )
    return rows


def table(trials: Sequence[Trial]) -> str:
    """By fault: how many were found in time and at all, and after how many hours; beside NannyML."""
    names = f"{'in time':>8} {'found':>6} {'hours':>6} {'at most':>8} {'parity':>7} {'NannyML':>8}"
    lines = [f"{'fault':<44} {'kind':<8} {names}"]
    for name in dict.fromkeys(trial.fault for trial in trials):
        mine = [trial for trial in trials if trial.fault == name]
        hours = sorted(trial.hours for trial in mine if trial.hours is not None)
        theirs = [trial.nannyml_in_time for trial in mine]
        beyond = " beyond figures" if name in BEYOND else ""
        lines.append(
            f"{name[:44]:<44} {mine[0].kind:<8} {sum(each.in_time for each in mine):>5}/{len(mine)} {len(hours):>6} "
            f"{statistics.median(hours) if hours else '-':>6} {max(hours) if hours else '-':>8} "
            f"{'sees' if any(each.parity for each in mine) else '':>7} "
            f"{f'{sum(theirs)}/{len(mine)}' if mine[0].nannyml_reads else 'no log':>8}{beyond}"
        )
    return "\n".join(lines)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="Three starts; writes nothing.")
    arguments.add_argument("--data", type=Path, help="Keeps deployment and logs in that folder, and goes on with them.")
    given = arguments.parse_args()
    starts = STARTS[::4] if given.quick else STARTS
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as directory:
        folder = given.data or Path(directory)
        os.environ["MLOPS_DATA_DIR"] = str(folder)
        played = play(folder, starts=starts)
    print(f"\n{table(played.trials)}\n")
    rows = goals(played)
    for what, value, met in rows:
        print(f"{'met' if met else 'MISSED':<7} {what}: {value}")
    if played.estimates:
        print(f"the area expected without outcomes, beside NannyML's: {asdict(played.estimates)}")
    for name, why in BEYOND.items():
        print(f"beyond figures of answers: {name}: {why}")
    if not given.quick:
        told = {
            "goals": [{"goal": what, "value": value, "met": met} for what, value, met in rows],
            "opened_on_clean": played.opened,
            "nannyml_false_alerts_a_month": played.nannyml_a_month,
            "estimates": asdict(played.estimates) if played.estimates else None,
            "beyond": BEYOND,
            "trials": [asdict(trial) for trial in played.trials],
        }
        RESULTS.write_text(json.dumps(told, indent=1) + "\n")
    return int(not all(met for _, _, met in rows))


if __name__ == "__main__":
    sys.exit(main())

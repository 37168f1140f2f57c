"""What history is worth to flights: the same recipe with and without its history features, over several test windows.

    python benchmarks/history_worth.py [--quick]

Another seed alone moves the ROC AUC of one model by about 0.008, as much as what is asked here. So in each of five
windows both sides are the mean of four models that differ in their seed, and are compared on the same flights by the
tests of the gates: paired DeLong and paired Poisson bootstrap, clustered by day. The windows are the last 28 days of
five months; each learns from what was known before. Ends with 1 unless the log loss over all windows together is
better with history beyond chance. Writes the table of ``docs/features.md`` and
``benchmarks/results/history_worth.json``; ``--quick`` takes one window and one seed, and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

from mlops_assets.contract.use_case import UseCase  # noqa: E402
from mlops_assets.judge.judgement import Candidate  # noqa: E402
from mlops_assets.judge.significance import Difference, compare  # noqa: E402
from mlops_assets.training.fit import clusters_of, fit, labels_of, split_view  # noqa: E402
from mlops_assets.use_cases.flights import USE_CASE  # noqa: E402
from mlops_assets_tests.documented import DOCS, markdown_table, write_section  # noqa: E402
from mlops_assets_tests.use_cases.flights.seed_tables import seed_tables  # noqa: E402
from mlops_assets_tests.use_cases.flights.seed_view import seed_view  # noqa: E402

ENDS = tuple(date(2013, month, 1) - timedelta(days=1) for month in (7, 8, 9, 10, 12))
SEEDS = (2013, 1, 2, 3)
METRICS = ("roc_auc_score", "log_loss")
HISTORY = {name for view in USE_CASE.history for name, _, _ in view.columns()}
WITHOUT = replace(USE_CASE, features=tuple(each for each in USE_CASE.features if each.name not in HISTORY))


@dataclass(frozen=True, kw_only=True)
class Window:
    """One test window: its flights' labels and days, and the mean score of each side's models."""

    title: str
    labels: NDArray[np.float64]
    days: NDArray[np.int64]
    with_history: NDArray[np.float64]
    without: NDArray[np.float64]

    def differences(self) -> dict[str, Difference]:
        """What history gains, by metric."""
        found = compare(
            self.labels,
            self.with_history,
            champion=self.without,
            opponent="without history",
            slice_columns=pa.table({"label": self.labels}),
            slices=(),
            clusters=self.days,
        )
        return {each.metric: each for each in found.differences if each.metric in METRICS}


def window(view: pa.Table, *, end: date, seeds: tuple[int, ...], progress: Progress) -> Window:
    """Both sides, trained on what was known before the last 28 days up to ``end`` and asked about those."""
    after = pa.scalar(datetime.combine(end + timedelta(days=1), datetime.min.time()), view["event_time"].type)
    known = view.filter(pc.less(view["event_time"], after))
    tested = known.take(split_view(known, use_case=USE_CASE).test.rows)
    task = progress.add_task(f"through {end}", total=2 * len(seeds))

    def mean_score(use_case: UseCase) -> NDArray[np.float64]:
        scores = []
        for seed in seeds:
            seeded = replace(use_case, recipe=replace(use_case.recipe, seed=seed))
            model = Candidate.of(fit(known, use_case=seeded), version=str(seed), threads=seeded.recipe.threads)
            scores.append(model.scorer.scores(tested))
            progress.advance(task)
        return np.mean(scores, axis=0)

    return Window(
        title=f"{end - timedelta(days=27)} to {end}",
        labels=labels_of(tested),
        days=clusters_of(tested, use_case=USE_CASE),
        with_history=mean_score(USE_CASE),
        without=mean_score(WITHOUT),
    )


def together(windows: list[Window]) -> Window:
    """All windows as one."""
    joined = {
        name: np.concatenate([getattr(each, name) for each in windows])
        for name in ("labels", "days", "with_history", "without")
    }
    return Window(title="all together", **joined)


def table(rows: dict[str, dict[str, Difference]]) -> str:
    """A row per window: both figures and what history gains, with its interval."""
    header = ["test window", "flights", "ROC AUC without", "with", "gain", "log loss without", "with", "gain"]
    return markdown_table(
        header,
        [
            [title, f"{told[METRICS[0]].rows:,}", *(cell for metric in METRICS for cell in _cells(told[metric]))]
            for title, told in rows.items()
        ],
    )


def _cells(told: Difference) -> list[str]:
    return [
        f"{told.champion:.4f}",
        f"{told.challenger:.4f}",
        f"{told.gain:+.4f} ({told.lower:+.4f} to {told.upper:+.4f})",
    ]


def main() -> int:
    """Train, compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one window and one seed; writes nothing")
    quick = parser.parse_args().quick
    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    ends, seeds = (ENDS[:1], SEEDS[:1]) if quick else (ENDS, SEEDS)
    with seed_tables(first=date(2013, 1, 1), last=USE_CASE.batches.last) as connection:
        view = seed_view(connection)
    with Progress(console=Console(stderr=True)) as progress:
        windows = [window(view, end=end, seeds=seeds, progress=progress) for end in ends]
    rows = {each.title: each.differences() for each in [*windows, *([together(windows)] if len(windows) > 1 else [])]}
    print(f"{machine}\n\n{table(rows)}\n")
    overall = list(rows.values())[-1]["log_loss"]
    helps = overall.lower is not None and overall.lower > 0
    print("History helps." if helps else "MISSED: that history helps is not shown.")
    if not quick:
        write_section(DOCS / "features.md", "history", text=table(rows))
        told = {title: {name: asdict(each) for name, each in found.items()} for title, found in rows.items()}
        target = PROJECT / "benchmarks" / "results" / "history_worth.json"
        target.write_text(json.dumps({"machine": machine, "seeds": seeds, "windows": told}, indent=1) + "\n")
    return int(not helps)


if __name__ == "__main__":
    sys.exit(main())

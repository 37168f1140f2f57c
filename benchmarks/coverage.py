"""How often 95 % intervals hold the truth: every metric of scores and decisions, on many kinds of slices.

    python benchmarks/coverage.py [--quick]

Slices are drawn from models of which everything is known and judged by the product's own report. The goal is 93 to 97
of 100 wherever a figure is told, not beyond it by more than three standard errors of so many slices. Writes
``benchmarks/results/coverage.json`` and the table in docs/evaluation.md; ends with 1 if the goal is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

from mlops_assets_tests.documented import DOCS, markdown_table, write_section  # noqa: E402
from mlops_assets_tests.judge.simulated_slices import Kind, held, judged  # noqa: E402

LOWEST, HIGHEST = 93.0, 97.0
FEWEST = 1000  # slices that tell a figure; of fewer the share that holds is known too badly
SMALL = [
    Kind(rows=rows, centre=centre, skill=skill, bias=bias)
    for rows in (50, 80, 160, 250)
    for centre in (-2.0, 0.0)
    for skill in (0.5, 2.0)
    for bias in (0.0, -1.0)
]
RARE = [
    Kind(rows=rows, centre=centre, skill=skill, bias=bias)
    for rows, centre in ((400, -3.0), (1600, -5.0))
    for skill in (1.0, 2.0)
    for bias in (0.0, 0.5)
]
WRONG = [
    *(Kind(rows=rows, bias=bias) for rows in (200, 600) for bias in (0.2, 1.0)),
    Kind(rows=600, top=0.5),
    *(Kind(rows=rows, oversure=0.3) for rows in (250, 1000)),
    *(Kind(rows=rows, bias=bias) for rows, bias in ((1000, -2.5), (2000, -3.5))),
]
UNEQUAL = [
    Kind(rows=rows, unequal=unequal, bias=bias) for rows in (160, 600) for unequal in (0.7, 1.0) for bias in (0.0, -1.0)
]
DAYS = [
    *(Kind(rows=rows, days=days, bias=bias) for rows, days in ((300, 10), (400, 12)) for bias in (0.0, 0.3)),
    *(Kind(rows=600, days=28, shared=shared, bias=bias) for shared in (0.0, 0.5) for bias in (0.0, -2.0)),
]
HARDLY_ORDERED = [
    Kind(rows=rows, centre=centre, skill=skill)
    for rows, centre, skill in (
        *((800, -4.0, skill) for skill in (0.3, 0.9)),
        (7000, -3.5, 0.3),
    )
]
"""Rare outcomes: told where they are ordered, or of as many rows as would hold 200 of them."""
FAMILIES = {
    "small slices": SMALL,
    "rare outcomes": RARE,
    "wrong models": WRONG,
    "unequal weights": UNEQUAL,
    "rows that depend by day": DAYS,
    "rare outcomes, hardly ordered": HARDLY_ORDERED,
}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Of 100 intervals of one metric on one kind of slices, how many ``hold`` the truth; its standard ``error``."""

    family: str
    kind: str
    metric: str
    slices: int
    hold: float
    error: float

    @property
    def missed(self) -> bool:
        return self.hold - 3 * self.error > HIGHEST or self.hold + 3 * self.error < LOWEST


def cells_of(kind: Kind, *, family: str, rows: int) -> list[Cell]:
    """One cell per metric that enough of the slices tell, of about so many ``rows`` in all."""
    (found,) = held(kind, slices=max(min(6000, rows // kind.rows), FEWEST), seed=2013)
    return [
        Cell(
            family=family,
            kind=str(kind),
            metric=metric,
            slices=len(each),
            hold=100 * float(each.mean()),
            error=100 * float((each.mean() * (1 - each.mean()) / len(each)) ** 0.5),
        )
        for metric, each in judged(found, kind=kind, fewest=FEWEST).items()
    ]


def run(kinds: Iterable[tuple[str, Kind]], *, rows: int) -> list[Cell]:
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        waiting = [pool.submit(partial(cells_of, kind, family=family, rows=rows)) for family, kind in kinds]
        cells = []
        for number, each in enumerate(waiting, start=1):
            cells += each.result()
            print(f"\r{number} of {len(waiting)} kinds of slices", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return cells


def table(cells: list[Cell]) -> str:
    """Per family and metric: on how many kinds it was told, and how many of 100 intervals held the truth."""
    rows = []
    for family, metric in dict.fromkeys((cell.family, cell.metric) for cell in cells):
        hold = [cell.hold for cell in cells if (cell.family, cell.metric) == (family, metric)]
        figures = [f"{each:.1f}" for each in (min(hold), statistics.median(hold), max(hold))]
        rows.append([family, f"`{metric}`", str(len(hold)), *figures])
    return markdown_table(["slices", "figure", "kinds", "lowest", "median", "highest"], rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="every sixth kind, and write nothing")
    arguments = parser.parse_args()
    machine = {"system": platform.platform(), "python": platform.python_version(), "cpus": os.cpu_count()}
    print(*(f"{name}: {value}" for name, value in machine.items()), sep="\n")
    kinds = [(family, kind) for family, some in FAMILIES.items() for kind in some]
    cells = run(kinds[:: 6 if arguments.quick else 1], rows=300_000 if arguments.quick else 1_500_000)
    missed = [cell for cell in cells if cell.missed]
    print(f"\n{table(cells)}\n")
    print(*(f"MISSED: {cell.metric} of {cell.kind}: {cell.hold:.1f} of {cell.slices}" for cell in missed), sep="\n")
    slices = sum(cell.slices for cell in cells)
    print(f"{slices:,} intervals, {len(cells)} cells, {len(missed)} beyond {LOWEST:.0f} to {HIGHEST:.0f} of 100")
    if not arguments.quick:
        write_section(DOCS / "evaluation.md", "coverage", text=table(cells))
        result = {"machine": machine, "cells": [asdict(cell) for cell in cells]}
        target = PROJECT / "benchmarks" / "results" / "coverage.json"
        target.write_text(json.dumps(result, indent=2) + "\n")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())

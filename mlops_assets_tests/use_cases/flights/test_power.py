"""No check is called usual that could not have fired: how many can, what each would notice, and that each does.

    python -m mlops_assets_tests.use_cases.flights.test_power

makes the table of the documentation.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from mlops_assets.contract.drift import LEAST_EFFECTS
from mlops_assets.contract.slices import OVERALL
from mlops_assets.use_cases.flights.seed import land_seed
from mlops_assets.use_cases.flights.use_case import USE_CASE
from mlops_assets.watch.profiles.drift import compare
from mlops_assets.watch.profiles.profile import Profile, merge
from mlops_assets.watch.profiles.profiling import profile_batches, profiled_segments
from mlops_assets.watch.profiles.shift import DriftReport, Shift
from mlops_assets.watch.validation.batch_judgement import naming_columns
from mlops_assets.watch.validation.quarantine import validate
from mlops_assets_tests.documented import DOCS, markdown_table, section, write_section

PAGE = DOCS / "validation.md"
DAY = "2013-03-06"
"""Four weeks after the storm."""
FIRST = date.fromisoformat(DAY) - timedelta(days=56)
SOURCES = ("flights", "weather")
UNITS = {"wasserstein": "deviations", "segment_gap": "deviations"}


@dataclass(frozen=True, kw_only=True)
class Known:
    """One source until ``DAY``: its profiles, and the rows of the day."""

    profiles: dict[str, Profile]
    rows: pa.Table


@cache
def known(name: str) -> Known:
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        land_seed(Path(folder), first=FIRST, last=date.fromisoformat(DAY), sources=[name])
        files = {path.stem: path for path in sorted((Path(folder) / "flights" / name).iterdir())}
        reports = validate(files, source=USE_CASE.source(name), connection=connection)
        tables = {batch: report.valid for batch, report in reports.items()}
    return Known(profiles=profiled(name, tables), rows=tables[DAY])


def profiled(name: str, tables: dict[str, pa.Table]) -> dict[str, Profile]:
    source = USE_CASE.source(name)
    with duckdb.connect() as connection:
        return profile_batches(
            tables,
            columns=source.columns.names,
            slices=profiled_segments(USE_CASE.slices, columns=source.columns.names),
            derived=source.derived,
            connection=connection,
        )


@cache
def judged(name: str) -> DriftReport:
    return judge(name, known(name).profiles[DAY], every_scope=True)


def judge(name: str, profile: Profile, *, every_scope: bool = False) -> DriftReport:
    source = USE_CASE.source(name)
    profiles = {**known(name).profiles, DAY: profile}
    batches = [DAY] if not every_scope else [day for day in sorted(profiles) if day > str(FIRST + timedelta(days=28))]
    return compare(
        profiles,
        batches=batches,
        plan=source.drift,
        ignored=naming_columns(source, use_case=USE_CASE),
        every_scope=every_scope,
    )[DAY]


def usual(name: str) -> list[Shift]:
    return [shift for shift in judged(name).shifts if shift.verdict == "normal"]


@pytest.mark.parametrize("name", SOURCES)
def test_a_cell_that_is_usual_has_a_bound_below_what_can_be_reached(name: str) -> None:
    cells = usual(name)
    assert len(cells) > 30
    out_of_reach = [(cell.scope, cell.column, cell.measure) for cell in cells if not (cell.bound or 0) < cell.reach]  # type: ignore[operator]
    assert out_of_reach == []


@pytest.mark.parametrize("name", SOURCES)
def test_what_the_past_is_too_wild_to_judge_says_so(name: str) -> None:
    blind = [shift for shift in judged(name).shifts if shift.verdict == "cannot be judged"]
    assert len(blind) == judged(name).blind
    assert all("no batch can reach" in shift.why for shift in blind)


def columns() -> Iterator[tuple[str, str]]:
    """Every column that a source itself has and that is compared."""
    for name in SOURCES:
        source = USE_CASE.source(name)
        ignored = {*naming_columns(source, use_case=USE_CASE), "time_hour"}
        yield from ((name, column.name) for column in source.columns.columns if column.name not in ignored)


@pytest.mark.parametrize(("name", "column"), list(columns()))
def test_a_column_that_is_missing_in_all_rows_or_has_one_odd_value_alone_is_found(name: str, column: str) -> None:
    rows = known(name).rows
    at, kind = rows.column_names.index(column), rows.schema.field(column).type
    past = [profile for day, profile in known(name).profiles.items() if day != DAY]
    before = merge(past).column(column)
    rarest = int(np.argmin(before.counts))
    odd = pa.scalar(before.values[rarest] if before.values else before.lows[rarest]).cast(kind, safe=False).as_py()
    usually_missing = any(profile.column(column).missing_share == 1.0 for profile in past)  # no gusts on a calm day
    for value in (odd, *(() if usually_missing else (None,))):
        changed = rows.set_column(at, column, pa.array([value] * rows.num_rows, kind))
        report = judge(name, profiled(name, {DAY: changed})[DAY])
        assert column in report.moved_columns, f"{column} is {value} in all rows"


def table() -> str:
    """By source and check: how many cells are judged, how many cannot be, and the smallest change each would notice."""
    lines = []
    for name in SOURCES:
        for measure in LEAST_EFFECTS:
            cells = [shift for shift in judged(name).shifts if shift.measure == measure]
            changes = sorted(cell.smallest_change for cell in cells if cell.smallest_change is not None)
            blind = sum(cell.verdict == "cannot be judged" for cell in cells)
            few = sum(cell.verdict == "insufficient data" for cell in cells)
            if cells:
                told = [_change(float(np.quantile(changes, share)), measure) if changes else "" for share in (0.5, 0.9)]
                lines.append([name, f"`{measure}`", *(f"{n:,}" for n in (len(changes), blind, few)), *told])
    head = ["source", "check", "can fire", "cannot be judged", "too few rows", "half notice", "nine of ten notice"]
    return markdown_table(head, lines)


def _change(change: float, measure: str) -> str:
    return f"{change:.2f} deviations" if measure in UNITS else f"{change:.1%} of the rows"


def test_documentation_has_the_table() -> None:
    assert section(PAGE, "power") == table(), f"Renew it: python -m {__spec__.name}"


def test_whole_batches_are_among_the_cells() -> None:
    assert {shift.scope for name in SOURCES for shift in judged(name).shifts} > {OVERALL}


if __name__ == "__main__":
    write_section(PAGE, "power", text=table())

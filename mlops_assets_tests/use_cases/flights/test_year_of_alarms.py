"""All of 2013 by default settings: the alarms of distributions and sizes are those judged, and few are false."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
import pytest

from mlops_assets.contract.checks import CheckResult
from mlops_assets.use_cases.flights.seed import land_seed
from mlops_assets.use_cases.flights.use_case import USE_CASE
from mlops_assets.watch.profiles.drift import compare
from mlops_assets.watch.profiles.profiling import profile_batches, profiled_segments
from mlops_assets.watch.validation.batch_judgement import naming_columns
from mlops_assets.watch.validation.batch_sizes import EarlierFile, judge_file_size, judge_row_count
from mlops_assets.watch.validation.quarantine import validate
from mlops_assets.watch.validation.shift_anomalies import judge_shifts
from mlops_assets_tests.documented import DOCS, markdown_table, section, write_section
from mlops_assets_tests.use_cases.flights.judged_alarms import (
    CANCELLED,
    FALSE,
    FALSE_SIZES,
    GOING_ON,
    REAL,
    REAL_SIZES,
    false_by_month,
)

PAGE = DOCS / "validation.md"
MOST_USUAL, MUCH_MORE = 0.02, 3.0
"""Fewer flights are cancelled on most days; on one called so, this many times as many as usual, or of an airline."""


def size_alarms(folder: Path) -> dict[tuple[str, str], str]:
    """What is unusual of every batch of the year with an alarm of its size, by source and month-day."""
    land_seed(folder, first=date(2013, 1, 1), last=date(2013, 12, 31), sources=["flights", "weather"])
    found: dict[tuple[str, str], list[str]] = {}
    for name in ("flights", "weather"):
        source = USE_CASE.source(name)
        paths = sorted((folder / "flights" / name).iterdir())
        rows = {path.stem: path.read_bytes().count(b"\n") - 1 for path in paths}
        files = {
            path.stem: EarlierFile(size=path.stat().st_size, count_rows=partial(rows.__getitem__, path.stem))
            for path in paths
        }
        for batch, file in files.items():
            checks = {
                "rows": judge_row_count(rows[batch], batch=batch, past=rows, refused_times=source.refused_times),
                "bytes": judge_file_size(
                    file.size, rows=rows[batch], batch=batch, past=files, refused_times=source.refused_times
                ),
            }
            for unit, check in checks.items():
                assert not check.blocks, f"A clean batch is refused: {check}"
                if not check.passed:
                    found.setdefault((name, batch[5:]), []).append(unit)
    return {key: ", ".join(units) for key, units in found.items()}


def cancelled_shares(folder: Path) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """By month-day, the share of flights that never departed: of all, and the largest of an airline with 40 flights."""
    files = str(folder / "flights" / "flights" / "*.csv")
    query = """
        WITH flown AS (
            SELECT printf('%02d-%02d', month, day) AS month_day, carrier, (dep_time = 'NA')::INT AS cancelled
            FROM read_csv(?, types = {'dep_time': 'VARCHAR'})
        ),
        by_airline AS (
            SELECT month_day, sum(cancelled) AS cancelled, count(*) AS flights FROM flown GROUP BY month_day, carrier
        )
        SELECT month_day, sum(cancelled) / sum(flights), max(cancelled / flights) FILTER (flights >= 40)
        FROM by_airline GROUP BY month_day
    """
    with duckdb.connect() as connection:
        rows = connection.execute(query, [files]).fetchall()
    return {day: overall for day, overall, _ in rows}, {day: worst for day, _, worst in rows}


def judged_checks(name: str, *, folder: Path) -> dict[str, CheckResult]:
    """By month-day, the verdict on the distributions of every batch in which something moved; nobody accepts any."""
    source = USE_CASE.source(name)
    files = {path.stem: path for path in sorted((folder / "flights" / name).iterdir())}
    with duckdb.connect() as connection:
        reports = validate(files, source=source, connection=connection)
        profiles = profile_batches(
            {batch: report.valid for batch, report in reports.items()},
            columns=source.columns.names,
            slices=profiled_segments(USE_CASE.slices, columns=source.columns.names),
            derived=source.derived,
            connection=connection,
        )
    drift = compare(
        profiles, batches=list(profiles), plan=source.drift, ignored=naming_columns(source, use_case=USE_CASE)
    )
    return {
        batch[5:]: judge_shifts(report, profile=profiles[batch], profiles=profiles, refused=source.drift.refused)
        for batch, report in drift.items()
        if report.moved
    }


@pytest.mark.slow
def test_alarms_of_the_year_are_those_judged_and_what_stays_is_told_once(tmp_path: Path) -> None:
    land_seed(tmp_path, first=date(2013, 1, 1), last=date(2013, 12, 31), sources=["flights", "weather"])
    checks = {name: judged_checks(name, folder=tmp_path) for name in ("flights", "weather")}
    assert not [check.reasons for of in checks.values() for check in of.values() if check.blocks], (
        "no day is so far off"
    )
    alarms = {(name, day) for name, of in checks.items() for day, check in of.items() if not check.passed}
    assert alarms == {*REAL, *FALSE}
    going_on = {name: tuple(day for day, check in of.items() if check.passed) for name, of in checks.items()}
    assert going_on == GOING_ON


def test_a_month_has_at_most_one_false_alarm() -> None:
    assert not {*REAL} & {*FALSE}
    assert max(false_by_month().values()) <= 1


def test_days_called_cancelled_have_many_times_the_usual_cancellations(tmp_path: Path) -> None:
    days = [day for (_, day), what in REAL.items() if what == CANCELLED]
    land_seed(tmp_path, first=date(2013, 1, 1), last=date(2013, 12, 31), sources=["flights"])
    overall, of_airline = cancelled_shares(tmp_path)
    usual = float(np.median(list(overall.values())))
    assert usual < MOST_USUAL
    assert [day for day in days if max(overall[day], of_airline[day]) < MUCH_MORE * usual] == []


def test_size_alarms_of_the_year_are_those_documented(tmp_path: Path) -> None:
    assert size_alarms(tmp_path) == {key: units for key, (units, _) in {**REAL_SIZES, **FALSE_SIZES}.items()}


def test_documentation_lists_the_alarms() -> None:
    assert section(PAGE, "alarms") == table(), f"Renew it: python -m {__spec__.name}"
    assert section(PAGE, "sizes") == size_table(), f"Renew it: python -m {__spec__.name}"
    assert section(PAGE, "months") == month_table(), f"Renew it: python -m {__spec__.name}"


def table() -> str:
    told = {
        **{key: ("real", what) for key, what in REAL.items()},
        **{key: ("false", what) for key, what in FALSE.items()},
    }
    rows = [[f"2013-{key[1]}", key[0], *told[key]] for key in sorted(told, key=lambda key: (key[1], key[0]))]
    return markdown_table(["day", "source", "alarm is", "what it is about"], rows)


def size_table() -> str:
    told = {
        **{key: ("real", *what) for key, what in REAL_SIZES.items()},
        **{key: ("false", *what) for key, what in FALSE_SIZES.items()},
    }
    rows = [[f"2013-{key[1]}", key[0], *told[key]] for key in sorted(told, key=lambda key: (key[1], key[0]))]
    return markdown_table(["day", "source", "alarm is", "unusual are", "what it is about"], rows)


def month_table() -> str:
    """How many alarms there are of flights and weather by month, and on how many days a level went on besides."""
    rows = []
    for month in (f"{number:02d}" for number in range(1, 13)):
        real = sum(day.startswith(month) for _, day in (*REAL, *REAL_SIZES))
        going_on = sum(day.startswith(month) for days in GOING_ON.values() for day in days)
        rows.append([f"2013-{month}", str(real), str(false_by_month()[month]), str(going_on)])
    return markdown_table(
        ["month", "real alarms", "false alarms", "days on which only what was told before goes on"], rows
    )


if __name__ == "__main__":
    write_section(PAGE, "months", text=month_table())
    write_section(PAGE, "sizes", text=size_table())
    write_section(PAGE, "alarms", text=table())

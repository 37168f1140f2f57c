"""All of 2013 by default settings: which alarms there are of distributions and sizes, what they are about, how few
are false.

What a day was about is read off the data (cancelled flights, weather, timetables that stay) and judged by a person.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from functools import partial
from pathlib import Path

import duckdb
import pytest

from mlops_assets.contract.source import Source
from mlops_assets.use_cases.flights.seed import land_seed
from mlops_assets.use_cases.flights.use_case import USE_CASE
from mlops_assets.watch.profiles.drift import compare
from mlops_assets.watch.profiles.profile import Profile
from mlops_assets.watch.profiles.profiling import profile_batches, profiled_segments
from mlops_assets.watch.profiles.shift import DriftReport
from mlops_assets.watch.validation.batch_judgement import naming_columns
from mlops_assets.watch.validation.batch_sizes import EarlierFile, judge_file_size, judge_row_count
from mlops_assets.watch.validation.quarantine import validate
from mlops_assets.watch.validation.shift_anomalies import judge_shifts
from mlops_assets_tests.documented import DOCS, markdown_table, section, write_section

PAGE = DOCS / "validation.md"
CANCELLED = "flights cancelled in bad weather: times, delays and tail numbers are missing"
CLOCK = "the clocks change: an hour less or more to UTC"
TIMETABLE = "a new timetable, which stays"
REAL = {
    ("weather", "01-16"): "rain and snow after two dry weeks",
    ("flights", "01-25"): CANCELLED,
    ("flights", "01-28"): CANCELLED,
    ("flights", "01-30"): CANCELLED,
    ("flights", "01-31"): CANCELLED,
    ("flights", "02-08"): "the February snowstorm: half of the flights are cancelled",
    ("flights", "02-09"): "the February snowstorm: no flights before nine",
    ("flights", "02-11"): "freezing rain: departures from JFK late all evening",
    ("flights", "03-06"): "three of five flights of 9E are cancelled",
    ("flights", "03-08"): "snow: late departures and arrivals of UA, DL and AA",
    ("flights", "03-10"): CLOCK,
    ("weather", "03-10"): CLOCK,
    ("flights", "04-02"): f"{TIMETABLE}: minutes of AA",
    ("flights", "04-10"): CANCELLED,
    ("flights", "04-12"): CANCELLED,
    ("flights", "04-16"): "every fifth flight of AA is cancelled",
    ("flights", "04-17"): "flights of AA and UA cancelled",
    ("flights", "04-18"): "flights of AA and UA cancelled",
    ("flights", "04-19"): CANCELLED,
    ("weather", "04-19"): "fog",
    ("flights", "04-22"): "flights of B6 cancelled",
    ("flights", "04-24"): "flights of B6 cancelled",
    ("weather", "05-08"): "heavy rain",
    ("flights", "05-11"): CANCELLED,
    ("weather", "05-19"): "fog",
    ("flights", "05-23"): CANCELLED,
    ("flights", "06-02"): CANCELLED,
    ("flights", "06-07"): "flights of B6 cancelled",
    ("weather", "06-07"): "heavy rain",
    ("flights", "06-12"): f"{TIMETABLE}: flight numbers of MQ",
    ("flights", "06-18"): CANCELLED,
    ("flights", "06-20"): f"{TIMETABLE}: flight numbers of B6",
    ("flights", "06-24"): CANCELLED,
    ("flights", "06-27"): CANCELLED,
    ("flights", "06-28"): CANCELLED,
    ("flights", "06-30"): CANCELLED,
    ("flights", "07-01"): CANCELLED,
    ("flights", "07-06"): "flights of UA without an arrival",
    ("flights", "07-08"): CANCELLED,
    ("flights", "07-22"): CANCELLED,
    ("flights", "07-23"): CANCELLED,
    ("weather", "07-25"): "a cold front: fifteen degrees colder than in the weeks before",
    ("flights", "08-28"): CANCELLED,
    ("flights", "09-02"): CANCELLED,
    ("flights", "09-03"): f"{TIMETABLE}: flight numbers of AA",
    ("flights", "09-12"): CANCELLED,
    ("flights", "09-19"): "flights of AA without an arrival",
    ("weather", "10-05"): "fog",
    ("weather", "10-06"): "fog",
    ("flights", "10-07"): "thunderstorms: late and cancelled flights",
    ("flights", "10-11"): CANCELLED,
    ("weather", "10-23"): "a cold front: fifteen degrees colder than in the weeks before",
    ("flights", "11-01"): CANCELLED,
    ("flights", "11-03"): CLOCK,
    ("weather", "11-03"): CLOCK,
    ("weather", "11-04"): "pressure higher than in all of the four weeks before",
    ("flights", "11-07"): "flights to LGA turned away: heavy rain",
    ("flights", "11-17"): CANCELLED,
    ("weather", "11-17"): "fog",
    ("flights", "11-18"): CANCELLED,
    ("flights", "11-24"): CANCELLED,
    ("weather", "11-26"): "heavy rain",
    ("flights", "11-27"): CANCELLED,
    ("weather", "11-27"): "heavy rain",
    ("flights", "11-28"): "Thanksgiving's timetable",
    ("weather", "12-03"): "fog",
    ("weather", "12-04"): "fog",
    ("flights", "12-05"): CANCELLED,
    ("weather", "12-05"): "fog",
    ("flights", "12-06"): CANCELLED,
    ("weather", "12-06"): "heavy rain",
    ("flights", "12-07"): CANCELLED,
    ("flights", "12-08"): CANCELLED,
    ("flights", "12-09"): CANCELLED,
    ("flights", "12-10"): CANCELLED,
    ("flights", "12-14"): CANCELLED,
    ("flights", "12-15"): CANCELLED,
    ("flights", "12-17"): CANCELLED,
    ("weather", "12-29"): "heavy rain",
}
FALSE = {
    ("flights", "03-18"): "few evening arrivals, one day in March",
    ("flights", "04-27"): "longer in the air from JFK, just over the bound",
    ("flights", "06-10"): "hours of 9E, just over the bound",
    ("weather", "07-12"): "wind from one side all day",
    ("flights", "10-19"): "longer in the air than usual, just over the bound",
}
ACCEPTED = {
    "flights": ("2013-03-10", "2013-04-02", "2013-06-12", "2013-06-20", "2013-09-03", "2013-11-03", "2013-11-04"),
    "weather": ("2013-03-10", "2013-11-03"),
}
"""The days that a person accepts as the new usual: the clock and the timetables that stay."""

_HOURS = "the last hours of the day were not observed"
REAL_SIZES = {
    ("flights", "05-26"): ("rows, bytes", "Memorial Day weekend"),
    ("flights", "07-04"): ("rows, bytes", "Independence Day"),
    ("flights", "07-05"): ("rows, bytes", "the day after Independence Day"),
    ("flights", "08-31"): ("rows, bytes", "Labor Day weekend"),
    ("flights", "09-01"): ("rows, bytes", "Labor Day weekend"),
    ("weather", "10-25"): ("rows", _HOURS),
    ("weather", "11-02"): ("rows, bytes", _HOURS),
    ("flights", "11-28"): ("rows, bytes", "Thanksgiving"),
    ("flights", "11-29"): ("rows, bytes", "the day after Thanksgiving"),
    ("flights", "11-30"): ("rows, bytes", "more flights than on other Saturdays: the way home after Thanksgiving"),
    ("flights", "12-21"): ("bytes", "more flights than on other Saturdays: the way home before Christmas"),
    ("flights", "12-24"): ("rows, bytes", "Christmas"),
    ("flights", "12-25"): ("rows, bytes", "Christmas"),
    ("flights", "12-28"): ("rows, bytes", "more flights than on other Saturdays: between Christmas and New Year"),
    ("weather", "12-30"): ("rows", _HOURS),
    ("flights", "12-31"): ("rows, bytes", "New Year's Eve"),
}
FALSE_SIZES = {("flights", "09-14"): ("rows", "Saturday after the summer, a single flight below the bound")}


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


def refused(judged: dict[str, DriftReport], *, profiles: dict[str, Profile], source: Source) -> list[str]:
    """The days that would not be published."""
    checks = [
        judge_shifts(report, profile=profiles[batch], profiles=profiles, refused=source.drift.refused)
        for batch, report in judged.items()
        if report.moved
    ]
    return [f"{check.batch}: {check.reasons}" for check in checks if check.blocks]


def alarms(folder: Path) -> set[tuple[str, str]]:
    """Source and month-day of every batch of the year with a distribution alarm."""
    land_seed(folder, first=date(2013, 1, 1), last=date(2013, 12, 31), sources=["flights", "weather"])
    found = set()
    for name in ("flights", "weather"):
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
        judged = compare(
            profiles,
            batches=list(profiles),
            plan=source.drift,
            ignored=naming_columns(source),
            accepted=ACCEPTED[name],
        )
        found |= {(name, batch[5:]) for batch, report in judged.items() if report.moved}
        assert not refused(judged, profiles=profiles, source=source), "no day of the year is so far off"
    return found


@pytest.mark.slow
def test_alarms_of_the_year_are_those_documented(tmp_path: Path) -> None:
    assert alarms(tmp_path) == {*REAL, *FALSE}


def test_a_month_has_at_most_one_false_alarm() -> None:
    assert not {*REAL} & {*FALSE}
    assert max(Counter(day[:2] for _, day in FALSE).values()) <= 1


def test_size_alarms_of_the_year_are_those_documented(tmp_path: Path) -> None:
    assert size_alarms(tmp_path) == {key: units for key, (units, _) in {**REAL_SIZES, **FALSE_SIZES}.items()}


def test_documentation_lists_the_alarms() -> None:
    assert section(PAGE, "alarms") == table(), f"Renew it: python -m {__spec__.name}"
    assert section(PAGE, "sizes") == size_table(), f"Renew it: python -m {__spec__.name}"


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


if __name__ == "__main__":
    write_section(PAGE, "sizes", text=size_table())
    write_section(PAGE, "alarms", text=table())

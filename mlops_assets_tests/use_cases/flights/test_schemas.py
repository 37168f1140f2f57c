"""The rules of flights hold for the data as published, and catch what corrupts it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pyarrow.compute as pc
import pytest

from mlops_assets.contract.source import Source
from mlops_assets.use_cases.flights.seed import land_seed
from mlops_assets.use_cases.flights.sources import AIRPORTS, FLIGHTS, SOURCES, WEATHER
from mlops_assets.watch.validation.data_audits import audit_raw
from mlops_assets.watch.validation.quarantine import BatchReport, validate

SEED = Path(__file__).parents[3] / "mlops_assets" / "use_cases" / "flights" / "seed_data"
DAY = "2013-03-01"


def landed(folder: Path, source: Source, *, first: date, last: date) -> dict[str, Path]:
    land_seed(folder, seed=SEED, first=first, last=last, sources={source.name})
    return {file.stem: file for file in sorted((folder / "flights" / source.name).iterdir())}


def validate_all(files: dict[str, Path], *, source: Source) -> dict[str, BatchReport]:
    with duckdb.connect() as connection:
        return validate(files, source=source, connection=connection)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_published_data_of_a_year_passes_with_few_rows_quarantined(tmp_path: Path, source: Source) -> None:
    files = landed(tmp_path, source, first=date(2013, 1, 1), last=date(2013, 12, 31))
    reports = validate_all(files, source=source)
    rules = Counter(
        (row["rule"], row["value"]) for report in reports.values() for row in report.quarantined.to_pylist()
    )
    assert [batch for batch, report in reports.items() if not report.passed] == []
    assert all(check.passed for batch, file in files.items() for check in audit_raw(file, source=source, batch=batch))
    assert (len(reports), sum(report.rows_read for report in reports.values())) == {
        "flights": (365, 336_776),
        "weather": (364, 26_115),
        "planes": (1, 3_322),
        "airlines": (1, 16),
        "airports": (1, 1_458),
    }[source.name]
    assert rules == {
        "flights": {("str_matches('^N[0-9A-Z]{2,5}$')", "D942DN"): 4},
        "weather": {("in_range(0, 150)", "1048.36058"): 1},
        "airports": {
            ("is_american", "112.457"): 1,
            ("is_american", "117.759"): 1,
            ("is_american", "42.898333"): 1,
            ("in_range(13, 71.5)", "72.270833"): 1,
        },
    }.get(source.name, {})


def test_repeated_hour_of_the_clock_change_is_two_hours(tmp_path: Path) -> None:
    change = date(2013, 11, 3)
    report = validate_all(landed(tmp_path, WEATHER, first=change, last=change), source=WEATHER)["2013-11-03"]
    hours = Counter(report.valid.filter(pc.equal(report.valid["origin"], "JFK"))["hour"].to_pylist())
    assert (report.rows_read, report.valid.num_rows) == (72, 72)
    assert hours[1] == 2


def corrupt(folder: Path, change: Callable[[list[list[str]]], list[list[str]]]) -> BatchReport:
    """One day of flights, its values changed."""
    file = landed(folder, FLIGHTS, first=date(2013, 3, 1), last=date(2013, 3, 1))[DAY]
    header, *lines = file.read_text(encoding="utf-8").splitlines()
    rows = change([line.split(",") for line in lines])
    file.write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n", encoding="utf-8")
    return validate_all({DAY: file}, source=FLIGHTS)[DAY]


def every(column: str, change: Callable[[str], str]) -> Callable[[list[list[str]]], list[list[str]]]:
    place = FLIGHTS.columns.names.index(column)

    def apply(rows: list[list[str]]) -> list[list[str]]:
        return [[*row[:place], change(row[place]), *row[place + 1 :]] for row in rows]

    return apply


def in_words(value: str) -> str:
    return value if value == "NA" else f"{value} min"


CORRUPTIONS: dict[str, tuple[Callable[[list[list[str]]], list[list[str]]], str, str]] = {
    "delays in words": (every("arr_delay", in_words), "quarantine_within_limit", "column_type of arr_delay"),
    "kilometres": (
        every("distance", lambda miles: str(round(int(miles) * 1.609))),
        "quarantine_within_limit",
        "speed_is_possible",
    ),
    "shifted delays": (
        every("dep_delay", lambda value: value if value == "NA" else str(int(value) + 60)),
        "quarantine_within_limit",
        "departure_times_agree",
    ),
    "shifted clock": (
        every("time_hour", lambda value: value.replace("T1", "T0")),
        "quarantine_within_limit",
        "time_hour_is_utc",
    ),
    "lower case": (every("carrier", str.lower), "quarantine_within_limit", "str_matches"),
    "renamed airport": (
        every("origin", lambda value: {"EWR": "NYC"}.get(value, value)),
        "quarantine_within_limit",
        "isin",
    ),
    "impossible hour": (every("hour", lambda _: "25"), "quarantine_within_limit", "in_range(0, 23) of hour"),
    "constant for missing": (every("tailnum", lambda _: "unknown"), "quarantine_within_limit", "of tailnum"),
    "another day": (every("day", lambda _: "2"), "rows_belong_to_batch", "958 of 958 rows"),
    "every row twice": (
        lambda rows: rows + rows,
        "quarantine_within_limit",
        "958 × repeated_row of year, month, day",
    ),
    "delays lost": (
        every("arr_delay", lambda _: "NA"),
        "quarantine_within_limit",
        "arrival_follows_departure",
    ),
}


@pytest.mark.parametrize(("change", "check", "rule"), CORRUPTIONS.values(), ids=CORRUPTIONS)
def test_corrupted_day_is_refused_with_the_rule_that_found_it(
    tmp_path: Path, change: Callable[[list[list[str]]], list[list[str]]], check: str, rule: str
) -> None:
    report = corrupt(tmp_path, change)
    reasons = {result.name: " ".join(result.reasons) for result in report.checks if result.blocks}
    assert rule in reasons[check]


def test_one_wrong_row_costs_only_itself(tmp_path: Path) -> None:
    report = corrupt(tmp_path, lambda rows: [["2013", "3", "1", "2575", *rows[0][4:]], *rows[1:]])
    assert report.passed
    assert report.valid["source_row"].to_pylist() == list(range(2, 959))
    assert {row["source_row"] for row in report.quarantined.to_pylist()} == {1}


def test_airports_with_a_lost_sign_are_told_by_name(tmp_path: Path) -> None:
    files = landed(tmp_path, AIRPORTS, first=date(2013, 1, 1), last=date(2013, 1, 1))
    held = validate_all(files, source=AIRPORTS)["all"].quarantined.to_pylist()
    assert {row["line"].split('"')[3] for row in held} == {"DVT", "EEN", "MYF"}


@pytest.mark.parametrize("zone", ["America/Chicgo", "Foo/Bar"])
def test_airport_with_an_unknown_time_zone_is_set_aside(tmp_path: Path, zone: str) -> None:
    file = next(iter(landed(tmp_path, AIRPORTS, first=date(2013, 1, 1), last=date(2013, 1, 1)).values()))
    whole = file.read_text()
    line = next(line for line in whole.splitlines() if line.startswith("ORD,"))
    file.write_text(whole.replace(line, line.replace("America/Chicago", zone)))
    report = validate_all({"all": file}, source=AIRPORTS)["all"]
    assert report.passed
    (row,) = [row for row in report.quarantined.to_pylist() if row["value"] == zone]
    assert (row["rule"], row["column"]) == ("is_time_zone", "tzone")
    assert row["reason"] == f"tzone is '{zone}': must be a time zone that the IANA database knows."

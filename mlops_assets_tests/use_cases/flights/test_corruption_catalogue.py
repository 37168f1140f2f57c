"""Every corruption of a real day is found as what it is, in its column, and explained. The docs' table is made here."""

from __future__ import annotations

import csv
import hashlib
import io
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, partial
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from mlops_assets.contract.anomalies import Anomaly, Code
from mlops_assets.contract.severity import Severity
from mlops_assets.contract.source import Cadence
from mlops_assets.lake.tables import parquet_bytes
from mlops_assets.use_cases.flights.seed import land_seed
from mlops_assets.use_cases.flights.use_case import USE_CASE
from mlops_assets.watch.profiles.profile import Profile
from mlops_assets.watch.profiles.profiling import profile_batches, profiled_segments
from mlops_assets.watch.validation.batch_judgement import Surroundings, judge_batches
from mlops_assets.watch.validation.batch_sizes import EarlierFile
from mlops_assets.watch.validation.data_audits import judge_content
from mlops_assets.watch.validation.quarantine import validate
from mlops_assets_tests.documented import DOCS, markdown_table, section, write_section
from mlops_assets_tests.use_cases.flights.corruptions import CATALOGUE, HARMLESS, Change, Corruption, Day

pytestmark = pytest.mark.slow

PAGE = DOCS / "validation.md"
DAY = date(2013, 5, 15)
PAST_DAYS = 56
OTHERWISE_TESTED = {
    Code.FILE_TOO_LARGE,
    Code.TABLE_RULE_BROKEN,
    Code.NOT_AS_VALIDATED,
    Code.NOT_JUDGED,
    Code.KNOWN_KEY,
    Code.WRONG_ENCODING,
    Code.WRONG_COLUMN_TYPE,
}
"""No small file of flights can bring these about: its rules never fail, none is about whole tables, its keys are those
of a day, it is CSV in UTF-8, and writes are audited elsewhere."""
ONE_FINDING = (
    "the header again in the middle",
    "a row of totals at the end",
    "wind direction in radians, not rounded",
)


@dataclass(frozen=True, kw_only=True)
class Past:
    """What the lake would know on the morning of the day."""

    days: dict[str, Day]
    surroundings: dict[str, Surroundings]
    checksums: dict[str, dict[str, str]]


@cache
def connection() -> duckdb.DuckDBPyConnection:
    """One for the module: beginning another costs as much as a check; a day is too small for two threads."""
    return duckdb.connect(config={"threads": 1})


@cache
def past() -> Past:
    """Eight weeks of real flights and weather before the day, made once for the module."""
    with tempfile.TemporaryDirectory() as folder:
        land_seed(
            Path(folder),
            first=DAY - timedelta(days=PAST_DAYS),
            last=DAY,
            sources=["flights", "weather", "planes", "airports"],
        )
        files = {
            name: {path.stem: path for path in sorted((Path(folder) / "flights" / name).iterdir())}
            for name in ("flights", "weather", "planes", "airports")
        }
        valid = {name: _valid(name, files[name]) for name in files}
        profiles = {name: _profiles(name, valid[name]) for name in ("flights", "weather")}
        referred = {"planes": valid["planes"]["all"], "weather": valid["weather"][str(DAY)]}
        return Past(
            days={name: _day(each) for name, each in files.items()},
            surroundings={
                "flights": Surroundings(
                    files=_sizes(files["flights"]), profiles=profiles["flights"], referred={str(DAY): referred}
                ),
                "weather": Surroundings(files=_sizes(files["weather"]), profiles=profiles["weather"]),
                "planes": Surroundings(),
                "airports": Surroundings(),
            },
            checksums={
                name: {batch: _checksum(path.read_bytes()) for batch, path in each.items() if batch != str(DAY)}
                for name, each in files.items()
            },
        )


def _valid(name: str, files: dict[str, Path]) -> dict[str, pa.Table]:
    reports = validate(files, source=USE_CASE.source(name), connection=connection())
    return {batch: report.valid for batch, report in reports.items()}


def _profiles(name: str, tables: dict[str, pa.Table]) -> dict[str, Profile]:
    source = USE_CASE.source(name)
    slices = profiled_segments(USE_CASE.slices, columns=source.columns.names)
    before = {batch: table for batch, table in tables.items() if batch != str(DAY)}
    return profile_batches(
        before, columns=source.columns.names, slices=slices, derived=source.derived, connection=connection()
    )


def _sizes(files: dict[str, Path]) -> dict[str, EarlierFile]:
    rows = {batch: path.read_bytes().count(b"\n") - 1 for batch, path in files.items()}
    return {
        batch: EarlierFile(size=path.stat().st_size, count_rows=partial(rows.__getitem__, batch))
        for batch, path in files.items()
    }


def _day(files: dict[str, Path]) -> Day:
    content = files[max(files)].read_text()
    rows = list(csv.DictReader(io.StringIO(content)))
    before = files.get(str(DAY - timedelta(days=1)))
    return Day(header=tuple(rows[0]), rows=tuple(rows), before=before.read_bytes() if before else b"")


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def find(corruption: Corruption, *, folder: Path) -> tuple[Anomaly, ...]:
    """All anomalies of the spoilt day."""
    return judged(corruption.source, content=corruption.change(past().days[corruption.source]), folder=folder)


def judged(name: str, *, content: bytes, folder: Path) -> tuple[Anomaly, ...]:
    source, known = USE_CASE.source(name), past()
    batch = "all" if source.cadence is Cadence.STATIC else str(DAY)
    path = folder / f"{batch}.csv"
    path.write_bytes(content)
    found = judge_batches(
        {batch: path},
        use_case=USE_CASE,
        source=source,
        surroundings=known.surroundings[name],
        connection=connection(),
    )[batch]
    same = judge_content(_checksum(content), batch=batch, others=known.checksums[name])
    return (*same.anomalies, *found.anomalies.anomalies)


def matching(corruption: Corruption, *, found: tuple[Anomaly, ...]) -> Iterator[Anomaly]:
    """The anomalies that say what they must."""
    for each in found:
        columns = (each.column or "").split(", ")
        fits = corruption.column in (None, *columns) and corruption.cause in (None, each.cause)
        if each.code is corruption.code and fits:
            yield each


@pytest.mark.parametrize("name", ["flights", "weather", "planes"])
def test_the_real_day_has_no_anomaly(name: str, tmp_path: Path) -> None:
    assert judged(name, content=past().days[name].content, folder=tmp_path) == ()


@pytest.mark.parametrize("corruption", CATALOGUE, ids=lambda each: f"{each.source}: {each.what}")
def test_corruption_is_found_as_what_it_is(corruption: Corruption, tmp_path: Path) -> None:
    found = find(corruption, folder=tmp_path)
    assert list(matching(corruption, found=found)), "\n".join(f"{a.code} {a.column} {a.cause}: {a}" for a in found)


@pytest.mark.parametrize(
    "corruption",
    [each for each in CATALOGUE if each.what in ONE_FINDING],
    ids=lambda each: f"{each.source}: {each.what}",
)
def test_one_fault_is_told_once(corruption: Corruption, tmp_path: Path) -> None:
    found = find(corruption, folder=tmp_path)
    wrong = [each for each in found if each.severity is Severity.ERROR or each.rule]
    assert [each.code for each in wrong] == [corruption.code], "\n".join(map(str, found))


@pytest.mark.parametrize("name", ["flights", "weather"])
@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_other_ways_to_write_the_same_rows_publish_the_same(name: str, change: Change, tmp_path: Path) -> None:
    day = past().days[name]
    published = []
    for number, content in enumerate((day.content, change(day))):
        path = tmp_path / f"{number}.csv"
        path.write_bytes(content)
        report = validate({str(DAY): path}, source=USE_CASE.source(name), connection=connection())[str(DAY)]
        assert report.passed
        published.append(parquet_bytes(report.valid))
    assert published[0] == published[1]


def test_catalogue_has_every_kind_at_least_twice() -> None:
    assert len(CATALOGUE) >= 60
    counted = Counter(each.code for each in CATALOGUE)
    assert {code for code in Code if counted[code] < 2} == OTHERWISE_TESTED


def test_documentation_lists_the_catalogue() -> None:
    listed = [line.split(" | ")[0].removeprefix("| ") for line in section(PAGE, "catalogue").splitlines()[2:]]
    assert listed == [f"{each.source}: {each.what}" for each in CATALOGUE], f"Renew it: python -m {__spec__.name}"


def table() -> str:
    """The catalogue with what was found, for the docs."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for corruption in CATALOGUE:
            found = find(corruption, folder=Path(folder))
            first = next(matching(corruption, found=found))
            refused = "refused" if any(each.severity is Severity.ERROR for each in found) else "warned"
            said = first.explanation or first.message
            rows.append(
                [f"{corruption.source}: {corruption.what}", refused, f"`{first.code}`", first.column or "", said]
            )
    return markdown_table(["corruption", "batch is", "anomaly", "column", "what is said"], rows)


if __name__ == "__main__":
    write_section(PAGE, "catalogue", text=table())

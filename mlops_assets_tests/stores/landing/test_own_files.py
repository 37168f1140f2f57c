"""A person's own files: cut by time without losing or changing a row, or landed as drops."""

from __future__ import annotations

import gzip
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.contract.errors import LandingError
from mlops_assets.contract.source import Cadence
from mlops_assets.stores.landing import own_files
from mlops_assets.stores.landing.landing import UNTIMED, LandingZone
from mlops_assets.stores.landing.own_files import OwnFiles, land_files
from mlops_assets.watch.validation import time_cut
from mlops_assets_tests.features.readings import HEADER, make_lines, make_source

MONTHLY = make_source(cadence=Cadence.MONTHLY)
WEEKLY = make_source(cadence=Cadence.WEEKLY)
DROPS = make_source(cadence=Cadence.NAMED, batch_day=())
NO_TIMES = ("", "NA", "31.01.2024", "2024-02-30", '"not, a day"')


@pytest.fixture
def zone(tmp_path: Path) -> LandingZone:
    return LandingZone(tmp_path / "landing")


def write(folder: Path, *lines: str, name: str = "years.csv", end: str = "\n") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((end.join([HEADER, *lines]) + end).encode())
    return path


def land(zone: LandingZone, *files: Path, source: object = MONTHLY, **options: object) -> OwnFiles:
    return land_files(files, zone=zone, use_case="demo", source=source, **options)  # type: ignore[arg-type]


def landed(zone: LandingZone) -> dict[str, list[str]]:
    """The rows of every landed file by its name, below the header."""
    found = {}
    for path in sorted((zone.root / "demo" / "readings").glob("*.csv")):
        header, *rows = path.read_text(encoding="utf-8").splitlines()
        assert header == HEADER
        found[path.name.removesuffix(".csv")] = rows
    return found


days = st.dates(min_value=date(1999, 11, 1), max_value=date(2000, 3, 31)).map(date.isoformat)
rows = st.tuples(days | st.sampled_from(NO_TIMES), st.sampled_from(["S1", '"S,2"', '"two\nlines ""quoted"""', "Sß"]))


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(rows, max_size=40),
    cadence=st.sampled_from([Cadence.DAILY, Cadence.WEEKLY, Cadence.MONTHLY]),
    end=st.sampled_from(["\n", "\r\n"]),
    block=st.integers(min_value=1, max_value=200),
)
def test_every_row_is_in_the_one_batch_of_its_time_in_its_order_with_its_bytes(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], cadence: Cadence, end: str, block: int
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    lines = [f"{day},{sensor},1.5,{number},true" for number, (day, sensor) in enumerate(rows)]
    source, zone = make_source(cadence=cadence), LandingZone(folder / "landing")
    expected: dict[str, list[str]] = {}
    for (day, _), line in zip(rows, lines, strict=True):
        known = day not in NO_TIMES
        name = source.period.name_of(date.fromisoformat(day)) if known and source.period else "years.untimed"
        expected.setdefault(name, []).append(line + end)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time_cut, "_BLOCK", block)
        patch.setattr(own_files, "_HELD_BYTES", 3 * block)
        told = land(zone, write(folder, *lines, end=end), source=source)

    files = (zone.root / "demo").rglob("*.csv")
    assert {path.name.removesuffix(".csv"): path.read_bytes().decode() for path in files} == {
        name: HEADER + end + "".join(lines) for name, lines in expected.items()
    }
    assert told.rows == sum(day not in NO_TIMES for day, _ in rows)
    assert told.written == sorted(expected.keys() - {"years.untimed"})


def test_years_in_one_file_are_cut_into_their_months(zone: LandingZone, tmp_path: Path) -> None:
    days = [(date(2020, 1, 1) + timedelta(days=number)).isoformat() for number in range(731)]
    file = write(tmp_path, *(make_lines(1, day=day)[0] for day in days))

    told = land(zone, file)

    assert (told.rows, len(told.written), told.refused) == (731, 24, [])
    assert list(landed(zone))[::23] == ["2020-01", "2021-12"]
    assert len(landed(zone)["2020-02"]) == 29


def test_a_file_that_has_landed_is_left_alone_and_one_that_goes_on_adds_to_its_last_batch(
    zone: LandingZone, tmp_path: Path
) -> None:
    january, february = make_lines(3, day="2024-01-31"), make_lines(2, day="2024-02-01")
    land(zone, write(tmp_path, *january, february[0]))

    again = land(zone, write(tmp_path, *january, february[0]))
    longer = land(zone, write(tmp_path, *january, *february))

    assert (again.written, again.unchanged) == ([], ["2024-01", "2024-02"])
    assert (longer.written, longer.unchanged) == (["2024-02"], ["2024-01"])
    assert landed(zone) == {"2024-01": january, "2024-02": february}


def test_a_batch_that_has_landed_with_other_rows_is_replaced_only_when_that_is_said(
    zone: LandingZone, tmp_path: Path
) -> None:
    old_year, new_year = make_lines(2, day="2024-12-31"), make_lines(2, day="2025-01-01")
    land(zone, write(tmp_path, *old_year), source=WEEKLY)

    second = land(zone, write(tmp_path, *new_year, *make_lines(1, day="2025-01-06")), source=WEEKLY)
    assert second.written == ["2025-W02"]
    assert second.refused[0].startswith("Batch 2025-W01 has landed with other rows and is left alone")
    assert landed(zone)["2025-W01"] == old_year

    land(zone, write(tmp_path, *new_year), source=WEEKLY, replace=True)
    assert landed(zone)["2025-W01"] == new_year


def test_files_of_one_command_are_cut_together(zone: LandingZone, tmp_path: Path) -> None:
    old_year, new_year = make_lines(2, day="2024-12-31"), make_lines(2, day="2025-01-01")

    told = land(zone, write(tmp_path / "a", *old_year), write(tmp_path / "b", *new_year), source=WEEKLY)

    assert (told.rows, landed(zone)) == (4, {"2025-W01": [*old_year, *new_year]})


def test_rows_without_a_time_are_kept_told_and_hold_up_no_other(zone: LandingZone, tmp_path: Path) -> None:
    good, bad = make_lines(1, day="2024-01-31"), make_lines(1, day="31/01/2024")

    told = land(zone, write(tmp_path, *good, *bad))

    kept = zone.root / "demo" / "readings" / f"years{UNTIMED}"
    assert told.refused == [f"1 rows have no time that can be read: row 2 ('31/01/2024'). They are kept in {kept}."]
    assert landed(zone) == {"2024-01": good, "years.untimed": bad}
    scan = zone.scan("demo", sources=[MONTHLY], now=2e9)
    assert [file.batch for file in scan.files] == ["2024-01"]
    assert "Rows whose time cannot be read" in str(scan.refused[0])

    land(zone, write(tmp_path, *good))
    assert not kept.exists()


def test_a_file_that_is_no_table_is_told_and_the_others_land(zone: LandingZone, tmp_path: Path) -> None:
    cut = tmp_path / "cut.csv"
    cut.write_text(f"{HEADER}\n2024-01-31,S1\n", encoding="utf-8")
    other = tmp_path / "other.csv"
    other.write_text("when,what\n2024-01-31,S1\n", encoding="utf-8")

    told = land(zone, cut, other, write(tmp_path, *make_lines(1, day="2024-01-31")))

    assert told.written == ["2024-01"]
    assert "cut.csv cannot be cut by time: Line 2 has 2 values, the header has 5 columns" in told.refused[0]
    assert "other.csv cannot be cut by time: it has no column 'day'. It has: when, what." in told.refused[1]


def test_a_drop_is_named_after_its_file_or_as_it_is_said(zone: LandingZone, tmp_path: Path) -> None:
    file = write(tmp_path, *make_lines(1), name="May 2024 (final).csv")

    land(zone, file, source=DROPS)
    land(zone, file, source=DROPS, batch="second")

    assert list(landed(zone)) == ["May-2024-final", "second"]
    assert land(zone, file, source=DROPS).unchanged == ["May-2024-final"]


def test_a_drop_that_cannot_land_is_told_and_the_others_land(zone: LandingZone, tmp_path: Path) -> None:
    first = write(tmp_path, "1,2024-01-31", name="first.csv")
    packed = tmp_path / "first.csv.gz"
    packed.write_bytes(gzip.compress(first.read_bytes()))
    land_files([packed], zone=zone, use_case="plant", source=DROPS)

    landed = land_files(
        [first, write(tmp_path, "2,2024-01-31", name="second.csv")], zone=zone, use_case="plant", source=DROPS
    )

    assert landed.written == ["second"]
    (reason,) = landed.refused
    assert "first" in reason


def test_a_batch_that_is_named_is_not_cut(zone: LandingZone, tmp_path: Path) -> None:
    file = write(tmp_path, *make_lines(1, day="2024-01-31"), *make_lines(1, day="2024-02-01"))

    land(zone, file, batch="2024-01")

    assert {name: len(rows) for name, rows in landed(zone).items()} == {"2024-01": 2}


def test_a_last_line_without_an_end_gets_one(zone: LandingZone, tmp_path: Path) -> None:
    file = tmp_path / "open.csv"
    file.write_text("\n".join([HEADER, *make_lines(2, day="2024-01-31")]), encoding="utf-8")

    land(zone, file)
    land(zone, file, source=DROPS)

    assert {name: len(rows) for name, rows in landed(zone).items()} == {"2024-01": 2, "open": 2}
    assert (zone.root / "demo" / "readings" / "open.csv").read_bytes() == file.read_bytes() + b"\n"


@pytest.mark.parametrize(
    ("names", "options", "said"),
    [
        (["gone.csv"], {}, "gone.csv is no file"),
        (["a.csv", "b.csv"], {"batch": "one"}, "One batch is one file: 'one' was named for 2"),
        (["x/a.csv", "y/a.csv"], {}, "Several files would be batch 'a'"),
    ],
)
def test_what_cannot_land_is_refused_before_anything_does(
    zone: LandingZone, tmp_path: Path, names: list[str], options: dict[str, str], said: str
) -> None:
    files = [write(tmp_path, *make_lines(1), name=name) if name != "gone.csv" else tmp_path / name for name in names]

    with pytest.raises(LandingError, match=said):
        land(zone, *files, source=DROPS, **options)

    assert not zone.root.exists()


def test_file_is_cut_as_its_source_writes_it_packed_or_not(zone: LandingZone, tmp_path: Path) -> None:
    source = make_source(
        cadence=Cadence.MONTHLY, header=False, delimiter=";", decimal=",", strip=True, encoding="latin-1"
    )
    rows = ["2024-01-31; Sß; 1,5; 1; true\n", "2024-02-01; S2; 2,5; 2; true\n"]
    data = gzip.compress("".join([*rows, "\n"]).encode("latin-1"))
    (tmp_path / "years.csv.gz").write_bytes(data)
    found = land(zone, tmp_path / "years.csv.gz", source=source)
    assert (found.written, found.refused) == (["2024-01", "2024-02"], [])
    folder = zone.root / "demo" / "readings"
    assert [path.read_bytes().decode("latin-1") for path in sorted(folder.iterdir())] == rows


def test_file_whose_rows_cannot_be_told_apart_by_their_bytes_is_refused_in_words(
    zone: LandingZone, tmp_path: Path
) -> None:
    pq.write_table(pa.table({name: ["x"] for name in HEADER.split(",")}), tmp_path / "years.parquet")
    (said,) = land(zone, tmp_path / "years.parquet").refused
    assert "it is Parquet. Write it as plain CSV" in said
    wide = tmp_path / "years.csv"
    wide.write_bytes(f"{HEADER}\n2024-01-31,S1,1,1,true\n".encode("utf-16"))
    (said,) = land(zone, wide, source=make_source(cadence=Cadence.MONTHLY, encoding="utf-16")).refused
    assert "its lines do not end as those of other encodings do in utf-16" in said

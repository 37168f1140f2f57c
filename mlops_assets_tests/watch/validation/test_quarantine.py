"""Every landed row is published typed or quarantined with its reasons, and each batch is judged by itself."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pandera.pandas as pandera
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.contract.anomalies import Code
from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.severity import Severity
from mlops_assets.contract.source import Cadence, Source
from mlops_assets.watch.validation.quarantine import BatchReport, validate
from mlops_assets_tests.features.readings import DAY, HEADER, ReadingRows, make_lines, make_source, write_csv


def validate_one(path: Path, *, source: Source | None = None, batch: str = DAY) -> BatchReport:
    with duckdb.connect() as connection:
        return validate({batch: path}, source=source or make_source(), connection=connection)[batch]


def failed(report: BatchReport) -> dict[str, str]:
    return {check.name: " ".join(check.reasons) for check in report.checks if not check.passed}


def check(report: BatchReport, name: str) -> CheckResult:
    return next(check for check in report.checks if check.name == name)


def breaches(report: BatchReport) -> list[tuple[int, str, str]]:
    return [(row["source_row"], row["rule"], row["column"]) for row in report.quarantined.to_pylist()]


def test_good_rows_are_published_typed_with_their_place_in_the_file(tmp_path: Path) -> None:
    report = validate_one(write_csv(tmp_path / "x.csv", *make_lines(3), f"{DAY},S4,NA,,false"))
    assert report.passed
    assert report.quarantined.num_rows == 0
    assert report.valid.schema.equals(make_source().columns.arrow)
    assert report.valid["source_row"].to_pylist() == [1, 2, 3, 4]
    assert report.valid["degrees"].to_pylist() == [1.5, 2.5, 3.5, None]


@pytest.mark.parametrize(
    ("line", "rule", "column", "value", "reason"),
    [
        (f"{DAY},S9,hot,1,true", "column_type", "degrees", "hot", "degrees is 'hot': must be a number."),
        (f"{DAY},S9,1.0,1.5,true", "column_type", "count", "1.5", "count is '1.5': must be a whole number."),
        (f"{DAY},NA,1.0,1,true", "not_null", "sensor", "NA", "sensor is 'NA': a value must be present."),
        (
            f"{DAY},S9,61,1,true",
            "in_range(-50, 60)",
            "degrees",
            "61",
            "degrees is '61': in_range(-50, 60) must hold.",
        ),
        (
            f"{DAY},S9,20,1,false",
            "failed_readings_are_empty",
            "",
            None,
            "a reading that is not ok must have no degrees.",
        ),
        (
            f"{DAY},S1,20,1,true",
            "unique",
            "sensor",
            "S1",
            "sensor is 'S1': sensor must be unique, and an earlier row has the same.",
        ),
    ],
)
def test_row_that_breaks_a_rule_is_quarantined_with_the_reason(
    tmp_path: Path, line: str, rule: str, column: str, value: str | None, reason: str
) -> None:
    report = validate_one(write_csv(tmp_path / "x.csv", *make_lines(4), line))
    assert report.passed
    assert report.valid["source_row"].to_pylist() == [1, 2, 3, 4]
    (row,) = report.quarantined.to_pylist()
    assert row | {"line": ""} == {
        "source_row": 5, "rule": rule, "column": column, "value": value, "reason": reason, "line": "", "file_line": 6,
    }  # fmt: skip
    assert list(json.loads(row["line"]).values()) == line.split(",")


def test_row_that_breaks_many_rules_gives_every_reason_and_counts_once(tmp_path: Path) -> None:
    report = validate_one(write_csv(tmp_path / "x.csv", *make_lines(4), "2024-03-01,T9,99,-1,maybe"))
    assert breaches(report) == [
        (5, "column_type", "ok"),
        (5, "str_matches('^S[0-9]+$')", "sensor"),
        (5, "in_range(-50, 60)", "degrees"),
        (5, "greater_than_or_equal_to(0)", "count"),
    ]
    assert check(report, "quarantine_within_limit").figures["quarantined"] == 1


def test_first_row_of_a_key_that_holds_is_the_one_that_stays(tmp_path: Path) -> None:
    lines = [f"{DAY},S1,99,1,true", f"{DAY},S1,20,1,true", f"{DAY},S1,21,1,true", *make_lines(9)[1:]]
    report = validate_one(write_csv(tmp_path / "x.csv", *lines))
    assert report.valid["source_row"].to_pylist() == [2, *range(4, 12)]
    assert breaches(report) == [(1, "in_range(-50, 60)", "degrees"), (3, "unique", "sensor")]


def test_share_above_the_limit_is_an_error_that_names_the_rules(tmp_path: Path) -> None:
    lines = [*make_lines(2), f"{DAY},S8,99,1,true", f"{DAY},S9,99,x,true"]
    report = validate_one(write_csv(tmp_path / "x.csv", *lines))
    assert failed(report) == {
        "quarantine_within_limit": "2 of 4 rows break a rule (50.00%, at most 25.00% are allowed): "
        "2 × in_range(-50, 60) of degrees, 1 × column_type of count."
    }
    assert check(report, "quarantine_within_limit").figures == {
        "rows": 4, "quarantined": 2, "share": 0.5, "limit": 0.25,
    }  # fmt: skip


def test_rows_of_another_day_are_an_error(tmp_path: Path) -> None:
    report = validate_one(write_csv(tmp_path / "x.csv", *make_lines(9), *make_lines(1, day="2024-03-02")))
    assert failed(report) == {"rows_belong_to_batch": "1 of 10 rows say they are not of 2024-03-01."}
    assert ("belongs_to_batch", "day") in {(rule, column) for _, rule, column in breaches(report)}
    assert report.valid.num_rows == 9


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "The file is empty"),
        (b"day,sensor,degrees,count,ok\n", "a header and no rows"),
        (b"day,sensor,degrees,count\n2024-03-01,S1,1,1\n", "Missing columns: ok."),
        (b"day,sensor,degrees,count,ok\n2024-03-01,S1,1", "The file is cut"),
        (b"\x00\xff\x13junk", "NUL bytes"),
    ],
)
def test_file_that_cannot_be_read_fails_every_check_with_the_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    report = validate_one(path)
    assert not report.passed
    assert reason in failed(report)["matches_schema"]
    assert {"has_rows", "quarantine_within_limit", "every_row_accounted_for"} <= set(failed(report))
    assert (report.rows_read, report.valid.num_rows, report.quarantined.num_rows) == (0, 0, 0)


def test_rule_about_the_table_is_an_error_of_that_batch_only(tmp_path: Path) -> None:
    class Averaged(ReadingRows):
        """Readings that are cool on average."""

        @pandera.check("degrees", description="the mean must be below 30")
        @classmethod
        def mean_is_low(cls, degrees: pd.Series) -> bool:
            return bool(degrees.mean() < 30)

    source = make_source(schema=Averaged)
    files = {
        DAY: write_csv(tmp_path / "cool.csv", *make_lines(3)),
        "2024-03-02": write_csv(tmp_path / "hot.csv", "2024-03-02,S1,40,1,true"),
    }
    with duckdb.connect() as connection:
        reports = validate(files, source=source, connection=connection)
    assert reports[DAY].passed
    assert failed(reports["2024-03-02"]) == {
        "matches_schema": "Column 'degrees' breaks mean_is_low: the mean must be below 30."
    }


def test_same_key_in_two_batches_is_no_repetition(tmp_path: Path) -> None:
    files = {day: write_csv(tmp_path / f"{day}.csv", *make_lines(2, day=day)) for day in ("2024-03-01", "2024-03-02")}
    with duckdb.connect() as connection:
        reports = validate(files, source=make_source(), connection=connection)
    assert [report.quarantined.num_rows for report in reports.values()] == [0, 0]


def test_static_source_needs_no_day(tmp_path: Path) -> None:
    source = make_source(cadence=Cadence.STATIC, batch_day=())
    report = validate_one(
        write_csv(tmp_path / "all.csv", *make_lines(2), *make_lines(3, day="2020-01-01")[2:]),
        source=source,
        batch="all",
    )
    assert report.passed
    assert "rows_belong_to_batch" not in {check.name for check in report.checks}


CELL: dict[str, st.SearchStrategy[str]] = {
    "day": st.sampled_from([DAY, DAY, DAY, "2024-03-02", "NA", "today"]),
    "sensor": st.sampled_from(["S1", "S2", "S3", "S4", "T1", "NA", 'a "quoted, one"']),
    "degrees": st.sampled_from(["1", "-50", "61", "NA", "hot", "1,5"]),
    "count": st.sampled_from(["0", "-1", "2.0", "NA", ""]),
    "ok": st.sampled_from(["true", "false", "maybe"]),
}
ROWS = st.lists(st.fixed_dictionaries(CELL), min_size=1, max_size=12)


def write_rows(path: Path, rows: list[dict[str, str]]) -> Path:
    quoted = ('"' + value.replace('"', '""') + '"' for row in rows for value in row.values())
    lines = [",".join(values) for values in zip(*[quoted] * 5, strict=True)]
    return write_csv(path, *lines)


@settings(max_examples=40, deadline=None)
@given(ROWS)
def test_no_row_is_lost_and_what_is_published_satisfies_pandera(rows: list[dict[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        report = validate_one(write_rows(Path(folder) / "x.csv", rows))
    held = set(report.quarantined["source_row"].to_pylist())
    assert sorted([*held, *report.valid["source_row"].to_pylist()]) == list(range(1, len(rows) + 1))
    assert check(report, "every_row_accounted_for").passed
    valid = report.valid.drop_columns("source_row").to_pandas(
        types_mapper={report.valid.schema.field("count").type: pd.Int64Dtype()}.get
    )
    if len(valid):
        ReadingRows.validate(valid)


@settings(max_examples=20, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=4))
def test_batches_together_get_what_each_gets_alone(batches: list[list[dict[str, str]]]) -> None:
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        files = {
            f"2024-03-0{number}": write_rows(Path(folder) / f"{number}.csv", rows)
            for number, rows in enumerate(batches, start=1)
        }
        together = validate(files, source=make_source(), connection=connection)
        alone: dict[str, Any] = {
            batch: validate({batch: path}, source=make_source(), connection=connection)[batch]
            for batch, path in files.items()
        }
    assert together == alone


def test_findings_name_file_and_line_also_behind_values_of_many_lines(tmp_path: Path) -> None:
    lines = [f'{DAY},S1,"1",1,true', f'{DAY},"x\ny",1,1,true', f"{DAY},S3,99,1,true", *make_lines(9)[3:]]
    report = validate_one(write_csv(tmp_path / "x.csv", *lines))
    assert [str(each) for each in report.anomalies] == [
        f"1 of 9 rows break in_range(-50, 60) of degrees, such as '99', first in line 5 of {DAY}.csv.",
        f"1 of 9 rows break str_matches('^S[0-9]+$') of sensor, such as 'x\ny', first in line 3 of {DAY}.csv.",
    ]
    assert report.quarantined["file_line"].to_pylist() == [3, 5]


def test_header_among_the_rows_is_one_finding_with_its_line(tmp_path: Path) -> None:
    report = validate_one(write_csv(tmp_path / "x.csv", *make_lines(4), HEADER, *make_lines(9)[4:]))
    assert report.passed
    assert report.valid.num_rows == 9
    (found,) = report.anomalies
    assert (found.code, found.severity) == (Code.REPEATED_HEADER, Severity.WARN)
    assert str(found) == f"Line 6 of {DAY}.csv is no row of the table: the header stands there again."


@pytest.mark.parametrize("totals", ["Total,,45.5,10,", "NA,NA,12.0,10,NA", f"{DAY},total,20,10,"])
def test_row_of_totals_is_one_finding_with_its_line(tmp_path: Path, totals: str) -> None:
    report = validate_one(write_csv(tmp_path / "x.csv", *make_lines(4), totals))
    (found,) = report.anomalies
    assert (found.code, found.severity) == (Code.TOTALS_ROW, Severity.WARN)
    assert str(found) == f"Line 6 of {DAY}.csv is no row of the table: it sums up the others."


def test_last_row_that_is_only_wrong_is_told_by_its_rules(tmp_path: Path) -> None:
    report = validate_one(write_csv(tmp_path / "x.csv", *make_lines(4), f"{DAY},T5,1,11,true"))
    assert [each.code for each in report.anomalies] == [Code.PATTERN_BROKEN]


def test_long_values_are_cut_where_they_are_told(tmp_path: Path) -> None:
    report = validate_one(write_csv(tmp_path / "x.csv", *make_lines(9), f"{DAY},{'x' * 500_000},1,1,true"))
    (found,) = report.anomalies
    assert "… (500,000 characters)', first in line 11" in found.message
    assert len(found.model_dump_json()) < 2_000
    assert report.quarantined["value"].to_pylist() == ["x" * 500_000]


class Whimsical(ReadingRows):
    """Readings with a rule that cannot be evaluated where a sensor is called S7."""

    @pandera.check("sensor")
    @classmethod
    def is_lucky(cls, sensor: pd.Series) -> pd.Series:
        if "S7" in set(sensor):
            raise KeyError("S7")
        return sensor.notna()


def test_error_in_judging_is_charged_to_its_batch_and_the_others_go_on(tmp_path: Path) -> None:
    days = [f"2024-03-0{number}" for number in range(1, 5)]
    files = {day: write_csv(tmp_path / f"{day}.csv", *make_lines(7 if day == days[2] else 3, day=day)) for day in days}
    source = make_source(schema=Whimsical)
    with duckdb.connect() as connection:
        reports = validate(files, source=source, connection=connection)
    assert [report.passed for report in reports.values()] == [True, True, False, True]
    (found,) = reports[days[2]].anomalies
    assert found.code is Code.NOT_JUDGED
    assert "2024-03-03.csv could not be judged: Rule 'is_lucky' of Whimsical raised KeyError: 'S7'" in found.message
    assert "is_lucky" in check(reports[days[2]], "matches_schema").reasons[0]


def test_file_that_cannot_be_opened_costs_its_batch_only(tmp_path: Path) -> None:
    files = {DAY: write_csv(tmp_path / "x.csv", *make_lines(3)), "2024-03-02": tmp_path / "gone.csv"}
    with duckdb.connect() as connection:
        reports = validate(files, source=make_source(), connection=connection)
    assert [report.passed for report in reports.values()] == [True, False]
    assert "FileNotFoundError" in reports["2024-03-02"].anomalies[0].message


def test_column_that_history_is_kept_by_must_not_be_missing_in_every_row(tmp_path: Path) -> None:
    lines = [f"{DAY},S{number},NA,{number},true" for number in range(3)]
    path = write_csv(tmp_path / "x.csv", *lines)
    with duckdb.connect() as connection:
        report = validate(
            {DAY: path},
            source=make_source(),
            connection=connection,
            views_kept_by=lambda column: {"degrees": ("heat",)}.get(column, ()),
        )[DAY]
    said = "degrees is missing in all 3 rows, so history (heat) has nothing of them."
    assert failed(report) == {"matches_schema": said}
    (found,) = report.anomalies
    assert (found.code, found.column, str(found)) == (Code.MISSING_VALUE, "degrees", said)


def test_row_whose_key_history_could_not_join_is_set_aside(tmp_path: Path) -> None:
    class Named(pandera.DataFrameModel):
        """Readings by any name."""

        sensor: str
        note: str = pandera.Field(nullable=True)

    path = write_csv(tmp_path / "x.csv", *(f"S{number},a|b" for number in range(9)), "S|9,", header="sensor,note")
    with duckdb.connect() as connection:
        report = validate(
            {"all": path},
            source=make_source(schema=Named, cadence=Cadence.STATIC, batch_day=()),
            connection=connection,
            views_kept_by=lambda column: ("heat",) if column == "sensor" else (),
        )["all"]
    assert report.passed
    assert breaches(report) == [(10, "history_separator", "sensor")]
    assert report.quarantined["reason"][0].as_py() == (
        "sensor is 'S|9': must not contain '|', which joins the keys of history."
    )


def test_row_whose_weight_is_none_is_set_aside_and_named(tmp_path: Path) -> None:
    class Weighted(pandera.DataFrameModel):
        """Readings that stand for others."""

        sensor: str
        stands_for: float = pandera.Field(nullable=True)
        change: float = pandera.Field(nullable=True)

    lines = ["S1,2,-1", "S2,0,-1", "S3,-3,-1", "S4,,-1", *(f"S{number},1," for number in range(5, 20))]
    path = write_csv(tmp_path / "x.csv", *lines, header="sensor,stands_for,change")
    with duckdb.connect() as connection:
        report = validate(
            {"all": path},
            source=make_source(schema=Weighted, cadence=Cadence.STATIC, batch_day=()),
            connection=connection,
            is_weight=lambda column: column == "stands_for",
        )["all"]
    assert report.passed
    assert breaches(report) == [(3, "weight", "stands_for"), (4, "weight", "stands_for")]
    assert report.quarantined["reason"][0].as_py() == (
        "stands_for is '-3': must be 0 or more and not missing, as it says how many rows this one stands for."
    )
    (found,) = report.anomalies
    assert (found.code, found.column, found.rows) == (Code.OUT_OF_RANGE, "stands_for", 2)


def test_row_of_many_long_values_is_read(tmp_path: Path) -> None:
    class Wide(pandera.DataFrameModel):
        """Texts."""

        a: str
        b: str
        c: str

        class Config:
            ordered = True

    long = "x" * 900_000
    for value in (long, f'"{long[:-1]}\n"'):
        path = write_csv(tmp_path / "x.csv", "1,2,3", ",".join([value] * 3), "4,5,6", header="a,b,c")
        report = validate_one(path, source=make_source(schema=Wide, cadence=Cadence.STATIC, batch_day=()), batch="all")
        assert [len(each) for each in report.valid["c"].to_pylist()] == [1, 900_000, 1]


def test_further_columns_are_kept_out_if_the_model_is_not_strict(tmp_path: Path) -> None:
    class Lenient(ReadingRows):
        """Readings, whatever else is beside them."""

        class Config:
            strict = False
            ordered = False

    path = write_csv(tmp_path / "x.csv", f"true,7,S1,1,1.5,{DAY}", header="ok,extra,sensor,count,degrees,day")
    report = validate_one(path, source=make_source(schema=Lenient))
    assert report.passed
    assert report.valid.column_names == ["day", "sensor", "degrees", "count", "ok", "source_row"]
    assert "extra" in failed(validate_one(path))["matches_schema"]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")) | st.sampled_from('"\\\n\t{}')),
        min_size=5,
        max_size=5,
    )
)
def test_row_in_quarantine_is_json_of_its_text(values: list[str]) -> None:
    row = dict(zip(make_source().columns.names, values, strict=True))
    with tempfile.TemporaryDirectory() as folder:
        report = validate_one(write_rows(Path(folder) / "x.csv", [row]))
    assert {row["line"] for row in report.quarantined.to_pylist()} <= {json.dumps(row, ensure_ascii=False)}

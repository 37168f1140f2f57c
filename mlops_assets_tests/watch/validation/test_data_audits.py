"""The audits judge what lies on the branch, not what was meant to be written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from mlops_assets.contract.source import Cadence
from mlops_assets.watch.validation.data_audits import (
    RAW_CHECKS,
    StagedBatch,
    audit_raw,
    audit_validated,
    validated_checks,
    with_explanations,
)
from mlops_assets.watch.validation.quarantine import validate
from mlops_assets_tests.features.readings import DAY, make_lines, make_source, write_csv

SOURCE = make_source()


def failed_raw(path: Path) -> dict[str, str]:
    checks = audit_raw(path, source=SOURCE, batch=DAY)
    assert tuple(check.name for check in checks) == RAW_CHECKS
    return {check.name: " ".join(check.reasons) for check in checks if not check.passed}


def test_whole_file_passes_with_its_figures(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", *make_lines(3))
    checks = audit_raw(path, source=SOURCE, batch=DAY)
    assert all(check.passed and check.batch == DAY for check in checks)
    assert checks[0].figures == {"bytes": path.stat().st_size, "rows": 3}


@pytest.mark.parametrize(
    ("content", "failing"),
    [
        (b"", {"file_is_whole", "has_expected_header", "has_rows"}),
        (b"day,sensor,degrees,count,ok\n2024-03-01,S1", {"file_is_whole", "has_rows"}),
        (b"day,sensor,degrees,count,okay\n2024-03-01,S1,1,1,1\n", {"has_expected_header"}),
        (b"sensor,day,degrees,count,ok\nS1,2024-03-01,1,1,1\n", {"has_expected_header"}),
        (b"day,sensor,degrees,count,ok\n", {"has_rows"}),
        (b"\x89PNG\r\n\x1a\n\x00\x00", {"file_is_whole", "has_expected_header", "has_rows"}),
    ],
)
def test_corrupt_file_fails_the_check_that_speaks_of_it(tmp_path: Path, content: bytes, failing: set[str]) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    assert failing <= set(failed_raw(path))
    assert ("file_is_whole" in failed_raw(path)) == ("file_is_whole" in failing)


def stage(
    folder: Path,
    *lines: str,
    change: Callable[[pa.Table], pa.Table] = lambda valid: valid,
    views_kept_by: Callable[[str], Sequence[str]] = lambda _: (),
    charged: Mapping[str, Exception] | None = None,
) -> StagedBatch:
    """Validate the lines and stage the outcome, the valid rows changed on the way."""
    with duckdb.connect() as connection:
        raw = write_csv(folder / "x.csv", *lines)
        report = validate(
            {DAY: raw}, source=SOURCE, connection=connection, views_kept_by=views_kept_by, charged=charged
        )[DAY]
    pq.write_table(change(report.valid), folder / "valid.parquet")
    quarantined = folder / "quarantine.parquet" if report.quarantined.num_rows else None
    if quarantined:
        pq.write_table(report.quarantined, quarantined)
    return StagedBatch(valid=folder / "valid.parquet", quarantined=quarantined, rows_read=report.rows_read)


def failed(staged: StagedBatch) -> dict[str, str]:
    checks = audit_validated({DAY: staged}, source=SOURCE)[DAY]
    assert tuple(check.name for check in checks) == validated_checks(SOURCE)
    return {check.name: " ".join(check.reasons) for check in checks if not check.passed}


BAD_LINE = f"{DAY},S9,99,1,true"


def test_what_validation_writes_passes(tmp_path: Path) -> None:
    assert failed(stage(tmp_path, *make_lines(4), BAD_LINE)) == {}


def test_audit_gives_the_verdicts_of_the_validation(tmp_path: Path) -> None:
    staged = stage(tmp_path, *make_lines(2), BAD_LINE, *make_lines(1, day="2024-03-09"))
    with duckdb.connect() as connection:
        report = validate({DAY: tmp_path / "x.csv"}, source=SOURCE, connection=connection)[DAY]
    assert audit_validated({DAY: staged}, source=SOURCE)[DAY] == report.checks


def test_what_is_wrong_with_a_batch_as_a_whole_is_told_by_what_was_staged(tmp_path: Path) -> None:
    lines = [f"{DAY},S{number},NA,{number},true" for number in range(3)]
    staged = stage(tmp_path, *lines, views_kept_by=lambda column: ("heat",) if column == "degrees" else ())
    said = "degrees is missing in all 3 rows, so history (heat) has nothing of them."
    assert failed(staged) == {"matches_schema": said}

    staged = stage(tmp_path, *lines, charged={DAY: KeyError("S7")})
    assert failed(staged)["matches_schema"] == f"{DAY}.csv could not be judged: KeyError: 'S7'"
    assert "has_rows" in failed(staged)


def test_lost_row_is_noticed(tmp_path: Path) -> None:
    lost = failed(stage(tmp_path, *make_lines(4), BAD_LINE, change=lambda valid: valid.slice(1)))
    assert lost == {"every_row_accounted_for": "5 rows were read, but 3 are valid and 1 quarantined."}


def test_row_in_both_places_is_noticed(tmp_path: Path) -> None:
    def renumber(valid: pa.Table) -> pa.Table:
        return valid.set_column(5, "source_row", pa.array([1, 2, 3, 5]))

    assert set(failed(stage(tmp_path, *make_lines(4), BAD_LINE, change=renumber))) == {"every_row_accounted_for"}


def test_repeated_row_is_noticed(tmp_path: Path) -> None:
    doubled = failed(stage(tmp_path, *make_lines(4), change=lambda valid: pa.concat_tables([valid, valid.slice(3)])))
    assert doubled["matches_schema"] == "1 published rows break unique sensor."
    assert "every_row_accounted_for" in doubled


def test_value_that_breaks_a_rule_is_noticed(tmp_path: Path) -> None:
    def heat(valid: pa.Table) -> pa.Table:
        return valid.set_column(2, "degrees", pc.add(valid["degrees"], 58.0))

    reasons = failed(stage(tmp_path, *make_lines(4), change=heat))
    assert reasons == {"matches_schema": "3 published rows break 'in_range(-50, 60)' of degrees."}


def test_changed_type_is_noticed(tmp_path: Path) -> None:
    def widen(valid: pa.Table) -> pa.Table:
        return valid.set_column(3, "count", valid["count"].cast(pa.float64()))

    assert "Columns or types differ" in failed(stage(tmp_path, *make_lines(4), change=widen))["matches_schema"]


def test_empty_table_is_noticed(tmp_path: Path) -> None:
    empty = failed(stage(tmp_path, *make_lines(4), change=lambda valid: valid.slice(0, 0)))
    assert empty["has_rows"] == "No row is left to publish."


def test_too_many_quarantined_and_strays_are_noticed(tmp_path: Path) -> None:
    reasons = failed(stage(tmp_path, *make_lines(1), *make_lines(3, day="2024-03-02")[1:]))
    assert set(reasons) == {"rows_belong_to_batch", "quarantine_within_limit"}


def test_only_daily_sources_are_asked_for_their_day() -> None:
    static = make_source(cadence=Cadence.STATIC, batch_day=())
    assert "rows_belong_to_batch" in validated_checks(SOURCE)
    assert "rows_belong_to_batch" not in validated_checks(static)


def test_audit_says_what_is_known_beside_other_batches(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", *(f"{DAY},S{number},999,1,true" for number in range(9)))
    with duckdb.connect() as connection:
        report = validate({DAY: path}, source=SOURCE, connection=connection)[DAY]
    explanation = "The values are 1.8 times those of the reference."
    known = [each.model_copy(update={"explanation": explanation}) for each in report.anomalies if each.rule]
    before = {check.name: check for check in report.checks}
    after = {check.name: check for check in with_explanations(report.checks, anomalies=known)}
    name = "quarantine_within_limit"
    assert after[name].reasons == (*before[name].reasons, explanation)
    assert after[name].anomalies[0].explanation == explanation
    assert {each: after[each] for each in after if each != name} == {
        each: before[each] for each in before if each != name
    }
    assert with_explanations(tuple(after.values()), anomalies=known) == tuple(after.values()), "said once"


def test_file_that_cannot_be_read_fails_with_the_error(tmp_path: Path) -> None:
    assert "FileNotFoundError" in failed_raw(tmp_path / "gone.csv")["file_is_whole"]

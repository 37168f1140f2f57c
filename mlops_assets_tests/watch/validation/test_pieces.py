"""A batch that is judged piece by piece is judged as it would be at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from mlops_assets.lake.tables import parquet_bytes
from mlops_assets.watch.validation import landed_rows, landed_text, pieces
from mlops_assets.watch.validation.data_audits import StagedBatch, audit_validated
from mlops_assets.watch.validation.pieces import in_pieces, parquet_parts
from mlops_assets.watch.validation.quarantine import BatchReport, validate
from mlops_assets_tests.features.readings import DAY, HEADER, make_lines, make_source, write_csv

OTHER = "2024-03-02"
SOURCE = make_source(max_quarantined_share=0.9)
SPOILT = [
    *make_lines(20),
    f"{DAY},S21,hot,1,true",
    HEADER,
    f"{OTHER},T9,99,-1,maybe",
    f"{DAY},S3,3.5,3,true",  # the whole row of line 4
    f"{DAY},S4,9.5,9,true",
    *make_lines(30)[21:],
    f"{DAY},total,9,210,x",
]


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is of many pieces, and none of its text is kept."""
    monkeypatch.setattr(landed_text, "LONGEST_VALUE", 60)
    monkeypatch.setattr(landed_rows, "_KEPT_BYTES", 0)
    monkeypatch.setattr(pieces, "PIECE_BYTES", 300)
    monkeypatch.setattr(pieces, "_ROWS_AT_ONCE", 3)


def judged(folder: Path) -> dict[str, BatchReport]:
    files = {
        DAY: write_csv(folder / "one.csv", *SPOILT),
        OTHER: write_csv(folder / "two.csv", *(line.replace(DAY, OTHER) for line in make_lines(25))),
    }
    with duckdb.connect() as connection:
        return validate(files, source=SOURCE, connection=connection)


def written(report: BatchReport) -> tuple[bytes, bytes, tuple[object, ...]]:
    return parquet_bytes(report.valid), parquet_bytes(report.quarantined), report.checks


@pytest.fixture
def at_once(tmp_path: Path) -> dict[str, BatchReport]:
    """What is said of the files as a whole."""
    return judged(tmp_path)


def test_pieces_change_no_byte(at_once: dict[str, BatchReport], request: pytest.FixtureRequest, tmp_path: Path) -> None:
    request.getfixturevalue("small_pieces")
    piecewise = judged(tmp_path)
    assert piecewise[OTHER].valid["day"].num_chunks > 2
    assert {batch: written(report) for batch, report in piecewise.items()} == {
        batch: written(report) for batch, report in at_once.items()
    }
    rules = set(piecewise[DAY].quarantined["rule"].to_pylist())
    assert {"repeated_header", "totals_row", "column_type", "unique", "repeated_row", "belongs_to_batch"} <= rules
    assert piecewise[DAY].landed.num_rows == piecewise[DAY].rows_read == len(SPOILT)


def test_audit_reads_a_staged_file_some_rows_at_a_time(
    at_once: dict[str, BatchReport], small_pieces: None, tmp_path: Path
) -> None:
    staged = {}
    for batch, report in at_once.items():
        valid, quarantined = tmp_path / f"{batch}.parquet", tmp_path / f"{batch}-held.parquet"
        valid.write_bytes(parquet_bytes(report.valid))
        quarantined.write_bytes(parquet_bytes(report.quarantined))
        staged[batch] = StagedBatch(valid=valid, quarantined=quarantined, rows_read=report.rows_read)
    assert audit_validated(staged, source=SOURCE) == {batch: report.checks for batch, report in at_once.items()}
    twice = pa.concat_tables([at_once[OTHER].valid, at_once[OTHER].valid.slice(20)])
    staged[OTHER].valid.write_bytes(parquet_bytes(twice))
    (checks,) = audit_validated({OTHER: staged[OTHER]}, source=SOURCE).values()
    assert "5 published rows break unique sensor." in checks[0].reasons


def test_pieces_have_their_size_but_the_last(small_pieces: None, tmp_path: Path) -> None:
    table = pa.table({"number": list(range(100))})
    parts = list(in_pieces(table.slice(first, 10) for first in range(0, 100, 10)))
    assert [part.num_rows for part in parts] == [40, 40, 20]
    assert pa.concat_tables(parts).equals(table)
    (tmp_path / "x.parquet").write_bytes(parquet_bytes(table))
    assert max(part.num_rows for part in parquet_parts(tmp_path / "x.parquet")) == 3


def test_bytes_of_a_table_do_not_tell_its_chunks() -> None:
    table = pa.table({"number": list(range(100)), "text": ["a", "b"] * 50})
    chunked = pa.concat_tables([table.slice(0, 33), table.slice(33)])
    assert parquet_bytes(chunked) == parquet_bytes(table)


def test_no_quarantine_is_told_in_more_than_so_many_rows_of_a_rule(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("mlops_assets.watch.validation.quarantine_table.TOLD_IN_FULL", 2)
    lines = [*make_lines(4), *(f"{DAY},S{number},hot,-1,true" for number in range(5, 9))]
    with duckdb.connect() as connection:
        source = replace(SOURCE, max_quarantined_share=0.1)
        report = validate({DAY: write_csv(tmp_path / "x.csv", *lines)}, source=source, connection=connection)[DAY]
    held = report.quarantined.to_pylist()
    assert [(row["source_row"], row["column"], row["value"]) for row in held] == [
        (5, "degrees", "hot"), (5, "count", "-1"), (6, "degrees", "hot"), (6, "count", "-1"),
        (7, "degrees", None), (7, "count", None), (8, "degrees", None), (8, "count", None),
    ]  # fmt: skip
    assert [row["line"] is None for row in held] == [False] * 4 + [True] * 4
    assert [row["file_line"] for row in held] == [6, 6, 7, 7, 8, 8, 9, 9]
    assert {(found.rows, found.column) for found in report.anomalies} == {(4, "degrees"), (4, "count")}

"""The prediction log: durable before the answer, collected exactly once."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from mlops_assets.contract.errors import ServingError
from mlops_assets.stores.predictions.prediction_log import (
    LogBatch,
    PredictionLog,
    PredictionRecord,
    pending,
    uncollected_days,
)

FIRST_DAY = date(2013, 7, 1)


def make_record(number: int, *, day: date = FIRST_DAY, **overrides: object) -> PredictionRecord:
    values: dict[str, object] = {
        "prediction_id": f"id-{number}",
        "answered_at": datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
        "event_time": datetime(day.year, day.month, day.day, 8, 30),
        "model_version": "2013-06-30-3fa9c1d2",
        "score": 0.25,
        "predicted_positive": False,
        "inputs": {"carrier": "UA", "distance": 1400.0},
        "features": {"carrier__late_rate_28d": 0.2, "tail": None},
        "example_id": "2013-07-01-UA1545-EWR",
        "history_as_of": "2013-07-01",
        "history_commit": "c0ffee",
        "flags": ("unknown carrier",),
    }
    return PredictionRecord(**{**values, **overrides})  # type: ignore[arg-type]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[PredictionLog]:
    made = PredictionLog(tmp_path / "prediction_log" / "toy.sqlite")
    yield made
    made.close()


def collect(log: PredictionLog, *, lake: dict[str, LogBatch], **options: object) -> int:
    """Plays the collector: what is pending goes into the lake; a path is never written twice."""
    found = list(pending(log, collected=list(lake), **options))  # type: ignore[arg-type]
    for batch in found:
        assert batch.path not in lake
        lake[batch.path] = batch
    return sum(batch.rows.num_rows for batch in found)


def ids(lake: dict[str, LogBatch]) -> list[str]:
    return sorted(value for batch in lake.values() for value in batch.rows["prediction_id"].to_pylist())


def test_a_log_from_before_there_were_classes_is_written_on(tmp_path: Path) -> None:
    path = tmp_path / "flights.sqlite"
    PredictionLog(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE predictions DROP COLUMN predicted")
    connection.close()

    log = PredictionLog(path)
    log.append([make_record(1)])

    found = log.find("id-1")
    log.close()
    assert found is not None
    assert found["predicted"] is None


def test_record_comes_back_as_it_was_written(log: PredictionLog) -> None:
    log.append([make_record(1)])
    found = log.find("id-1")
    assert found == {
        "seq": 1,
        "prediction_id": "id-1",
        "example_id": "2013-07-01-UA1545-EWR",
        "answered_at": datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
        "event_time": datetime(2013, 7, 1, 8, 30),
        "model_version": "2013-06-30-3fa9c1d2",
        "score": 0.25,
        "predicted_positive": False,
        "predicted": None,
        "history_as_of": "2013-07-01",
        "history_commit": "c0ffee",
        "inputs": {"carrier": "UA", "distance": 1400.0},
        "features": {"carrier__late_rate_28d": 0.2, "tail": None},
        "flags": ["unknown carrier"],
    }
    assert log.find("id-2") is None


def test_append_is_all_or_nothing(log: PredictionLog) -> None:
    log.append([make_record(1)])
    with pytest.raises(ServingError, match="could not be written"):
        log.append([make_record(2), make_record(1)])
    assert log.find("id-2") is None
    log.append([make_record(2)])
    assert log.read_after(0)["prediction_id"].to_pylist() == ["id-1", "id-2"]


def test_reading_goes_on_where_it_stopped(log: PredictionLog) -> None:
    log.append([make_record(number) for number in range(1, 8)])
    first = log.read_after(0, limit=3)
    rest = log.read_after(first["seq"][-1].as_py())
    assert first["seq"].to_pylist() == [1, 2, 3]
    assert rest["seq"].to_pylist() == [4, 5, 6, 7]


def test_records_are_collected_once_and_only_once(log: PredictionLog) -> None:
    lake: dict[str, LogBatch] = {}
    second_day = date(2013, 7, 2)
    log.append([make_record(1), make_record(2, day=second_day), make_record(3)])
    assert collect(log, lake=lake) == 3
    assert collect(log, lake=lake) == 0
    log.append([make_record(4, day=second_day), make_record(5)])
    assert collect(log, lake=lake, day=FIRST_DAY) == 1
    assert collect(log, lake=lake, day=second_day) == 1
    assert ids(lake) == ["id-1", "id-2", "id-3", "id-4", "id-5"]
    assert sorted(lake) == [
        f"toy/prediction_log/2013-07-01/{log.log_id}-1-3.parquet",
        f"toy/prediction_log/2013-07-01/{log.log_id}-5-5.parquet",
        f"toy/prediction_log/2013-07-02/{log.log_id}-2-2.parquet",
        f"toy/prediction_log/2013-07-02/{log.log_id}-4-4.parquet",
    ]


def test_backlog_is_cut_into_files_and_an_interrupted_collection_goes_on(log: PredictionLog) -> None:
    log.append([make_record(number) for number in range(10)])
    cut = list(pending(log, collected=[], rows_per_file=4))
    assert [batch.rows.num_rows for batch in cut] == [4, 4, 2]
    lake = {cut[0].path: cut[0]}
    assert collect(log, lake=lake) == 6
    assert ids(lake) == sorted(f"id-{number}" for number in range(10))


def test_files_of_another_log_do_not_move_the_cursor(log: PredictionLog) -> None:
    log.append([make_record(1)])
    other = f"toy/prediction_log/2013-07-01/{'a' * 32}-1-500.parquet"
    assert [batch.first for batch in pending(log, collected=[other])] == [1]


def test_a_log_put_back_from_an_older_copy_is_refused(log: PredictionLog) -> None:
    log.append([make_record(1)])
    ahead = f"toy/prediction_log/2013-07-01/{log.log_id}-1-9.parquet"
    with pytest.raises(ServingError, match="put back from an older copy"):
        list(pending(log, collected=[ahead]))


def test_the_days_that_wait_to_be_collected_are_those_of_which_log_and_lake_differ(log: PredictionLog) -> None:
    assert uncollected_days(log, collected=[]) == set()
    log.append([make_record(1), make_record(2, day=date(2013, 7, 2))])
    lake: dict[str, LogBatch] = {}
    assert uncollected_days(log, collected=list(lake)) == {FIRST_DAY, date(2013, 7, 2)}
    collect(log, lake=lake)
    assert uncollected_days(log, collected=list(lake)) == set()
    log.append([make_record(3)])
    assert uncollected_days(log, collected=list(lake)) == {FIRST_DAY}

    put_back = f"toy/prediction_log/2013-07-02/{log.log_id}-1-9.parquet"
    assert date(2013, 7, 2) in uncollected_days(log, collected=[*lake, put_back])


def test_full_disk_is_an_error_and_nothing_half_written(log: PredictionLog) -> None:
    log.append([make_record(1)])
    pages = log._connection.execute("PRAGMA page_count").fetchone()[0]
    log._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(ServingError, match="disk is full"):
        log.append([make_record(number) for number in range(2, 500)])
    log._connection.execute("PRAGMA max_page_count = 1000000")
    log.append([make_record(2)])
    assert log.read_after(0)["prediction_id"].to_pylist() == ["id-1", "id-2"]


def test_a_file_that_is_no_log_is_named(tmp_path: Path) -> None:
    path = tmp_path / "prediction_log" / "toy.sqlite"
    path.parent.mkdir()
    path.write_bytes(b"not a database, " * 100)
    with pytest.raises(ServingError, match=r"toy\.sqlite could not be opened"):
        PredictionLog(tmp_path / "prediction_log" / "toy.sqlite")


def test_a_log_held_by_another_process_gives_up_after_its_timeout(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "toy.sqlite", timeout=0.05)
    with sqlite3.connect(log.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ServingError, match="locked"):
            log.append([make_record(1)])
        other.execute("ROLLBACK")
    other.close()
    log.append([make_record(1)])
    log.close()


def test_writers_in_threads_and_processes_lose_nothing(tmp_path: Path, log: PredictionLog) -> None:
    def write(start: int) -> None:
        for number in range(start, start + 20):
            log.append([make_record(number)])

    threads = [threading.Thread(target=write, args=(start,)) for start in (0, 100, 200)]
    with start_writer(tmp_path, start=1000, count=40) as process:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert process.wait(60) == 0
    assert log.read_after(0)["seq"].to_pylist() == list(range(1, 101))


def test_kill_9_leaves_every_record_that_append_returned_for(tmp_path: Path, log: PredictionLog) -> None:
    with start_writer(tmp_path, start=0, count=1_000_000) as process:
        assert process.stdout is not None
        told = [process.stdout.readline().strip() for _ in range(30)]
        os.kill(process.pid, signal.SIGKILL)
        told += process.stdout.read().splitlines()
        process.wait(30)
    assert told[-1].startswith("id-")
    kept = set(log.read_after(0)["prediction_id"].to_pylist())
    assert {line for line in told if line} <= kept
    log.append([make_record(-1)])


def start_writer(data_dir: Path, *, start: int, count: int) -> subprocess.Popen[str]:
    program = (
        "from pathlib import Path\n"
        "from mlops_assets.stores.predictions.prediction_log import PredictionLog\n"
        "from mlops_assets_tests.stores.predictions.test_prediction_log import make_record\n"
        f"log = PredictionLog(Path({str(data_dir)!r}) / 'prediction_log' / 'toy.sqlite', timeout=30)\n"
        f"for number in range({start}, {start + count}):\n"
        "    log.append([make_record(number)])\n"
        "    print(f'id-{number}', flush=True)\n"
    )
    root = Path(__file__).parents[3]
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=root)

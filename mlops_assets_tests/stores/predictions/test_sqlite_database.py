"""The embedded log's file: what becomes of it under a running service is noticed before an answer counts."""

from __future__ import annotations

import os
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from mlops_assets.contract.errors import ServingError
from mlops_assets.stores.predictions.prediction_log import PredictionLog, log_path, prediction_log_of
from mlops_assets.stores.predictions.records import RecordGroup
from mlops_assets.stores.predictions.sql_log import SqlLog
from mlops_assets.stores.predictions.sqlite_database import SqliteDatabase
from mlops_assets_tests.stores.predictions.answered import make_group, make_record


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return log_path("toy", folder=tmp_path)


@pytest.fixture
def log(path: Path) -> Iterator[PredictionLog]:
    with closing(open_log(path)) as made:
        yield made


def open_log(path: Path) -> PredictionLog:
    return prediction_log_of("toy", folder=path.parents[1], environment={})


def group(name: str, *, rows: int = 1, size: int = 1, answered_at: datetime | None = None) -> RecordGroup:
    """Records of about ``size`` bytes that cannot be made smaller."""
    moment = answered_at or datetime(2026, 1, 2, tzinfo=UTC)
    made = [
        make_record(prediction_id=f"{name}-{number}", inputs={"random": os.urandom(size).hex()}, answered_at=moment)
        for number in range(rows)
    ]
    return make_group(made)


def remove(path: Path) -> None:
    path.unlink()


def replace_by_copy(path: Path) -> None:
    copy = path.with_suffix(".copy")
    copy.write_bytes(path.read_bytes())
    copy.rename(path)


@pytest.mark.parametrize("end", ["", "-wal", "-shm"])
@pytest.mark.parametrize(("done", "said"), [(remove, "was removed"), (replace_by_copy, "was replaced")])
def test_a_file_that_is_gone_or_another_is_noticed_before_an_answer_counts(
    path: Path, log: PredictionLog, end: str, done: Callable[[Path], None], said: str
) -> None:
    log.append([group("before")], timeout=1)

    done(path.with_name(path.name + end))

    for refused in (lambda: log.append([group("after")], timeout=1), log.ready):
        with pytest.raises(ServingError, match=said):
            refused()


def test_a_file_that_goes_while_it_is_written_is_noticed_too(path: Path, log: PredictionLog) -> None:
    def write_and_remove() -> None:
        with log._database.transaction(timeout=1) as run:  # type: ignore[attr-defined]
            run.execute("UPDATE log SET last = 1")
            for file in path.parent.iterdir():
                file.unlink()

    with pytest.raises(ServingError, match=r"toy\.sqlite, toy\.sqlite-wal, toy\.sqlite-shm was removed"):
        write_and_remove()


def test_files_that_are_put_back_are_written_on(path: Path, log: PredictionLog) -> None:
    path.rename(path.with_suffix(".aside"))
    with pytest.raises(ServingError, match=r"was removed\. Put the files back"):
        log.ready()

    path.with_suffix(".aside").rename(path)

    log.append([group("after")], timeout=1)
    assert log.last_seq() == 1


def test_a_full_disk_is_an_error_and_nothing_half_written(path: Path, log: PredictionLog) -> None:
    log.append([group("first")], timeout=1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.with_name(path.name + "-wal").stat().st_size + 20_000, hard))
    try:
        with pytest.raises(ServingError, match="could not be written"):
            log.append([group("large", rows=50, size=10_000)], timeout=1)
        assert log.read_after(0, limit=99)["prediction_id"].to_pylist() == ["first-0"]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    log.append([group("second")], timeout=1)
    assert log.read_after(0, limit=99)["prediction_id"].to_pylist() == ["first-0", "second-0"]


def test_a_log_on_a_full_disk_is_not_ready(path: Path, log: PredictionLog) -> None:
    log.ready()
    with (
        closing(SqlLog(SqliteDatabase(path, least_free=2**60))) as full,
        pytest.raises(ServingError, match="the disk is full"),
    ):
        full.ready()


def test_a_file_that_is_no_log_is_named(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, " * 1000)
    with pytest.raises(ServingError, match=r"toy\.sqlite could not be opened: file is not a database"):
        open_log(path)


def test_a_log_of_an_earlier_version_is_refused_with_what_to_do(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as earlier:
        earlier.execute("CREATE TABLE predictions (seq INTEGER PRIMARY KEY)")

    with pytest.raises(ServingError, match=r"of an earlier version.*Collect it with the version that wrote it"):
        open_log(path)


def test_what_was_pruned_makes_room_for_what_comes(path: Path) -> None:
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    sizes = []
    for week in range(4):
        with closing(open_log(path)) as log:
            for number in range(50):
                log.append([group(f"{week}-{number}", size=20_000, answered_at=moment)], timeout=5)
            moment += timedelta(days=7)
            assert log.prune(upto=log.last_seq(), before=moment) == 50
        sizes.append(path.stat().st_size)
    assert max(sizes[1:]) < 1.05 * sizes[0]


def test_a_prediction_takes_less_than_two_kilobytes_by_itself_and_about_one_in_company(path: Path) -> None:
    def size(rows: int, *, groups: int) -> float:
        target = path.parents[1] / f"{rows}" / path.name
        with closing(prediction_log_of("toy", folder=target.parent, environment={})) as log:
            for number in range(groups):
                log.append([flights_like(f"{number}", rows=rows)], timeout=5)
        return log_path("toy", folder=target.parent).stat().st_size / (rows * groups)

    assert size(1, groups=300) < 2_000
    assert size(32, groups=40) < 1_150


def flights_like(name: str, *, rows: int) -> RecordGroup:
    """152 features, half of them shares without any pattern."""
    random = np.random.default_rng(rows)
    made = []
    for number in range(rows):
        shares = random.random(73).tolist()
        counts = random.integers(0, 100, 73).astype(float).tolist()
        features = {f"feature_{place}__late_rate_28d": value for place, value in enumerate([*shares, *counts])}
        texts = {f"text_{place}": "EWR-IAH" for place in range(6)}
        made.append(
            make_record(
                prediction_id=str(uuid4()),
                example_id=f"2013-07-01-UA{number}{name}-EWR",
                history_as_of="2013-07-01",
                history_commit="a" * 64,
                inputs={"carrier": "UA", "flight": 1545, "origin": "EWR", "dest": "IAH", "distance": 1400.0},
                features=features | texts,
            )
        )
    return make_group(made)

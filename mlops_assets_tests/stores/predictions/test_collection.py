"""What a log holds past the lake is cut into files a few rows at a time; small files of a day become one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mlops_assets.contract.errors import ServingError
from mlops_assets.stores.predictions.collected_files import CollectedFile, collected_upto
from mlops_assets.stores.predictions.collection import Pending, Piece, cut, join, runs
from mlops_assets.stores.predictions.prediction_log import PredictionLog, prediction_log_of
from mlops_assets_tests.stores.predictions.answered import make_group, make_record

LOG, OTHER = "a" * 32, "b" * 32
MIDNIGHT = datetime(2026, 1, 3, tzinfo=UTC)
FILE = CollectedFile(folder="toy/prediction_log/", day=date(2026, 1, 2), log_id=LOG, first=1, last=3)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[PredictionLog]:
    with closing(prediction_log_of("toy", folder=tmp_path, environment={})) as made:
        yield made


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "staged"
    folder.mkdir()
    return folder


def answer(log: PredictionLog, *minutes: int, event_time: datetime | None = None) -> None:
    """Answers so many minutes after midnight, about the day before unless it is said."""
    event_time = event_time or datetime(2026, 1, 2, 8)
    first = log.last_seq() + 1
    records = [
        make_record(
            prediction_id=f"p{first + place}", answered_at=MIDNIGHT + timedelta(minutes=minute), event_time=event_time
        )
        for place, minute in enumerate(minutes)
    ]
    log.append([make_group(records)], timeout=5)


def pending(log: PredictionLog, *, after: int = 0) -> Pending:
    return Pending(
        read=log.read_after,
        after=after,
        folder="toy/prediction_log/",
        log_id=LOG,
        moment="answered_at",
        place=log.place,
    )


def numbers(piece: Piece) -> list[int]:
    found: list[int] = pq.read_table(piece.source)["seq"].to_pylist()
    return found


def test_files_are_by_the_day_of_the_answer_and_their_names_tell_the_days_of_the_events(
    log: PredictionLog, into: Path
) -> None:
    answer(log, -2, -1)
    answer(log, 0, 1, event_time=datetime(2013, 7, 1))

    pieces = cut(pending(log), into=into)

    assert [piece.file.path for piece in pieces] == [
        f"toy/prediction_log/2026-01-02/{LOG}-1-2.2026-01-02.2026-01-02.parquet",
        f"toy/prediction_log/2026-01-03/{LOG}-3-4.2013-07-01.2013-07-01.parquet",
    ]
    assert [numbers(piece) for piece in pieces] == [[1, 2], [3, 4]]


def test_a_backlog_is_cut_and_an_answer_out_of_turn_around_midnight_is_a_file_of_its_own(
    log: PredictionLog, into: Path
) -> None:
    answer(log, -5, -4, -3, 1, -2, 2, 3, 4, 5, 6)

    pieces = cut(pending(log, after=1), into=into, rows_per_file=3)

    assert [numbers(piece) for piece in pieces] == [[2, 3], [4], [5], [6, 7, 8], [9, 10]]
    assert [(piece.file.first, piece.file.last) for piece in pieces] == [(2, 3), (4, 4), (5, 5), (6, 8), (9, 10)]


def test_requests_about_many_days_are_one_file(log: PredictionLog, into: Path) -> None:
    for number in range(20):
        answer(log, 1, event_time=datetime(2013, 1, 1) + timedelta(days=100 * number))

    (piece,) = cut(pending(log), into=into)

    assert piece.file.events == (date(2013, 1, 1), date(2018, 3, 16))
    assert piece.file.may_hold(date(2015, 1, 1))
    assert not piece.file.may_hold(date(2012, 12, 31))


def test_records_that_are_neither_in_the_log_nor_in_the_lake_are_told(log: PredictionLog, into: Path) -> None:
    answer(log, 1, 2, 3)
    answer(log, 4)
    log.prune(upto=3, before=MIDNIGHT + timedelta(days=1))

    assert [numbers(piece) for piece in cut(pending(log, after=3), into=into)] == [[4]]
    with pytest.raises(ServingError, match="goes on with number 4 where the lake ends with 2"):
        cut(pending(log, after=2), into=into)


def test_files_of_a_day_that_is_over_and_that_follow_on_each_other_belong_together() -> None:
    files = [
        replace(FILE, first=1, last=3),
        replace(FILE, first=4, last=4),
        replace(FILE, first=5, last=5, day=date(2026, 1, 3)),
        replace(FILE, first=6, last=9),
        replace(FILE, first=10, last=15),
        replace(FILE, first=16, last=16),
    ]

    def together(before: date, rows: int = 100) -> list[list[int]]:
        return [[file.first for file in run] for run in runs(files[::-1], before=before, rows_per_file=rows)]

    assert together(date(2026, 1, 3)) == [[1, 4], [5], [6, 10, 16]]
    assert together(date(2026, 1, 3), rows=10) == [[1, 4], [5], [6, 10], [16]]
    assert together(date(2026, 1, 2)) == [[1], [4], [5], [6], [10], [16]]


def test_files_become_one_without_losing_a_row(log: PredictionLog, into: Path) -> None:
    pieces = []
    for day in (1, 5, 3):
        answer(log, -3, -2, event_time=datetime(2026, 1, day))
        after = pieces[-1].file.last if pieces else 0
        pieces += cut(pending(log, after=after), into=into)

    one = join(pieces, into=into)

    assert one.file.path == f"toy/prediction_log/2026-01-02/{LOG}-1-6.2026-01-01.2026-01-05.parquet"
    assert pq.read_table(one.source).equals(log.read_after(0, limit=10))
    assert pq.read_metadata(one.source).num_row_groups == 1


@pytest.mark.parametrize(
    ("path", "events"),
    [
        (
            f"toy/prediction_log/2026-01-02/{LOG}-1-3.2013-07-01.2013-07-02.parquet",
            (date(2013, 7, 1), date(2013, 7, 2)),
        ),
        (f"toy/prediction_log/2026-01-02/{LOG}-1-3.parquet", (date(2026, 1, 2), date(2026, 1, 2))),
        (f"toy/served_outcomes/2026-01-02/{LOG}-1-3.parquet", None),
    ],
)
def test_names_say_what_a_file_holds_also_those_of_earlier_versions(
    path: str, events: tuple[date, date] | None
) -> None:
    file = CollectedFile.parse(path)

    assert file is not None
    assert (file.log_id, file.day, file.first, file.last, file.events) == (LOG, date(2026, 1, 2), 1, 3, events)


def test_what_is_no_collected_file_has_no_name() -> None:
    assert CollectedFile.parse("toy/prediction_log/2026-01-02/readme.md") is None


def test_files_of_another_log_do_not_move_the_cursor() -> None:
    files = [FILE, replace(FILE, log_id=OTHER, last=500)]
    assert collected_upto(files, log_id=LOG) == 3
    assert collected_upto(files, log_id="c" * 32) == 0

"""What every prediction log promises, held to by each of ours: the file, and the Postgres of several machines."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import IO
from uuid import uuid4

import psycopg
import pytest

from mlops_assets.contract.errors import ServingError, SettingError
from mlops_assets.stores.predictions.prediction_log import (
    PredictionLog,
    existing_log_of,
    kept_in_log,
    prediction_log_of,
)
from mlops_assets.stores.predictions.records import OUTCOMES, SCHEMA, Outcome, RecordGroup, Repeatable
from mlops_assets_tests.stores.predictions.answered import make_group, make_record
from mlops_assets_tests.stores.predictions.postgres import PROGRAMS, postgres

ROOT = Path(__file__).parents[3]
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the log of a test is."""

    folder: Path
    environment: dict[str, str]
    use_case: str

    def open(self) -> PredictionLog:
        return prediction_log_of(self.use_case, folder=self.folder, environment=self.environment)

    def program(self, body: str) -> subprocess.Popen[str]:
        """Another process that has the log open as ``log``, and runs ``body``."""
        head = (
            "import sys\n"
            "from pathlib import Path\n"
            "from mlops_assets.stores.predictions.prediction_log import prediction_log_of\n"
            "from mlops_assets_tests.stores.predictions.test_prediction_log import group, repeatable\n"
            f"log = prediction_log_of({self.use_case!r}, folder=Path({str(self.folder)!r}), "
            f"environment={self.environment!r})\n"
            "print('open', flush=True)\n"
        )
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        return subprocess.Popen([sys.executable, "-c", head + body], **pipes, text=True, cwd=ROOT)  # type: ignore[call-overload,no-any-return]


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    if PROGRAMS is None:
        pytest.skip("postgresql is not installed")
    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    environment = {}
    if request.param == "postgres":
        environment = {"MLOPS_PREDICTION_LOG_URL": request.getfixturevalue("postgres_url")}
    return Place(folder=tmp_path, environment=environment, use_case=f"toy_{uuid4().hex[:8]}")


@pytest.fixture
def log(place: Place) -> Iterator[PredictionLog]:
    with closing(place.open()) as made:
        yield made


def group(*numbers: int, repeatable: Sequence[Repeatable] = (), **values: object) -> RecordGroup:
    """The records ``id-<number>``."""
    rows = [make_record(prediction_id=f"id-{number}", **values) for number in numbers]
    return make_group(rows, repeatable=tuple(repeatable))


def repeatable(key: str, *, first: int = 0, rows: int = 1, answer: bytes = b"{}") -> Repeatable:
    return Repeatable(key=key, fingerprint=b"asked", first=first, rows=rows, answer=answer)


def append(log: PredictionLog, *groups: RecordGroup) -> frozenset[str]:
    return log.append(groups, timeout=5)


def ids(log: PredictionLog, *, after: int = 0, limit: int = 1000) -> list[str]:
    found: list[str] = log.read_after(after, limit=limit)["prediction_id"].to_pylist()
    return found


def test_a_record_comes_back_as_it_was_written(log: PredictionLog) -> None:
    record = make_record(
        prediction_id="id-1",
        example_id="2013-07-01-UA1545-EWR",
        history_as_of="2013-07-01",
        history_commit="c0ffee",
        inputs={"carrier": "UA", "distance": 1400},
        features={"rate": 0.1 + 0.2, "gone": float("nan"), "carrier": "UA"},
        flags=["unknown carrier"],
    )
    append(log, make_group([record]))

    read = log.read_after(0, limit=10)

    assert read.schema == SCHEMA
    assert log.find("id-1") == {
        **record,
        "seq": 1,
        "predicted": None,
        "features": {"rate": 0.1 + 0.2, "gone": None, "carrier": "UA"},
    }
    assert log.find("id-2") is None


def test_groups_of_several_versions_are_one_transaction(log: PredictionLog) -> None:
    append(log, group(1, 2, features={"a": 1.0}), group(3, features={"b": 2.0, "c": "x"}, model_version="other"))

    with pytest.raises(ServingError, match="could not be written"):
        append(log, group(4), group(1))

    assert ids(log) == ["id-1", "id-2", "id-3"]
    assert (log.last_seq(), log.find("id-4")) == (3, None)
    third = log.find("id-3")
    assert third is not None
    assert (third["features"], third["model_version"]) == ({"b": 2.0, "c": "x"}, "other")


def test_reading_goes_on_where_it_stopped_also_inside_a_group(log: PredictionLog) -> None:
    append(log, group(1, 2, 3))
    append(log, group(4, 5), group(6))

    assert [ids(log, after=after, limit=2) for after in range(7)] == [
        ["id-1", "id-2"],
        ["id-2", "id-3"],
        ["id-3", "id-4"],
        ["id-4", "id-5"],
        ["id-5", "id-6"],
        ["id-6"],
        [],
    ]
    assert log.read_after(3, limit=2)["seq"].to_pylist() == [4, 5]


def test_the_event_days_of_what_is_left_to_collect_are_told(log: PredictionLog) -> None:
    append(log, make_group([make_record(prediction_id=f"{day}", event_time=datetime(2013, 7, day)) for day in (1, 2)]))
    append(log, group(3, event_time=datetime(2013, 9, 9, 23, 59)))

    assert log.event_days_after(0) == {date(2013, 7, 1), date(2013, 7, 2), date(2013, 9, 9)}
    assert log.event_days_after(1) == {date(2013, 7, 2), date(2013, 9, 9)}
    assert log.event_days_after(3) == frozenset()


def test_a_request_with_a_key_is_answered_once(log: PredictionLog) -> None:
    first = repeatable("k", first=1, rows=2, answer=b"first")
    assert append(log, group(1, 2, 3, repeatable=[first])) == frozenset()

    again = [repeatable("new"), repeatable("k", first=1, rows=2, answer=b"second")]
    assert append(log, group(4, 5, 6, 7, repeatable=again)) == {"k"}

    assert ids(log) == ["id-1", "id-2", "id-3", "id-4", "id-7"]
    assert log.last_seq() == 5
    kept = log.answered("k")
    assert kept is not None
    assert (kept.fingerprint, kept.answer) == (b"asked", b"first")
    assert log.answered("new") is not None
    assert log.answered("never") is None


def test_the_same_key_twice_in_one_append_is_answered_once(log: PredictionLog) -> None:
    both = [repeatable("k", first=0), repeatable("k", first=1)]

    assert append(log, group(1, repeatable=[repeatable("j")]), group(2, 3, repeatable=both)) == {"k"}

    assert ids(log) == ["id-1", "id-2"]


def test_two_processes_that_race_for_keys_answer_each_once(place: Place, log: PredictionLog) -> None:
    body = (
        "sys.stdin.readline()\n"
        "for number in range(25):\n"
        "    mine = [repeatable(f'k{number}'), repeatable(f'k{99 - number}', first=1)]\n"
        "    made = group(f'{NAME}{number}', f'{NAME}{number}-99', repeatable=mine)\n"
        "    print(len(log.append([made], timeout=30)), flush=True)\n"
    )
    with place.program(f"NAME = 'a'\n{body}") as a, place.program(f"NAME = 'b'\n{body}") as b:
        refused = sum(race([a, b]))

    assert refused == 50
    assert len(ids(log)) == log.last_seq() == 50


def race(processes: Sequence[subprocess.Popen[str]]) -> list[int]:
    """Lets all go on at once; the numbers that they print."""
    for process in processes:
        assert read_line(process.stdout) == "open"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    printed = [int(line) for process in processes for line in process.communicate(timeout=60)[0].split()]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return printed


def read_line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline().strip()


def test_writers_in_threads_and_processes_lose_nothing_and_leave_no_gap(place: Place, log: PredictionLog) -> None:
    def write(start: int) -> None:
        for number in range(start, start + 20, 2):
            append(log, group(number, number + 1))

    threads = [threading.Thread(target=write, args=(start,)) for start in (0, 100, 200)]
    body = "for number in range(1000, 1040):\n    log.append([group(number)], timeout=30)\n"
    with place.program(body) as process:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        process.communicate(timeout=60)
    assert process.returncode == 0

    assert log.read_after(0, limit=1000)["seq"].to_pylist() == list(range(1, 101))
    assert len(set(ids(log))) == 100


def test_kill_9_leaves_every_record_that_append_returned_for(place: Place, log: PredictionLog) -> None:
    body = (
        "for number in range(1_000_000):\n    log.append([group(number)], timeout=30)\n    print(number, flush=True)\n"
    )
    with place.program(body) as process:
        told = [read_line(process.stdout) for _ in range(30)][1:]
        os.kill(process.pid, signal.SIGKILL)
        told += process.communicate(timeout=30)[0].splitlines()

    kept = log.read_after(0, limit=1_000_000)
    assert {f"id-{number}" for number in told if number} <= set(kept["prediction_id"].to_pylist())
    assert kept["seq"].to_pylist() == list(range(1, kept.num_rows + 1))
    append(log, group(-1))
    log.ready()


@contextmanager
def held(place: Place) -> Iterator[None]:
    """Another process is in the middle of writing."""
    body = (
        "with log._database.transaction(timeout=5) as run:\n"
        "    run.execute('UPDATE log SET last = last')\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.readline()\n"
    )
    with place.program(body) as process:
        assert [read_line(process.stdout) for _ in range(2)] == ["open", "held"]
        try:
            yield
        finally:
            process.communicate("\n", timeout=30)


def test_a_log_that_another_process_holds_is_one_time_out_for_all_who_wait(place: Place, log: PredictionLog) -> None:
    refusals: list[float] = []

    def wait(number: int) -> None:
        started = datetime.now(UTC)
        with pytest.raises(ServingError, match="could not be written"):
            log.append([group(number)], timeout=0.5)
        refusals.append((datetime.now(UTC) - started).total_seconds())

    with held(place):
        threads = [threading.Thread(target=wait, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with pytest.raises(ServingError, match="could not be written"):
            log.ready()

    assert len(refusals) == 4
    assert max(refusals) < 1.5
    append(log, group(1))
    log.ready()


def test_only_one_collects_at_a_time_and_a_death_gives_the_next_its_turn(place: Place, log: PredictionLog) -> None:
    body = "with log.collecting():\n    print('mine', flush=True)\n    sys.stdin.readline()\n"
    began = threading.Event()

    def collect() -> None:
        with log.collecting():
            began.set()

    with place.program(body) as process:
        assert [read_line(process.stdout) for _ in range(2)] == ["open", "mine"]
        waiting = threading.Thread(target=collect)
        waiting.start()
        assert not began.wait(0.3)
        append(log, group(1))
        process.kill()
        assert began.wait(30)
        waiting.join()
        process.communicate()


def test_pruning_drops_what_is_collected_and_old_and_keeps_ids(log: PredictionLog) -> None:
    append(log, group(1, 2, example_id="e"), group(3, repeatable=[repeatable("old")]))
    append(log, group(4, 5, answered_at=NOON), group(6, answered_at=NOON, repeatable=[repeatable("new")]))

    assert log.prune(upto=2, before=NOON) == 2
    assert log.prune(upto=5, before=NOON) == 1

    assert ids(log) == ["id-4", "id-5", "id-6"]
    assert (log.find("id-1"), log.seq_of("id-1"), log.seq_of("nobody")) == (None, 1, None)
    assert (log.answered("old"), log.answered("new") is not None) == (None, True)
    with pytest.raises(ServingError):
        append(log, group(1))
    append(log, group(7))
    assert log.read_after(5, limit=9)["seq"].to_pylist() == [6, 7]


def test_an_empty_log_goes_on_counting_after_everything_was_pruned(log: PredictionLog) -> None:
    append(log, group(1, 2))
    assert log.prune(upto=2, before=NOON) == 2
    append(log, group(3))

    assert log.read_after(0, limit=9)["seq"].to_pylist() == [3]


def test_what_is_not_collected_is_counted_by_what_the_last_collection_said(log: PredictionLog) -> None:
    append(log, group(1, 2, 3))
    before = log.uncollected()
    log.mark_collected(upto=2)
    append(log, group(4))

    assert (before, log.uncollected()) == (3, 2)


def outcome(label: float | str, **of: str) -> Outcome:
    return Outcome(label=label, known_at=NOON, **of)


def test_outcomes_are_recorded_repeated_corrected_or_of_nothing_that_is_known(log: PredictionLog) -> None:
    append(log, group(1, example_id="flight"), group(2))

    said = log.record_outcomes(
        [
            outcome(1, prediction_id="id-1"),
            outcome(1.0, example_id="flight"),
            outcome(0, example_id="flight"),
            outcome(1, prediction_id="id-3"),
            outcome(1, example_id="train"),
            outcome("UA", prediction_id="id-2"),
        ]
    )

    assert said == ["recorded", "repeated", "corrected", "unknown", "unknown", "recorded"]
    kept = log.outcomes_after(0, limit=10)
    assert kept.schema == OUTCOMES
    assert kept.drop_columns(["recorded_at"]).to_pylist() == [
        {
            "seq": 1,
            "prediction_id": "id-1",
            "example_id": "flight",
            "label": 1.0,
            "label_class": None,
            "known_at": NOON,
        },
        {
            "seq": 2,
            "prediction_id": "id-1",
            "example_id": "flight",
            "label": 0.0,
            "label_class": None,
            "known_at": NOON,
        },
        {"seq": 3, "prediction_id": "id-2", "example_id": None, "label": None, "label_class": "UA", "known_at": NOON},
    ]
    assert log.outcomes_after(1, limit=1)["seq"].to_pylist() == [2]


def test_an_outcome_of_a_prediction_that_was_pruned_is_late_and_recorded(log: PredictionLog) -> None:
    append(log, group(1, example_id="flight"))
    log.prune(upto=1, before=NOON)

    assert log.record_outcomes([outcome(1, example_id="flight"), outcome(1, prediction_id="id-1")]) == [
        "late",
        "repeated",
    ]


def test_outcomes_told_by_two_processes_at_once_get_one_number_each(place: Place, log: PredictionLog) -> None:
    append(log, group(*range(40)))
    body = (
        "from mlops_assets_tests.stores.predictions.test_prediction_log import outcome\n"
        "sys.stdin.readline()\n"
        "for number in range(0, 40, 2):\n"
        "    log.record_outcomes([outcome(1, prediction_id=f'id-{number + OFFSET}')])\n"
    )
    with place.program(f"OFFSET = 0\n{body}") as a, place.program(f"OFFSET = 1\n{body}") as b:
        race([a, b])

    assert log.outcomes_after(0, limit=100)["seq"].to_pylist() == list(range(1, 41))


def test_a_log_keeps_its_identity_and_another_in_its_place_has_another(place: Place, log: PredictionLog) -> None:
    with closing(place.open()) as again:
        assert again.log_id == log.log_id
    other = Place(folder=place.folder, environment=place.environment, use_case=f"{place.use_case}_b")
    with closing(other.open()) as another:
        assert another.log_id != log.log_id
        append(another, group(1))
    assert log.last_seq() == 0


def test_a_log_that_became_another_one_is_written_no_more(place: Place, log: PredictionLog) -> None:
    with log._database.transaction(timeout=5) as run:  # type: ignore[attr-defined]
        run.execute("UPDATE log SET id = 'restored from elsewhere'")

    for refused in (lambda: append(log, group(1)), log.ready):
        with pytest.raises(ServingError, match="was replaced by another one"):
            refused()
    assert ids(log) == []


def test_a_postgres_connection_that_broke_is_replaced_by_the_next_use(tmp_path: Path, postgres_url: str) -> None:
    environment = {"MLOPS_PREDICTION_LOG_URL": postgres_url}
    with closing(prediction_log_of("broken", folder=tmp_path, environment=environment)) as log:
        append(log, group(1))
        with psycopg.connect(postgres_url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        with pytest.raises(ServingError, match=r"mlops_log_broken of .* could not be written"):
            append(log, group(2))
        append(log, group(3))

        assert ids(log) == ["id-1", "id-3"]


def test_a_postgres_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    environment = {"MLOPS_PREDICTION_LOG_URL": f"postgresql://me:secret@/mine?host={tmp_path}"}
    with pytest.raises(ServingError, match=r"mlops_log_toy of .*/mine could not be written") as refused:
        prediction_log_of("toy", folder=tmp_path, environment=environment)
    assert "secret" not in str(refused.value)


def test_a_name_that_postgres_would_cut_off_is_refused(tmp_path: Path) -> None:
    environment = {"MLOPS_PREDICTION_LOG_URL": "postgresql://nowhere"}
    with pytest.raises(SettingError, match="is too long for a prediction log on Postgres: 53 at most"):
        prediction_log_of("x" * 54, folder=tmp_path, environment=environment)


def test_looking_for_a_log_makes_no_file(tmp_path: Path) -> None:
    assert existing_log_of("toy", folder=tmp_path, environment={}) is None
    assert list(tmp_path.iterdir()) == []
    prediction_log_of("toy", folder=tmp_path, environment={}).close()
    again = existing_log_of("toy", folder=tmp_path, environment={})
    assert again is not None
    again.close()


@pytest.mark.parametrize("url", ["localhost:5432", "oracle://secret@there"])
def test_a_url_that_means_no_log_is_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingError, match=r"MLOPS_PREDICTION_LOG_URL is .*must begin with one of postgres") as refused:
        prediction_log_of("toy", folder=tmp_path, environment={"MLOPS_PREDICTION_LOG_URL": url})
    assert "secret" not in str(refused.value)


def test_how_long_the_log_keeps_what_is_collected_is_a_setting() -> None:
    assert kept_in_log({}) == timedelta(days=7)
    assert kept_in_log({"MLOPS_PREDICTION_LOG_DAYS": "30"}) == timedelta(days=30)
    with pytest.raises(SettingError, match="MLOPS_PREDICTION_LOG_DAYS is '0'"):
        kept_in_log({"MLOPS_PREDICTION_LOG_DAYS": "0"})

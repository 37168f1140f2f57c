"""What was answered is collected once, with its figures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, datetime, timedelta

import pyarrow.compute as pc
import pytest

from mlops_assets.contract.errors import ServingError
from mlops_assets.lake.publishing import WriteRefused
from mlops_assets.lake.tables import parquet_bytes, read_parquet
from mlops_assets.lake.write import Write
from mlops_assets.steps.collect import COLLECTED_ONCE
from mlops_assets.stores.models.champion import require_champion
from mlops_assets.stores.predictions.collected_files import records_of_day
from mlops_assets.stores.predictions.prediction_log import PredictionLog, prediction_log_of
from mlops_assets.stores.predictions.records import Outcome
from mlops_assets.stores.predictions.served_days import has_answers
from mlops_assets.stores.predictions.served_metrics import held_out_metrics, served_metrics
from mlops_assets.stores.predictions.tracing import trace
from mlops_assets.watch.served.table import METRICS
from mlops_assets_tests.orchestration.toy import PARCELS
from mlops_assets_tests.steps.played import NOW, SERVED, Loop
from mlops_assets_tests.stores.predictions.answered import make_group, make_record

DAY = date.fromisoformat(SERVED)
METRIC_NAMES = ("answered", "labelled", "positives", "realised:log_loss", "prior:log_loss")
LATER = NOW + timedelta(days=8)


@contextmanager
def opened(loop: Loop) -> Iterator[PredictionLog]:
    with closing(prediction_log_of("parcels", folder=loop.data)) as log:
        yield log


def answer(loop: Loop, *names: str, at: datetime = NOW) -> None:
    """Answers about nothing that the lake knows."""
    with opened(loop) as log:
        records = [make_record(prediction_id=name, answered_at=at) for name in names]
        log.append([make_group(records)], timeout=5)


def paths(loop: Loop, folder: str = "prediction_log") -> list[str]:
    return [info.path.rsplit("/", 2)[1] + "/" + _name(info.path) for info in loop.lake.at().paths(f"parcels/{folder}/")]


def _name(path: str) -> str:
    """A file's name without the log's id."""
    return path.rsplit("/", 1)[1].partition("-")[2].partition(".")[0]


def collected(loop: Loop, folder: str = "prediction_log", column: str = "prediction_id") -> list[str]:
    head = loop.lake.at()
    tables = [read_parquet(head.local(info.path)) for info in head.paths(f"parcels/{folder}/")]
    return [value for table in tables for value in table[column].to_pylist()]


def test_what_the_lake_holds_is_not_collected_again(served: Loop) -> None:
    first = served.collect()

    again = served.collect()

    assert [piece.file.rows for piece in first.outcome.pieces] == [60]
    assert again.files == {}
    assert (again.outcome.pieces, again.outcome.files_before) == ((), 1)


def test_the_files_of_a_day_become_one_when_it_is_over(empty: Loop) -> None:
    answer(empty, "a", "b")
    empty.collect()
    answer(empty, "c")
    empty.collect()
    assert paths(empty) == ["2024-03-11/1-2", "2024-03-11/3-3"]

    answer(empty, "d")
    answer(empty, "e", at=NOW + timedelta(days=1))
    step = empty.collect(now=NOW + timedelta(days=1))

    assert paths(empty) == ["2024-03-11/1-4", "2024-03-12/5-5"]
    assert collected(empty) == ["a", "b", "c", "d", "e"]
    assert (step.outcome.rows, step.outcome.joined) == (2, 2)
    assert empty.collect(now=LATER).files == {}


def test_an_answer_that_the_lake_has_held_for_long_leaves_the_log_and_is_still_traced(served: Loop) -> None:
    served.collect()
    assert served.collect(now=NOW + timedelta(days=6)).outcome.pruned == 0

    assert served.collect(now=LATER).outcome.pruned == 60

    with opened(served) as log:
        assert (log.find("p7"), log.seq_of("p7")) == (None, 8)
        traced = trace("p7", use_case=served.use_case, lake=served.lake, log=log)
    assert traced.prediction["prediction_id"] == "p7"
    assert traced.prediction["features"]["weight"]
    assert served.collect(now=LATER).files == {}


def test_what_the_lake_does_not_hold_yet_never_leaves_the_log(empty: Loop) -> None:
    answer(empty, "a", "b")

    assert empty.collect(now=LATER).outcome.pruned == 0
    assert empty.collect(now=LATER).outcome.pruned == 2


def test_outcomes_are_collected_once(empty: Loop) -> None:
    answer(empty, "a", "b")
    with opened(empty) as log:
        log.record_outcomes([Outcome(prediction_id="a", label=1, known_at=NOW)])
    empty.collect()
    with opened(empty) as log:
        log.record_outcomes([Outcome(prediction_id=name, label=0, known_at=NOW) for name in ("a", "b")])

    step = empty.collect()

    assert step.outcome.outcomes == 2
    assert sorted(collected(empty, "served_outcomes")) == ["a", "a", "b"]
    assert [path.rsplit("/", 1)[1] for path in paths(empty, "served_outcomes")] == ["1-1", "2-3"]
    assert empty.collect().files == {}


def test_the_answers_of_a_day_are_found_among_those_of_many_days_and_of_earlier_versions(empty: Loop) -> None:
    days = [datetime(2024, 3, day, 8) for day in (1, 5, 9)]
    with opened(empty) as log:
        records = [make_record(prediction_id=f"{day:%d}", answered_at=NOW, event_time=day) for day in days]
        log.append([make_group(records)], timeout=5)
        table = log.read_after(0, limit=1)
    empty.collect()
    path = f"parcels/prediction_log/2024-03-01/{'e' * 32}-1-1.parquet"
    empty.lake.publish(
        Write(use_case="parcels", asset="prediction_log"), files={path: parquet_bytes(table)}, audit=lambda staged: []
    )
    head = empty.lake.at()

    def found(day: int) -> list[str]:
        records = records_of_day(head, use_case="parcels", event_day=date(2024, 3, day))
        return sorted(records["prediction_id"].to_pylist())

    assert {day: found(day) for day in (1, 5, 6, 10)} == {1: ["01", "01"], 5: ["05"], 6: [], 10: []}
    assert has_answers(head, use_case=empty.use_case, event_day=date(2024, 3, 9))
    assert not has_answers(head, use_case=empty.use_case, event_day=date(2024, 3, 6))


def test_a_log_that_was_put_back_from_an_older_copy_is_refused(empty: Loop) -> None:
    answer(empty, "a", "b")
    empty.collect()
    with opened(empty) as log, log._database.transaction(timeout=5) as run:  # type: ignore[attr-defined]
        run.execute("UPDATE log SET last = 1")

    with pytest.raises(ServingError, match=r"holds predictions up to number 2 of log .* ends at 1"):
        empty.collect()


def figures(loop: Loop, *, day: date = date(2013, 7, 1)) -> dict[str, float]:
    """Of all rows of a day, by metric: what they add up to."""
    rows = served_metrics(loop.lake.at(), use_case="parcels", first=day, last=day).to_pylist()
    return {row["metric"]: row["value"] for row in rows if row["scope"] == "overall"}


def test_beside_every_file_lie_its_figures_and_they_are_joined_with_it(empty: Loop) -> None:
    for name in ("a", "b"):
        answer(empty, name)
        empty.collect()
        assert paths(empty, "served_metrics") == paths(empty)
    assert len(paths(empty)) == 2

    step = empty.collect(now=NOW + timedelta(days=1))

    assert step.outcome.joined == 2
    assert paths(empty, "served_metrics") == paths(empty) == ["2024-03-11/1-2"]
    assert figures(empty)["answered"] == 2


def test_the_figures_of_answers_are_by_what_their_version_has_learnt(served: Loop) -> None:
    served.collect()

    table = served_metrics(served.lake.at(), use_case="parcels", first=DAY, last=DAY)
    whole = table.filter(pc.field("metric") == "unseen:depot")
    answered = table.filter(pc.field("metric") == "answered").to_pylist()
    assert pc.sum(whole["value"]).as_py() == 0
    assert sum(row["n"] for row in answered if row["scope"] == "overall") == 60
    assert {row["scope"] for row in answered} == {"overall", "depot=AMS", "depot=BER"}


def test_what_a_version_was_judged_on_has_the_same_figures(served: Loop) -> None:
    head = served.lake.at()
    version = require_champion(head, use_case="parcels").version

    table = held_out_metrics(head, use_case=PARCELS, version=version)

    rows = read_parquet(head.local(f"parcels/evaluations/{version}/predictions.parquet"))
    overall = table.filter(pc.field("scope") == "overall")
    told = {name: pc.sum(overall.filter(pc.field("metric") == name)["value"]).as_py() for name in METRIC_NAMES}
    assert (told["answered"], told["labelled"]) == (rows.num_rows, rows.num_rows)
    assert told["positives"] == pc.sum(rows["predicted_positive"]).as_py()
    assert told["realised:log_loss"] < told["prior:log_loss"]


def test_files_that_an_earlier_version_collected_get_their_figures_at_the_next_collection(empty: Loop) -> None:
    answer(empty, "a", "b")
    empty.collect()
    left = [info.path for info in empty.lake.at().paths("parcels/served_metrics/")]
    write = Write(use_case="parcels", asset="prediction_log")
    empty.lake.publish(write, files={}, deletes=left, audit=lambda staged: [])

    step = empty.collect()

    assert (step.outcome.rows, step.outcome.caught_up) == (0, 1)
    assert figures(empty)["answered"] == 2
    assert empty.collect().files == {}


def test_figures_that_are_not_of_all_answers_are_not_published(empty: Loop) -> None:
    answer(empty, "a", "b")
    with empty.collecting() as step:
        lacking = parquet_bytes(METRICS.empty_table())
        files = {path: lacking if "served_metrics" in path else content for path, content in step.files.items()}

        with pytest.raises(WriteRefused, match="figures of these files are not of all their answers"):
            empty.lake.publish(Write(use_case="parcels", asset="prediction_log"), files=files, audit=step.audit)


def test_records_that_another_collection_published_meanwhile_are_not_published_twice(empty: Loop) -> None:
    answer(empty, "a", "b")
    with empty.collecting() as late:
        answer(empty, "c")
        empty.collect()

        with pytest.raises(WriteRefused, match=COLLECTED_ONCE):
            empty.lake.publish(Write(use_case="parcels", asset="prediction_log"), files=late.files, audit=late.audit)

    assert collected(empty) == ["a", "b", "c"]

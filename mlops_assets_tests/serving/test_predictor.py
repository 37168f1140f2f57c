"""Predicting in process: what is answered, what is remembered, what is flagged."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mlops_assets.contract.errors import FeatureError, ServingError
from mlops_assets.contract.use_case import UseCase
from mlops_assets.serving.asking import Asking
from mlops_assets.serving.engine import Pending
from mlops_assets.serving.predictor import Predictor
from mlops_assets.serving.wire import Refused
from mlops_assets.stores.models.bento_store import checksum
from mlops_assets.stores.predictions.prediction_log import log_path, prediction_log_of
from mlops_assets_tests.serving.factories import (
    COMMIT,
    PARCELS,
    VERSION,
    make_history,
    make_model_files,
    make_parcel,
    refresh_online_store,
)
from mlops_assets_tests.serving.toys.quiet import USE_CASE as QUIET

ASKING = Asking(PARCELS, most_rows=10)


@contextmanager
def opened(folder: Path, *, use_case: UseCase = PARCELS, **more: Any) -> Iterator[Predictor]:
    files = make_model_files(folder / "model", use_case=use_case)
    if use_case is PARCELS:
        refresh_online_store(folder, make_history())
    checksums = {name: checksum(path) for name, path in files.items()}
    predictor = Predictor.open(folder / "model", use_case=use_case, checksums=checksums, data_dir=folder, **more)
    try:
        yield predictor
    finally:
        predictor.close()


def parcels(*rows: dict[str, Any]) -> list[Any]:
    return [PARCELS.request.model_validate(row) for row in rows]


def remembered(folder: Path, prediction_id: str, *, use_case: str = "parcels") -> dict[str, Any]:
    log = prediction_log_of(use_case, folder=folder)
    found = log.find(prediction_id)
    log.close()
    assert found is not None
    return found


def test_answer_is_remembered_with_inputs_features_and_lineage(tmp_path: Path) -> None:
    with opened(tmp_path) as predictor:
        (answer,) = predictor.predict(parcels(make_parcel(weight=12.0)))
    found = remembered(tmp_path, answer["prediction_id"])
    assert 0 < answer["score"] < 1
    assert answer["model_version"] == VERSION
    assert (answer["history_as_of"], answer["history_commit"]) == ("2013-07-01", COMMIT)
    assert found["score"] == answer["score"]
    assert found["predicted_positive"] == answer["predicted_positive"] == (answer["score"] >= 0.5)
    assert found["event_time"] == datetime(2013, 7, 1, 8, 30)
    assert found["example_id"] == "EWR-201307010830"
    assert found["inputs"]["weight"] == 12.0
    assert found["features"] == {
        "depot": "EWR",
        "weight": 12.0,
        "is_heavy": 1,
        "depot__late_rate_7d": 0.5,
        "depot__parcels_7d": 40.0,
    }


def test_a_row_scores_the_same_alone_and_in_a_batch(tmp_path: Path) -> None:
    rows = parcels(*(make_parcel(weight=weight, depot=depot) for weight in (1, 9, 20) for depot in ("EWR", "LGA")))
    with opened(tmp_path) as predictor:
        together = [answer["score"] for answer in predictor.predict(rows)]
        alone = [predictor.predict([row])[0]["score"] for row in rows]
    assert together == alone
    assert len(set(together)) > 2


def test_what_is_unusual_is_flagged(tmp_path: Path) -> None:
    with opened(tmp_path) as predictor:
        answers = predictor.predict(
            parcels(
                make_parcel(),
                make_parcel(depot="LGA"),
                make_parcel(depot="XXX"),
                make_parcel(sent_at="2013-07-04T01:00:00"),
                make_parcel(sent_at="2013-06-30T23:59:00"),
            )
        )
    assert [answer["flags"] for answer in answers] == [
        [],
        ["no history of depot 'LGA'"],
        ["unknown depot 'XXX'", "no history of depot 'XXX'"],
        ["history is as of 2013-07-01, 3 days before the event's day"],
        ["history is as of 2013-07-01, 1 days after the event's day"],
    ]


def test_a_use_case_without_history_time_and_id_is_served_too(tmp_path: Path) -> None:
    with opened(tmp_path, use_case=QUIET) as predictor:
        rows = [QUIET.request.model_validate({"age": 44, "job": job}) for job in ("clerk", "other")]
        answers = predictor.predict(rows)
        described = predictor.describe()
    found = remembered(tmp_path, answers[0]["prediction_id"], use_case="quiet")
    assert [answer["flags"] for answer in answers] == [[], ["unknown job 'other'"]]
    assert (answers[0]["history_as_of"], answers[0]["history_commit"], found["example_id"]) == (None, None, None)
    assert found["event_time"].replace(tzinfo=UTC) == found["answered_at"]
    assert found["features"]["age_squared"] == 44.0**2
    assert described["history"] is None


def test_refreshed_history_is_used_by_the_next_answer(tmp_path: Path) -> None:
    with opened(tmp_path) as predictor:
        (before,) = predictor.predict(parcels(make_parcel()))
        refresh_online_store(tmp_path, make_history(as_of=date(2013, 7, 2), late_rate=0.95), commit="beef" * 10)
        (after,) = predictor.predict(parcels(make_parcel()))
    assert after["score"] > before["score"]
    assert (after["history_as_of"], after["history_commit"]) == ("2013-07-02", "beef" * 10)


def test_nothing_is_answered_when_it_cannot_be_recorded(tmp_path: Path) -> None:
    with opened(tmp_path) as predictor:
        file = log_path("parcels", folder=tmp_path)
        file.rename(file.with_suffix(".aside"))
        with pytest.raises(ServingError, match="was removed"):
            predictor.predict(parcels(make_parcel()))
        file.with_suffix(".aside").rename(file)
        assert predictor.log.read_after(0, limit=10).num_rows == 0
        predictor.predict(parcels(make_parcel()))


def pending(*rows: dict[str, Any], key: str | None = None, fingerprint: bytes = b"") -> Pending:
    """A request that waits."""
    asked = ASKING.check(json.dumps({"rows": rows}).encode(), day=date(2013, 7, 1), key=key)
    nobody: Any = None
    return Pending(asked=asked, deadline=math.inf, fingerprint=fingerprint, answer=nobody)


def senders(predictor: Predictor) -> list[str]:
    rows = predictor.log.read_after(0, limit=100).to_pylist()
    return [json.loads(row["inputs"])["sender"] for row in rows]


def test_requests_that_are_answered_together_get_each_its_own_answers(tmp_path: Path) -> None:
    rows = [make_parcel(sender=name, weight=weight) for name, weight in (("a", 1), ("b", 9), ("c", 20))]
    with opened(tmp_path) as predictor:
        outcomes = predictor.together([pending(rows[0]), pending(make_parcel(weight=0), rows[1], rows[2])])
        alone = [predictor.predict(parcels(row))[0]["score"] for row in rows]
        kept = senders(predictor)

    first, second = (json.loads(outcome)["predictions"] for outcome in outcomes if isinstance(outcome, bytes))
    assert [each.get("score") for each in (*first, *second)] == [alone[0], None, *alone[1:]]
    assert kept[:3] == ["a", "b", "c"]


def test_what_was_given_up_meanwhile_is_not_remembered(tmp_path: Path) -> None:
    requests = [pending(make_parcel(sender=name), make_parcel(sender=name)) for name in "abc"]
    with opened(tmp_path) as predictor:
        requests[1].give_up()
        predictor.together(requests)
        predictor.together([requests[1]])

        assert senders(predictor) == ["a", "a", "c", "c"]


def test_a_key_answers_again_what_it_answered_and_nothing_else(tmp_path: Path) -> None:
    with opened(tmp_path) as predictor:
        (first,) = predictor.together([pending(make_parcel(sender="a"), key="k", fingerprint=b"1")])
        again, other = predictor.together(
            [
                pending(make_parcel(sender="a"), key="k", fingerprint=b"1"),
                pending(make_parcel(sender="b"), key="other", fingerprint=b"2"),
            ]
        )
        (refused,) = predictor.together([pending(make_parcel(sender="c"), key="k", fingerprint=b"3")])

        assert again == first
        assert isinstance(other, bytes)
        assert isinstance(refused, Refused)
        assert refused.status == 422
        assert senders(predictor) == ["a", "b"]


@pytest.mark.parametrize("key", [None, "k"])
def test_a_log_that_is_gone_is_a_503_with_a_key_and_without(tmp_path: Path, key: str | None) -> None:
    with opened(tmp_path) as predictor:
        file = log_path("parcels", folder=tmp_path)
        file.rename(file.with_suffix(".aside"))
        with pytest.raises(Refused) as refusal:
            predictor.together([pending(make_parcel(), key=key)])
        file.with_suffix(".aside").rename(file)

    assert (refusal.value.status, refusal.value.retry_after) == (503, 1)
    assert str(tmp_path) not in refusal.value.refusal.error


def test_a_row_that_cannot_be_computed_fails_its_own_request_alone(tmp_path: Path) -> None:
    (tmp_path / "features.sql").write_text(
        "SELECT id, CASE WHEN age = 13 THEN error('unlucky') ELSE CAST(age * age AS DOUBLE) END AS age_squared "
        "FROM examples"
    )
    unlucky = replace(QUIET, features_sql=tmp_path / "features.sql")
    asking = Asking(unlucky, most_rows=3)
    nobody: Any = None
    requests = [
        Pending(asked=asking.check(body, day=date(2013, 7, 1)), deadline=math.inf, answer=nobody)
        for body in (b'{"rows":[{"age":44,"job":"clerk"}]}', b'{"rows":[{"age":13,"job":"clerk"}]}')
    ]
    with opened(tmp_path, use_case=unlucky) as predictor:
        with pytest.raises(FeatureError, match="unlucky"):
            predictor.together(requests)
        with pytest.raises(Refused) as refusal:
            predictor.together(requests[1:])
        (answered,) = predictor.together(requests[:1])

    assert (refusal.value.status, "unlucky" in refusal.value.refusal.error) == (400, False)
    assert isinstance(answered, bytes)


def test_what_is_remembered_is_answered_though_it_cannot_be_counted(tmp_path: Path) -> None:
    def fails(_: pa.RecordBatch) -> None:
        raise OSError("no space left for counters")

    with opened(tmp_path, observe=fails) as predictor:
        (outcome,) = predictor.together([pending(make_parcel(sender="a"))])

        assert isinstance(outcome, bytes)
        assert senders(predictor) == ["a"]


def test_an_empty_online_store_is_an_error_that_says_so(tmp_path: Path) -> None:
    files = make_model_files(tmp_path / "model")
    checksums = {name: checksum(path) for name, path in files.items()}
    predictor = Predictor.open(tmp_path / "model", use_case=PARCELS, checksums=checksums, data_dir=tmp_path)
    with pytest.raises(ServingError, match="online store is empty"):
        predictor.predict(parcels(make_parcel()))
    predictor.close()


@pytest.mark.parametrize("name", ["model.ubj", "vocabulary.json", "record.json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_a_damaged_model_is_refused(tmp_path: Path, name: str, damage: str) -> None:
    files = make_model_files(tmp_path / "model")
    checksums = {each: checksum(path) for each, path in files.items()}
    content = bytearray(files[name].read_bytes())
    if damage == "remove":
        files[name].unlink()
    else:
        content[len(content) // 2] ^= 1
        files[name].write_bytes(content if damage == "flip" else content[:-1])
    with pytest.raises(ServingError, match=name.replace(".", r"\.")):
        Predictor.open(tmp_path / "model", use_case=PARCELS, checksums=checksums, data_dir=tmp_path)

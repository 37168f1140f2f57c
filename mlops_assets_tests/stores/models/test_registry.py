"""Versions and evaluations as files: written whole, read back verified, refused when anything is off."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from mlops_assets.contract.errors import RegistryError
from mlops_assets.contract.paths import model_path
from mlops_assets.features.matrix import Matrix
from mlops_assets.lake.lake import Lake
from mlops_assets.stores.models.record import version_of
from mlops_assets.stores.models.registry import (
    ModelVersion,
    load_evaluation,
    load_record,
    load_version,
    verify_answers,
    version_files,
    version_ids,
)
from mlops_assets.training.booster import train
from mlops_assets_tests.lake.factories import make_write, passing
from mlops_assets_tests.stores.models.factories import (
    make_record,
    publish_evaluation,
    publish_version,
    tiny_model,
    tiny_report,
)


def test_a_version_is_read_back_as_it_was_written(lake: Lake) -> None:
    written = publish_version(lake, "2013-06-30-3fa9c1d2")

    read = load_version(lake.at(), use_case="flights", version="2013-06-30-3fa9c1d2")

    assert read.record.model_copy(update={"files": {}}) == written
    assert set(read.files) == {"model.ubj", "vocabulary.json"} == set(read.record.files)
    assert read.files["model.ubj"] == tiny_model()
    verify_answers(read)


def test_an_evaluation_is_read_back_as_it_was_written(lake: Lake) -> None:
    publish_evaluation(lake, "v1", champion="v0", passed=False)

    read = load_evaluation(lake.at(), use_case="flights", version="v1")

    assert read is not None
    assert read.report == tiny_report()
    assert (read.record.champion, read.record.decision.passed) == ("v0", False)
    assert load_evaluation(lake.at(), use_case="flights", version="v2") is None


def test_a_missing_file_is_named(lake: Lake) -> None:
    publish_version(lake, "v1")
    path = model_path("flights", version="v1", name="vocabulary.json")
    lake.publish(make_write(), files={}, deletes=[path], audit=passing)

    with pytest.raises(RegistryError, match=f"'{path}' is recorded but not in the lake"):
        load_version(lake.at(), use_case="flights", version="v1")


def test_a_record_of_a_newer_schema_is_refused_by_name(lake: Lake) -> None:
    path = model_path("flights", version="v1", name="record.json")
    newer = json.loads(make_record("v1", data_commit="c").to_json()) | {"schema_version": 2}
    lake.publish(make_write(), files={path: json.dumps(newer).encode()}, audit=passing)

    with pytest.raises(RegistryError, match="not a valid ModelRecord: schema_version"):
        load_record(lake.at(), use_case="flights", version="v1")


def test_a_record_under_the_name_of_another_version_is_refused(lake: Lake) -> None:
    path = model_path("flights", version="v2", name="record.json")
    lake.publish(make_write(), files={path: make_record("v1", data_commit="c").to_json()}, audit=passing)

    with pytest.raises(RegistryError, match="is the record of flights v1"):
        load_record(lake.at(), use_case="flights", version="v2")


def test_versions_are_listed_in_order(lake: Lake) -> None:
    for version in ("2013-06-30-b", "2013-05-31-a"):
        publish_version(lake, version)

    assert version_ids(lake.at(), use_case="flights") == ("2013-05-31-a", "2013-06-30-b")
    assert version_ids(lake.at(), use_case="income") == ()


def test_a_version_without_a_model_cannot_be_written() -> None:
    with pytest.raises(RegistryError, match=r"needs model\.ubj"):
        version_files(make_record("v1", data_commit="c"), files={"vocabulary.json": b"{}"})


WHOLE = {
    "model.ubj": tiny_model(),
    "vocabulary.json": b"{}",
    "calibration.json": b'{"kind": "none", "knots": [], "values": []}',
}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("model.ubj", b"not a model", "no XGBoost model"),
        ("vocabulary.json", b"no json", "JSONDecodeError"),
        ("vocabulary.json", b"[]", "TypeError"),
        ("vocabulary.json", None, "KeyError"),
        ("calibration.json", b"{}", "KeyError"),
        ("calibration.json", b'{"kind": "sigmoid", "knots": ["x"], "values": []}', "ValueError"),
    ],
)
def test_a_version_that_does_not_load_as_a_whole_does_not_answer(name: str, content: bytes | None, reason: str) -> None:
    record = make_record("v1", data_commit="c")
    files = {**WHOLE, name: content} if content is not None else {n: c for n, c in WHOLE.items() if n != name}
    verify_answers(ModelVersion(record=record, files=WHOLE))

    with pytest.raises(RegistryError, match=f"v1 does not load and answer.*{reason}"):
        verify_answers(ModelVersion(record=record, files=files))


def test_a_vocabulary_without_a_categorical_feature_of_the_model_does_not_answer() -> None:
    codes = (np.arange(200) % 3).astype(np.float32).reshape(-1, 1)
    matrix, labels = Matrix(values=codes, names=("depot",), types=("c",)), (codes[:, 0] > 1).astype(np.float64)
    limits: dict[str, Any] = {"rounds": 2, "early_stopping_rounds": 2, "seed": 0, "threads": 1}
    trained = train(matrix, labels, validation=(matrix, labels), hyperparameters={"max_depth": 2}, **limits)
    files = {"model.ubj": trained.booster, "vocabulary.json": b'{"depot": ["EWR", "JFK", "LGA"]}'}
    record = make_record("v1", data_commit="c")
    verify_answers(ModelVersion(record=record, files=files))

    with pytest.raises(RegistryError, match="The vocabulary has no categories for 'depot'"):
        verify_answers(ModelVersion(record=record, files={**files, "vocabulary.json": b"{}"}))


def test_the_same_recipe_has_the_same_version_whatever_its_order() -> None:
    one = version_of({"seed": 1, "data": "abc"}, last_batch="2013-06-30")

    assert one == version_of({"data": "abc", "seed": 1}, last_batch="2013-06-30")
    assert one != version_of({"data": "abd", "seed": 1}, last_batch="2013-06-30")
    assert one.startswith("2013-06-30-")
    assert len(one) == len("2013-06-30-3fa9c1d2")

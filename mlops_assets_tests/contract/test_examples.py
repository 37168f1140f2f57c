"""Examples and requests where nobody wrote them: a row of the source and what a caller sends of it are the same."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from pydantic import ValidationError

from mlops_assets.contract import columns
from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.tasks import Multiclass
from mlops_assets.contract.use_case import DailyBatches, UseCase
from mlops_assets.features.lineage import SourceColumn, feature_lineage
from mlops_assets.features.requests import request_schema, request_table
from mlops_assets.judge.leakage import audit_request_sql
from mlops_assets_tests.contract.small import TreeRows, trees
from mlops_assets_tests.orchestration.toy import FIRST

TREE: dict[str, Any] = {
    "number": 7,
    "planted": date(2001, 2, 3),
    "measured_at": datetime(2024, 5, 6, 7, 8, 9, 120_000),
    "Höhe (m).1": 12.5,
    "rings": 23,
    "tree-kind": "ash",
    "note": None,
    "weight": 1.5,
    "sick": 1,
}


def example_of(use_case: UseCase, **changes: Any) -> dict[str, Any]:
    """The example of one row, as the lake has it in its second place."""
    schema = use_case.sources[0].columns.arrow
    table = pa.Table.from_pylist([{**TREE, "source_row": 2, **changes}], schema=schema)
    with duckdb.connect() as connection:
        connection.register("validated", table)
        connection.execute("CREATE VIEW trees AS SELECT 'drop-1' AS batch, * FROM validated")
        rows: list[dict[str, Any]] = connection.sql(use_case.examples_sql.read_text()).to_arrow_table().to_pylist()
    return rows[0]


def request_of(use_case: UseCase, **changes: Any) -> dict[str, Any]:
    """The request of the same row, as features read it."""
    sent = {name: value for name, value in {**TREE, **changes}.items() if name in use_case.request.model_fields}
    return dict(request_table([use_case.request(**sent)], model=use_case.request).to_pylist()[0])


@pytest.mark.parametrize(
    ("declared", "name"),
    [
        ({}, "number-7"),
        ({"key": ("number", "tree-kind")}, "7|ash"),
        ({"key": ("planted",)}, "2001-02-03"),
        ({"key": ("measured_at", "note")}, "2024-05-06 07:08:09.120000|"),
        ({"time": "planted", "batches": DailyBatches(first=FIRST)}, "7|2001-02-03"),
    ],
)
def test_a_row_has_the_same_name_in_the_lake_and_in_a_request(declared: dict[str, Any], name: str) -> None:
    use_case = trees(**declared)

    assert example_of(use_case)["id"] == name
    assert request_of(use_case)["id"] == name


def test_a_row_without_a_key_is_named_by_its_place_and_a_caller_may_name_it() -> None:
    class Keyless(TreeRows):
        number: int

    use_case = trees(schema=Keyless)

    assert example_of(use_case)["id"] == "drop-1-2"
    assert request_of(use_case)["id"] is None
    assert request_of(use_case, id="mine")["id"] == "mine"


def test_an_example_has_the_columns_and_types_of_a_request_with_label_time_and_weight() -> None:
    use_case = trees(time="planted", weight="weight", left_out=("note",))
    example, schema = example_of(use_case), request_schema(use_case.request)

    assert (example["label"], example["weight"]) == (1, 1.5)
    assert example["event_time"] == datetime(2001, 2, 3)
    assert example["outcome_known_at"] == datetime(2001, 2, 4)
    assert {name: example[name] for name in schema.names} == request_of(use_case)
    assert set(use_case.request.model_fields).isdisjoint({"sick", "weight", "note", "id"})
    assert schema.field("rings").type == pa.int64()


@pytest.mark.parametrize(
    ("declared", "value", "label"),
    [
        ({"label": "tree-kind", "positive": "ash"}, "ash", 1),
        ({"label": "tree-kind", "positive": "ash"}, "oak", 0),
        ({"label": "tree-kind", "task": Multiclass(classes=("oak", "ash", "elm"))}, "elm", 2),
    ],
)
def test_a_label_is_what_counts_as_1_or_the_place_of_its_class(
    declared: dict[str, Any], value: str, label: int
) -> None:
    assert example_of(trees(**declared), **{"tree-kind": value})["label"] == label


def test_a_class_that_is_not_declared_is_named() -> None:
    with pytest.raises(duckdb.Error, match="do not have this value of tree-kind: elm"):
        example_of(trees(label="tree-kind", task=Multiclass(classes=("oak", "ash", "fir"))), **{"tree-kind": "elm"})


def test_a_request_is_held_to_the_schema_and_shows_an_example_that_is_let_through() -> None:
    model = trees().request
    shown = model.model_json_schema()["example"]

    assert model.model_validate_json(json.dumps({**shown, "note": None}), strict=True)
    for name, value in {"Höhe (m).1": 121, "tree-kind": "fir", "rings": -1, "sick": 1, "number": None}.items():
        with pytest.raises(ValidationError):
            model.model_validate({**shown, name: value})


def test_a_moment_with_an_offset_is_read_as_files_are() -> None:
    model = trees().request
    sent = {**model.model_json_schema()["example"], "measured_at": "2024-05-06T07:00:00+02:00"}

    assert model.model_validate(sent).measured_at == datetime(2024, 5, 6, 5)  # type: ignore[attr-defined]


def test_columns_of_any_name_are_traced_to_the_source_and_read_by_nothing_else() -> None:
    use_case = trees()

    assert feature_lineage(use_case)["Höhe (m).1"] == (SourceColumn(source="trees", column="Höhe (m).1"),)
    assert audit_request_sql(use_case).passed


@pytest.mark.parametrize("name", ["id", "event_time", "batch", "_hidden", "model_fields"])
def test_a_column_that_is_called_as_the_platform_calls_something_is_refused_by_name(name: str) -> None:
    import pandera.pandas as pandera

    schema = type("Rows", (pandera.DataFrameModel,), {"__annotations__": {"x": int, "sick": int, "size": float}})
    schema = type("Rows", (schema,), {"__annotations__": {"x": int}, "x": pandera.Field(alias=name)})
    use_case = trees(schema=schema)

    with pytest.raises(DeclarationError, match=f"'{name}'"):
        assert use_case.examples_sql.read_text() + str(use_case.request)
    left_out = trees(schema=schema, left_out=(name,))
    assert f'"{name}"' not in left_out.examples_sql.read_text() or name in ("_hidden", "model_fields")
    assert "size" in left_out.request.model_fields


def test_a_packaged_model_carries_what_a_schema_says_of_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "_CARRIED", {})
    told = trees().sources[0].layout

    columns.carry(columns.packed(trees().sources))

    assert columns.carried("trees") == told
    assert columns.carried("nowhere") is None
    assert trees(schema="nowhere.schemas:TreeRows").request.model_fields.keys() == trees().request.model_fields.keys()

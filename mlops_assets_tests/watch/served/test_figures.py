"""Every figure of what was served, against small tables computed by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from math import log
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from mlops_assets.contract.tasks import Multiclass, Regression
from mlops_assets.stores.predictions.records import SCHEMA
from mlops_assets.watch.served.figures import READ, figures_of_answers, figures_of_held_out, figures_of_truth
from mlops_assets.watch.served.table import METRICS
from mlops_assets_tests.orchestration.toy import PARCELS

EIGHT, NINE = datetime(2024, 3, 11, 8), datetime(2024, 3, 11, 9)
Figures = dict[tuple[str, str, datetime | None], tuple[float, int]]


class Parcel(BaseModel):
    """A parcel whose weight and depot may be missing."""

    depot: str | None = None
    weight: float | None = None
    sender: str | None = None
    number: int = 1


BINARY = replace(PARCELS, request=Parcel)
CLASSES = replace(BINARY, task=Multiclass(classes=("bus", "car", "foot")))
NUMBERS = replace(BINARY, task=Regression())


def answered(*rows: Mapping[str, Any]) -> pa.Table:
    """Collected records of those values; every other is that of an answer of v1 at 8:15 about AMS."""
    usual = {
        "event_time": EIGHT.replace(minute=15),
        "model_version": "v1",
        "score": 0.25,
        "predicted_positive": False,
        "inputs": {"depot": "AMS", "weight": 2.5},
        "flags": [],
    }
    told = [{**usual, **row} for row in rows]
    written = [{**row, "inputs": json.dumps(row["inputs"]), "flags": json.dumps(row["flags"])} for row in told]
    return pa.Table.from_pylist(written, schema=SCHEMA).select(list(READ))


def by_name(table: pa.Table) -> Figures:
    """Value and number by metric, scope and hour; the table must have one row for each."""
    assert table.schema == METRICS
    rows = table.to_pylist()
    found = {(row["metric"], row["scope"], row["hour"]): (row["value"], row["n"]) for row in rows}
    assert len(found) == len(rows)
    return found


def overall(table: pa.Table, *, hour: datetime | None = EIGHT) -> dict[str, tuple[float, int]]:
    """Value and number by metric, of all rows of an hour."""
    return {metric: told for (metric, scope, at), told in by_name(table).items() if (scope, at) == ("overall", hour)}


def near(*told: float) -> Any:
    return pytest.approx(told)


def test_answers_are_counted_by_hour_and_segment() -> None:
    table = figures_of_answers(
        answered(
            {"score": 0.2},
            {"score": 0.6, "predicted_positive": True, "inputs": {"depot": "BER"}},
            {"score": 0.4, "event_time": NINE, "inputs": {}},
        ),
        use_case=BINARY,
    )

    found = by_name(table)
    assert found["answered", "overall", EIGHT] == (2, 2)
    assert found["answered", "depot=AMS", EIGHT] == (1, 1)
    assert found["answered", "depot=(missing)", NINE] == (1, 1)
    assert ("answered", "depot=AMS", NINE) not in found
    assert found["score", "overall", EIGHT] == near(0.8, 2)
    assert found["score_squared", "overall", EIGHT] == near(0.4, 2)
    assert found["positives", "overall", EIGHT] == (1, 2)
    assert found["positives", "depot=BER", EIGHT] == (1, 1)
    assert set(table["use_case"].to_pylist()) == {"parcels"}
    assert set(table["version"].to_pylist()) == {"v1"}


def test_versions_are_told_apart() -> None:
    table = figures_of_answers(answered({}, {"model_version": "v2", "score": 0.75}), use_case=BINARY)

    scores = table.filter(pc.and_(pc.equal(table["metric"], "score"), pc.equal(table["scope"], "overall")))
    assert dict(zip(scores["version"].to_pylist(), scores["value"].to_pylist(), strict=True)) == {
        "v1": 0.25,
        "v2": 0.75,
    }


def test_what_was_asked_before_in_the_hour_is_doubled_and_what_names_no_example_is_not_told() -> None:
    table = figures_of_answers(
        answered(
            {"example_id": "a"},
            {"example_id": "b"},
            {"example_id": "a"},
            {"example_id": "a"},
            {"example_id": "a", "event_time": NINE},
            {"example_id": "a", "model_version": "v2"},
            {"example_id": None},
        ).filter(pa.array([True] * 5 + [False, True])),
        use_case=BINARY,
    )

    assert overall(table)["doubled"] == (2, 4)
    assert overall(table, hour=NINE)["doubled"] == (0, 1)


def test_missing_values_are_told_of_columns_that_may_be_empty() -> None:
    table = figures_of_answers(
        answered({"inputs": {"depot": "AMS", "weight": None}}, {"inputs": {"depot": "AMS", "weight": 1}}),
        use_case=replace(BINARY, logged={"sender": "left_out"}),
    )

    missing = {metric: told for metric, told in overall(table).items() if metric.startswith("missing:")}
    assert missing == {"missing:weight": (1, 2), "missing:depot": (0, 2)}


def test_values_that_a_version_has_not_learnt_from_are_unseen_and_without_its_vocabulary_nothing_is_said() -> None:
    records = answered(
        {},
        {"inputs": {"depot": "XXX"}},
        {"inputs": {"depot": None}},
        {"inputs": {"depot": "XXX"}, "model_version": "v2", "event_time": NINE},
    )

    table = figures_of_answers(records, use_case=BINARY, vocabularies={"v1": {"depot": ["AMS", "BER"]}})

    assert overall(table)["unseen:depot"] == (1, 2)
    assert "unseen:depot" not in overall(table, hour=NINE)


def test_flags_are_shares_of_rows_by_kind_whatever_a_caller_made_up() -> None:
    flags = ["unknown depot 'X'", "unknown sender 'Y'", "something new"]
    table = figures_of_answers(answered({"flags": flags}, {"flags": ["no history of depot 'X'"]}, {}), use_case=BINARY)

    flagged = {metric: told for metric, told in overall(table).items() if metric.startswith("flagged:")}
    assert flagged == {
        "flagged:unknown": (1, 3),
        "flagged:no history": (1, 3),
        "flagged:history is as of": (0, 3),
        "flagged:other": (1, 3),
    }


def test_the_age_of_history_is_in_days_before_the_event() -> None:
    told = [{"history_as_of": "2024-03-10"}, {"history_as_of": "2024-03-07"}, {"history_as_of": None}]

    assert overall(figures_of_answers(answered(*told), use_case=BINARY))["history_age_days"] == (5, 2)


def test_losses_are_estimated_from_the_scores_alone() -> None:
    found = overall(figures_of_answers(answered({"score": 0.25}, {"score": 0.5}, {"score": 0.0}), use_case=BINARY))

    expected = -0.25 * log(0.25) - 0.75 * log(0.75) + log(2)
    assert found["estimated:log_loss"] == (pytest.approx(expected), 3)
    assert found["estimated:brier_loss"] == near(0.1875 + 0.25, 3)


def test_of_classes_their_shares_and_the_expected_accuracy_are_told() -> None:
    records = answered({"predicted": "bus", "score": 0.5}, {"predicted": "foot", "score": 0.9})

    found = overall(figures_of_answers(records, use_case=CLASSES))

    assert {name: found[name] for name in ("class:bus", "class:car", "class:foot")} == {
        "class:bus": (1, 2),
        "class:car": (0, 2),
        "class:foot": (1, 2),
    }
    assert found["estimated:accuracy_score"] == near(1.4, 2)
    assert "positives" not in found


def test_of_numbers_neither_decisions_nor_losses_are_told_before_outcomes() -> None:
    records = answered({"score": 12.0, "predicted_positive": None}, {"score": 8.0, "predicted_positive": None})

    found = overall(figures_of_answers(records, use_case=NUMBERS))

    assert (found["score"], found["score_squared"]) == ((20.0, 2), (208.0, 2))
    assert not [name for name in found if name.startswith(("estimated:", "positives", "class:"))]


def known(**columns: Any) -> pa.Table:
    """Answers with outcomes; all of v1, at 8:15, about AMS unless they are told otherwise."""
    size = len(columns["label"])
    usual = {"model_version": ["v1"] * size, "event_time": [EIGHT.replace(minute=15)] * size, "depot": ["AMS"] * size}
    return pa.table({**usual, **columns})


def test_realised_losses_stand_beside_the_prior_on_the_same_rows() -> None:
    rows = known(label=[1, 0, 1, None], score=[0.8, 0.5, 0.5, 0.1], depot=["AMS", "AMS", "BER", "BER"])

    found = by_name(figures_of_truth(rows, use_case=BINARY, priors={"v1": 0.2}))

    assert found["labelled", "overall", EIGHT] == (3, 3)
    assert found["rate", "overall", EIGHT] == (2, 3)
    assert found["residual", "overall", EIGHT] == near(0.2, 3)
    assert found["realised:log_loss", "overall", EIGHT] == near(-log(0.8) - 2 * log(0.5), 3)
    assert found["realised:brier_loss", "depot=AMS", EIGHT] == near(0.04 + 0.25, 2)
    assert found["prior:log_loss", "overall", EIGHT] == near(-2 * log(0.2) - log(0.8), 3)
    assert found["prior:brier_loss", "depot=BER", EIGHT] == near(0.64, 1)


def test_without_the_versions_prior_none_is_told() -> None:
    found = by_name(figures_of_truth(known(label=[1], score=[0.8]), use_case=BINARY, priors={"v2": 0.2}))

    assert not [metric for metric, _, _ in found if metric.startswith("prior:")]


def test_the_area_under_the_curve_is_of_the_day_where_it_has_both_outcomes() -> None:
    rows = known(
        label=[1, 0, 1, 0, 1],
        score=[0.9, 0.1, 0.4, 0.4, 0.3],
        event_time=[EIGHT, EIGHT, NINE, NINE, NINE],
        depot=["AMS", "AMS", "AMS", "AMS", "BER"],
    )

    found = by_name(figures_of_truth(rows, use_case=BINARY, priors={}))

    midnight = datetime(2024, 3, 11)
    assert found["realised:roc_auc_score", "overall", midnight] == near(5 * 4.5 / 6, 5)
    assert found["realised:roc_auc_score", "depot=AMS", midnight] == near(4 * 3.5 / 4, 4)
    assert ("realised:roc_auc_score", "depot=BER", midnight) not in found


def test_of_classes_accuracy_and_how_much_too_sure_answers_are_is_told() -> None:
    rows = known(label=[0, 2, 1], score=[0.5, 0.75, 0.6], predicted=["bus", "car", "car"])

    found = overall(figures_of_truth(rows, use_case=CLASSES, priors={"v1": [0.2, 0.3, 0.5]}))

    assert found == {
        "labelled": (3, 3),
        "realised:accuracy_score": (2, 3),
        "prior:accuracy_score": (1, 3),
        "residual": near(2 - 1.85, 3),
    }


def test_of_numbers_squared_and_absolute_errors_are_told_and_of_a_quantile_its_loss() -> None:
    rows = known(label=[10.0, 20.0], score=[12.0, 16.0])

    found = overall(figures_of_truth(rows, use_case=NUMBERS, priors={"v1": 15.0}))
    of_quantile = overall(
        figures_of_truth(rows, use_case=replace(NUMBERS, task=Regression(quantile=0.9)), priors={"v1": 15.0})
    )

    assert found == {
        "labelled": (2, 2),
        "rate": (30, 2),
        "residual": (2, 2),
        "realised:mean_squared_error": (20, 2),
        "realised:mean_absolute_error": (6, 2),
        "prior:mean_squared_error": (50, 2),
        "prior:mean_absolute_error": (10, 2),
    }
    assert of_quantile["realised:pinball_loss"] == near(0.1 * 2 + 0.9 * 4, 2)


def test_held_out_rows_have_the_figures_of_answers_and_of_truth() -> None:
    rows = pa.table(
        {
            "id": ["a", "b"],
            "event_time": [EIGHT, EIGHT],
            "label": [1.0, 0.0],
            "depot": ["AMS", "BER"],
            "score": [0.75, 0.25],
            "predicted_positive": [True, False],
        }
    )

    found = by_name(figures_of_held_out(rows, use_case=BINARY, version="v1", priors={"v1": 0.5}))
    timeless = by_name(
        figures_of_held_out(rows.drop_columns(["event_time"]), use_case=BINARY, version="v1", priors={"v1": 0.5})
    )

    assert found["answered", "overall", EIGHT] == (2, 2)
    assert found["positives", "depot=AMS", EIGHT] == (1, 1)
    assert found["realised:log_loss", "overall", EIGHT] == near(-2 * log(0.75), 2)
    assert found["realised:roc_auc_score", "overall", datetime(2024, 3, 11)] == (2, 2)
    assert timeless["score", "depot=BER", None] == (0.25, 1)
    assert timeless["realised:roc_auc_score", "overall", None] == (2, 2)


@pytest.mark.parametrize(("use_case", "kind"), [(BINARY, "true"), (replace(BINARY, request=Parcel), "3")])
def test_segments_are_called_the_same_whether_values_come_as_json_or_as_a_column(use_case: Any, kind: str) -> None:
    value = json.loads(kind)
    asked = figures_of_answers(answered({"inputs": {"depot": value}}), use_case=use_case)
    held = figures_of_truth(known(label=[1], score=[0.5], depot=[value]), use_case=use_case, priors={})

    assert {scope for _, scope, _ in by_name(asked)} == {scope for _, scope, _ in by_name(held)}


def test_segments_that_callers_make_up_are_not_told_without_end() -> None:
    made_up = [{"inputs": {"depot": f"X{number}"}} for number in range(250)]
    table = figures_of_answers(answered(*[{}, {}, {"inputs": {}}], *made_up), use_case=BINARY)

    answers = {scope: n for (metric, scope, _), (_, n) in by_name(table).items() if metric == "answered"}
    assert answers["depot=AMS"] == 2
    assert answers["depot=(missing)"] == 1
    assert answers["depot=(other)"] == 51
    assert len(answers) == 200 + 3


def test_no_records_have_no_figures() -> None:
    assert figures_of_answers(answered(), use_case=BINARY).equals(METRICS.empty_table())
    assert figures_of_answers(answered(), use_case=CLASSES).equals(METRICS.empty_table())
    nobody_knows = known(label=pa.nulls(1, pa.float64()), score=[0.5])
    assert figures_of_truth(nobody_knows, use_case=BINARY, priors={}).equals(METRICS.empty_table())


a_row = st.fixed_dictionaries(
    {
        "score": st.floats(0, 1),
        "predicted_positive": st.booleans(),
        "model_version": st.sampled_from(["v1", "v2"]),
        "event_time": st.datetimes(EIGHT, datetime(2024, 3, 11, 12)),
        "inputs": st.fixed_dictionaries({"depot": st.sampled_from(["AMS", "BER", None]), "weight": st.none()}),
        "flags": st.lists(st.sampled_from(["unknown x", "no history of y"]), max_size=2),
        "history_as_of": st.sampled_from([None, "2024-03-10"]),
        "example_id": st.none(),
    }
)


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(a_row, max_size=12), cut=st.integers(0, 12))
def test_the_figures_of_a_file_are_the_sum_of_those_of_its_parts(rows: list[dict[str, Any]], cut: int) -> None:
    vocabularies = {"v1": {"depot": ["AMS"]}}

    def summed(*parts: list[dict[str, Any]]) -> dict[Any, Any]:
        tables = [figures_of_answers(answered(*p), use_case=BINARY, vocabularies=vocabularies) for p in parts]
        keys = [name for name in METRICS.names if name not in ("value", "n")]
        added = pa.concat_tables(tables).group_by(keys).aggregate([("value", "sum"), ("n", "sum")])
        return {tuple(row[key] for key in keys): (row["value_sum"], row["n_sum"]) for row in added.to_pylist()}

    whole, parts = summed(rows), summed(rows[:cut], rows[cut:])
    assert whole.keys() == parts.keys()
    assert all(parts[key] == pytest.approx(told) for key, told in whole.items())

"""Each fault changes what it says, in the rows that it says, and nothing else."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.steps.replay_faults import (
    Fault,
    answers_stuck,
    clock_ahead,
    crowded,
    drifting,
    emptied,
    failing,
    fault_of,
    history_late,
    history_stops,
    labels_flipped,
    renamed,
    scores_shifted,
    scores_shuffled,
    sent_twice,
    slower,
    stopped,
    stuck,
    thinned,
    unit_changed,
)
from mlops_assets_tests.orchestration.toy import PARCELS

AGES = np.array([0, 0, 1, 1])
REQUESTS = pa.table(
    {
        "number": [1, 2, 3, 4],
        "depot": ["AMS", "BER", "AMS", None],
        "weight": [1.5, 2.5, 3.5, None],
        "sent_at": ["2024-03-11T23:30:00"] * 4,
    }
)
ANSWERS = pa.table({"depot": ["AMS", "BER", "AMS", "BER"], "score": [0.1, 0.2, 0.3, 0.95], "label": [0, 1, 0, 1]})
ROADS = pa.table({"depot": ["AMS", "BER", "AMS", "BER"], "snow": [1.0, 2.0, None, 10.0], "observed": [1, 2, 3, 4]})
SERVICE = pa.table({"metric": ["requests", "errors", "latency_seconds"], "value": [9.0, 0.0, 1.5], "n": [10, 10, 10]})


def altered(fault: Fault, rows: pa.Table) -> dict[str, list[object]]:
    """The columns that a fault leaves otherwise than they were; all of them where rows came or went."""
    ages = AGES[: rows.num_rows]
    after = fault.alter(rows, ages, np.random.default_rng(1))
    assert after.schema.names == rows.schema.names
    return {
        name: after[name].to_pylist() for name in rows.column_names if after[name].to_pylist() != rows[name].to_pylist()
    }


@pytest.mark.parametrize(
    ("fault", "rows", "changed"),
    [
        (unit_changed("number", factor=10), REQUESTS, {"number": [10, 20, 30, 40]}),
        (unit_changed("weight", factor=2), REQUESTS, {"weight": [3.0, 5.0, 7.0, None]}),
        (emptied("depot"), REQUESTS, {"depot": [None] * 4}),
        (renamed("depot", old="AMS", new="XXX"), REQUESTS, {"depot": ["XXX", "BER", "XXX", None]}),
        (clock_ahead("sent_at"), REQUESTS, {"sent_at": ["2024-03-12T00:30:00"] * 4}),
        (drifting("roads", add={"snow": 3}), ROADS, {"snow": [4.0, 5.0, None, 16.0]}),
        (drifting("roads", grow={"snow": 0.5}), ROADS, {"snow": [1.5, 3.0, None, 20.0]}),
        (stuck("roads", where=("depot", "AMS"), values={"observed": 9}), ROADS, {"observed": [9, 2, 9, 4]}),
        (stopped("roads"), ROADS, {"depot": [], "snow": [], "observed": []}),
        (answers_stuck(score=0.9, where=("depot", "AMS")), ANSWERS, {"score": [0.9, 0.2, 0.9, 0.95]}),
        (answers_stuck(score=0.02), ANSWERS, {"score": [0.02] * 4}),
        (scores_shifted(by=0.1), ANSWERS, {"score": [0.2, pytest.approx(0.3), 0.4, 1.0]}),
        (labels_flipped(where=("depot", "BER")), ANSWERS, {"label": [0, 0, 0, 0]}),
        (failing(share=0.2), SERVICE, {"value": [9.0, 2.0, 1.5]}),
        (slower(times=2), SERVICE, {"value": [9.0, 0.0, 3.0]}),
    ],
    ids=lambda given: given.name if isinstance(given, Fault) else "",
)
def test_a_fault_changes_what_it_says(fault: Fault, rows: pa.Table, changed: dict[str, list[object]]) -> None:
    assert altered(fault, rows) == changed


def test_a_fault_of_history_says_how_old_it_is() -> None:
    assert [history_stops().lag(age) for age in (0, 1, 5)] == [0, 1, 5]
    assert [history_late(days=28).lag(age) for age in (0, 1, 5)] == [28, 28, 28]
    assert emptied("depot").lag(5) == 0


def test_twice_the_requests_are_the_same_or_have_other_names() -> None:
    assert altered(sent_twice(), REQUESTS)["number"] == [1, 2, 3, 4, 1, 2, 3, 4]
    assert altered(crowded("number", by=100), REQUESTS)["number"] == [1, 2, 3, 4, 101, 102, 103, 104]


def test_a_share_is_kept_or_flipped_by_the_generator_that_is_given() -> None:
    many = pa.table({"label": [0] * 1000, "depot": ["AMS"] * 1000})
    ages, half = np.zeros(1000, dtype=np.int64), thinned(share=0.5)

    kept = [half.alter(many, ages, np.random.default_rng(1)).num_rows for _ in range(2)]
    wrong = labels_flipped(share=0.3).alter(many, ages, np.random.default_rng(1))

    assert kept[0] == kept[1] == pytest.approx(500, abs=60)
    assert sum(wrong["label"].to_pylist()) == pytest.approx(300, abs=60)


def test_shuffled_scores_stay_within_their_day() -> None:
    after = scores_shuffled().alter(ANSWERS, AGES, np.random.default_rng(3))["score"].to_pylist()

    assert sorted(after[:2]) == [0.1, 0.2]
    assert sorted(after[2:]) == [0.3, 0.95]


@pytest.mark.parametrize(
    ("name", "same_as"),
    [
        ("unit:weight", unit_changed("weight")),
        ("unit:weight=2.2", unit_changed("weight", factor=2.2)),
        ("missing:depot", emptied("depot")),
        ("renamed:depot=AMS>XXX", renamed("depot", old="AMS", new="XXX")),
        ("clock:sent_at", clock_ahead("sent_at")),
        ("traffic=0.5", thinned(share=0.5)),
        ("crowded:number=100", crowded("number", by=100)),
        ("sent_twice", sent_twice()),
        ("stopped:roads", stopped("roads")),
        ("drift:roads.snow=3", drifting("roads", add={"snow": 3})),
        ("drift:roads.snow=10%", drifting("roads", grow={"snow": 0.1})),
        ("stuck:roads.depot=AMS>snow 40", stuck("roads", where=("depot", "AMS"), values={"snow": 40})),
        ("history_stops", history_stops()),
        ("history_late=28", history_late(days=28)),
        ("answers:depot=AMS>0.9", answers_stuck(score=0.9, where=("depot", "AMS"))),
        ("answers=0.02", answers_stuck(score=0.02)),
        ("scores_shifted=0.1", scores_shifted(by=0.1)),
        ("scores_shuffled", scores_shuffled()),
        ("labels=0.3", labels_flipped(share=0.3)),
        ("labels:depot=AMS", labels_flipped(where=("depot", "AMS"))),
        ("errors=0.2", failing(share=0.2)),
        ("slow=3", slower(times=3)),
    ],
)
def test_every_kind_can_be_named(name: str, same_as: Fault) -> None:
    named = fault_of(name, use_case=PARCELS)

    assert (named.name, named.what, named.stage) == (same_as.name, same_as.what, same_as.stage)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing", "'nothing' is no fault. Faults are:"),
        ("unit", "is written as unit:COLUMN=FACTOR: it names no column or source"),
        ("renamed:depot=AMS", "is written as renamed:COLUMN=OLD>NEW: 'AMS' has no two sides around >"),
        ("traffic=half", "is written as traffic=SHARE: could not convert"),
        ("missing:colour", "Unknown column 'colour' in the fault 'missing:colour'. Columns: number, depot"),
        ("stopped:parcels", "parcels has no source 'parcels' that lands ahead of outcomes: roads."),
        ("drift:roads.rain=1", "Unknown column 'rain' in the fault"),
    ],
)
def test_a_name_that_is_no_fault_is_refused(name: str, said: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        fault_of(name, use_case=PARCELS)

    assert said in str(refused.value)

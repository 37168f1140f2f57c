"""What the label's column shows: what is asked for, how often, how it goes over the months, and what tells it."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.watch.drafting.labels import (
    guess_task,
    label_as,
    label_findings,
    refuse_label,
    telling_columns,
    telling_findings,
)
from mlops_assets_tests.watch.drafting.tables import looks, outcomes, seen_in


def test_a_constant_label_is_refused_with_what_to_do(tmp_path: Path) -> None:
    seen = seen_in(tmp_path / "x.csv", {"a": range(50), "sold": ["no"] * 50})

    with pytest.raises(
        DeclarationError, match=r"is 'no' in all 50 rows: .* Give files that have the other outcome too"
    ):
        refuse_label(seen, column="sold")


def test_a_label_that_is_not_there_lists_what_is(tmp_path: Path) -> None:
    seen = seen_in(tmp_path / "x.csv", "5,7,a\n3,4,b\n5,6,a\n")

    with pytest.raises(DeclarationError, match=r"no column 'class' .* 'column_1', 'column_2', 'column_3'.*no header"):
        refuse_label(seen, column="class")


@pytest.mark.parametrize(
    ("values", "task", "sure"),
    [
        ([0, 1] * 20, "binary", True),
        (["yes", "no"] * 20, "binary", True),
        (["a", "b", "c", "d"] * 10, "multiclass", True),
        ([1, 2, 3, 4, 5] * 8, "multiclass", False),
        (["1.0", "2.0", "3.0", "1.0"] * 10, "multiclass", False),
        (range(40), "regression", True),
        ([0.5, 1.25, 2.5, 3.75] * 10, "regression", True),
    ],
)
def test_the_task_follows_from_the_values(values: list[object], task: str, sure: bool, tmp_path: Path) -> None:
    guess = guess_task(seen_in(tmp_path / "x.csv", {"y": values, "a": range(40)}), column="y")

    assert (guess.task, guess.sure) == (task, sure)


def test_a_name_is_no_class(tmp_path: Path) -> None:
    seen = seen_in(tmp_path / "x.csv", {"who": [f"name {n}" for n in range(300)], "a": range(300)})

    with pytest.raises(DeclarationError, match="300 different values in 300 rows"):
        guess_task(seen, column="who")


def test_the_rarer_value_counts_as_1_unless_the_values_say_it(tmp_path: Path) -> None:
    seen = seen_in(tmp_path / "x.csv", {"word": ["no", "no", "yes"] * 9, "number": [1, 1, 0] * 9})

    assert label_as(seen, column="word", task="binary").positive == "yes"
    assert label_as(seen, column="word", task="binary", positive="no").positive == "no"
    assert label_as(seen, column="number", task="binary").positive is None
    with pytest.raises(DeclarationError, match="never 'maybe': --positive is one of 'no', 'yes'"):
        label_as(seen, column="word", task="binary", positive="maybe")


def test_classes_too_small_to_learn_and_to_judge_are_told(tmp_path: Path) -> None:
    kinds = ["common"] * 300 + ["some"] * 40 + ["rare"] * 2
    seen = seen_in(tmp_path / "x.csv", {"kind": kinds, "a": range(342)})
    label = label_as(seen, column="kind", task="multiclass")

    told = looks(label_findings(seen, label=label, time=None))

    assert "'rare' has 2: too few rows to learn the class from" in told
    assert "'some' has 40: few rows" in told


def test_a_change_in_how_rows_were_taken_is_seen_by_month(tmp_path: Path) -> None:
    days = [date(2024, 1, 1) + timedelta(days=number // 10) for number in range(1800)]
    chance = np.random.default_rng(0)
    labels = [int(chance.random() < (0.05 if day < date(2024, 4, 1) else 0.4)) for day in days]
    seen = seen_in(tmp_path / "x.csv", {"day": days, "late": labels})

    told = looks(label_findings(seen, label=label_as(seen, column="late", task="binary"), time="day"))

    assert "From 2024-03 to 2024-04 the share of '1' goes from" in told


def test_a_steady_share_is_no_change(tmp_path: Path) -> None:
    days = [date(2024, 1, 1) + timedelta(days=number // 10) for number in range(1800)]
    seen = seen_in(tmp_path / "x.csv", {"day": days, "late": outcomes(1800)[0]})

    assert looks(label_findings(seen, label=label_as(seen, column="late", task="binary"), time="day")) == ""


def test_every_leak_is_named_with_its_figure(tmp_path: Path) -> None:
    labels, measure = outcomes(600)
    seen = seen_in(
        tmp_path / "x.csv",
        {
            "measure": measure,
            "refund": [value * 10 for value in labels],
            "status": [("closed" if value else "open") for value in labels],
            "late": labels,
        },
    )
    label = label_as(seen, column="late", task="binary")

    tellings = telling_columns(seen, label=label, among=["measure", "refund", "status"])

    assert {each.column for each in tellings if each.is_leak} == {"refund", "status"}
    assert "'refund' 1.000, 'status' 1.000" in looks(list(telling_findings(tellings)))


def test_leaks_of_classes_and_numbers_are_seen_too(tmp_path: Path) -> None:
    chance = np.random.default_rng(1)
    kinds = chance.integers(0, 4, 800)
    price = np.round(chance.normal(100, 20, 800), 2)
    seen = seen_in(
        tmp_path / "x.csv",
        {
            "kind": [f"k{kind}" for kind in kinds],
            "code": [f"c{kind}" for kind in kinds],
            "price": price,
            "with_tax": np.round(price * 1.19, 2),
            "noise": np.round(chance.normal(0, 1, 800), 3),
        },
    )

    of_kind = telling_columns(
        seen, label=label_as(seen, column="kind", task="multiclass"), among=["code", "price", "noise"]
    )
    of_price = telling_columns(
        seen, label=label_as(seen, column="price", task="regression"), among=["with_tax", "noise", "kind"]
    )

    assert [(each.column, each.is_leak) for each in of_kind] == [("code", True)]
    assert [(each.column, each.is_leak) for each in of_price] == [("with_tax", True)]

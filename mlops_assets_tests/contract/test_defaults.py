"""What a use case has that declares a name, its sources and a label."""

from __future__ import annotations

from typing import Any

import pandera.pandas as pa
import pytest

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.features import Feature
from mlops_assets.contract.gates import NotWorseThanChampion
from mlops_assets.contract.source import Cadence, Source
from mlops_assets.contract.splits import HashSplit, TimeShares, TimeSplit
from mlops_assets.contract.tasks import Multiclass, Regression
from mlops_assets.contract.use_case import DailyBatches, UseCase
from mlops_assets.use_cases.checked import refuse_unfit
from mlops_assets_tests.contract.small import TreeRows, trees
from mlops_assets_tests.orchestration.toy import FIRST


def names(use_case: UseCase) -> list[str]:
    return [each.name for each in use_case.features]


def test_features_are_the_numbers_and_texts_that_are_nothing_else() -> None:
    use_case = trees(weight="weight", left_out=("note",))

    assert names(use_case) == ["Höhe (m).1", "rings", "tree-kind"]
    assert [each.kind for each in use_case.features] == ["numeric", "numeric", "categorical"]
    assert use_case.features[0].description == "metres"
    assert {each.owner for each in use_case.features} == {"team:unowned"}


def test_features_may_be_named_beside_those_that_are_computed() -> None:
    made = Feature(name="age", kind="numeric", description="Years.", owner="team:wood")
    use_case = trees(features=("tree-kind", made), owner="team:trees")

    assert names(use_case) == ["tree-kind", "age"]
    assert [each.owner for each in use_case.features] == ["team:trees", "team:wood"]


def test_a_key_is_told_by_the_schema_and_its_column_is_no_feature() -> None:
    assert trees().key == ("number",)
    assert "number" not in names(trees())
    assert "number" in names(trees(key=("planted",)))


def test_slices_are_columns_of_few_values_and_gates_go_by_the_task() -> None:
    assert [each.columns for each in trees().slices] == [("tree-kind",)]
    assert [gate.metric for gate in trees().gates if isinstance(gate, NotWorseThanChampion)] == ["log_loss"]
    (numbers,) = trees(label="weight", task=Regression()).gates
    assert isinstance(numbers, NotWorseThanChampion)
    assert (numbers.metric, numbers.first) == ("r2_score", "constant")


def test_a_split_is_by_time_where_there_is_one() -> None:
    assert trees().split == HashSplit(key="id", test_share=0.25, validation_share=0.15)
    assert trees(time="planted").split == TimeShares()
    assert TimeShares(gap_days=2).of_days(100) == TimeSplit(test_days=20, validation_days=15, gap_days=2)
    assert TimeShares().of_days(2) == TimeSplit(test_days=1, validation_days=1)


def test_days_need_no_more_words_than_the_time() -> None:
    (source,) = trees(time="planted", batches=DailyBatches(first=FIRST)).sources

    assert (source.cadence, source.batch_day) == (Cadence.DAILY, ("planted",))
    assert trees(time="planted").sources[0].cadence is Cadence.NAMED


def test_nothing_to_play_back_is_said_where_it_is_asked_for() -> None:
    with pytest.raises(DeclarationError, match="'trees' has no seed data to play back"):
        _ = trees().player


def test_a_short_use_case_is_whole() -> None:
    for use_case in (trees(), trees(time="planted", weight="weight"), trees(task=Regression())):
        refuse_unfit(use_case)


class Twins(TreeRows):
    """The same once more."""


class Times(pa.DataFrameModel):
    """Nothing to learn from."""

    sick: int = pa.Field(isin=[0, 1])
    at: pa.DateTime = pa.Field()


@pytest.mark.parametrize(
    ("declared", "reason"),
    [
        ({"label": "sik"}, "label: unknown column 'sik', did you mean 'sick'"),
        ({"time": "plnted"}, "time: unknown column 'plnted', did you mean 'planted'"),
        ({"weight": "wight"}, "weight: unknown column 'wight', did you mean 'weight'"),
        ({"key": ("nummer",)}, "key: unknown column 'nummer', did you mean 'number'"),
        ({"left_out": ("nott",)}, "left_out: unknown column 'nott', did you mean 'note'"),
        ({"features": ("ring",)}, "features: unknown column 'ring', did you mean 'rings'"),
        ({"features": ("planted",)}, r"features: 'planted' is a date \(YYYY-MM-DD\), which no model can learn from"),
        ({"time": "rings"}, "time: 'rings' is a whole number of 16 bits, where a date or a time is needed"),
        ({"key": ("weight",)}, "key: 'weight' is a number, which does not name a row"),
        ({"label": "tree-kind"}, r"label: 'tree-kind' is text and not 0 or 1.*positive.*oak, ash, elm"),
        ({"label": "tree-kind", "positive": "fir"}, "positive: 'tree-kind' is never 'fir'. Its values: 'oak', 'ash'"),
        ({"label": "note", "task": Regression()}, "label: 'note' is text, and a Regression needs a number"),
        ({"schema": Times}, "'trees' has no features"),
        (
            {"sources": (Source(name="trees", schema=TreeRows), Source(name="twins", schema=Twins))},
            "'sick' is a column of trees and twins",
        ),
    ],
)
def test_what_the_columns_do_not_bear_is_refused_in_a_sentence(declared: dict[str, Any], reason: str) -> None:
    use_case = trees(**declared)

    with pytest.raises(DeclarationError, match=reason):
        refuse_unfit(use_case)


def test_a_use_case_that_says_nothing_to_predict_is_refused() -> None:
    with pytest.raises(DeclarationError, match="nothing to predict: declare label"):
        trees(label=None)


def test_classes_of_a_label_are_told_by_their_place() -> None:
    assert (
        "WHEN 'oak' THEN 0"
        in trees(label="tree-kind", task=Multiclass(classes=("oak", "ash", "elm"))).examples_sql.read_text()
    )

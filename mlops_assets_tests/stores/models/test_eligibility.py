"""Which of today's rows a version can answer, and which may judge it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from mlops_assets.contract.splits import HashSplit, TimeSplit
from mlops_assets.features.matrix import Vocabulary
from mlops_assets.stores.models.eligibility import why_not_answered, why_not_judged
from mlops_assets.stores.models.record import ModelRecord, PartRecord
from mlops_assets.training.booster import load
from mlops_assets.training.scoring import Scorer
from mlops_assets_tests.stores.models.factories import TINY, make_record, tiny_model

DAYS, ROWS = TimeSplit(test_days=2, validation_days=2), HashSplit(key="id", test_share=0.3, validation_share=0.2)
VIEW = pa.table(
    {
        "id": pa.array([f"row {number}" for number in range(200)]),
        "event_time": pa.array(np.datetime64("2013-06-01", "us") + np.arange(200) % 10 * np.timedelta64(1, "D")),
        "label": np.arange(200) // 10 % 2,
        "a": np.zeros(200),
        "b": np.zeros(200),
    }
)


def scorer() -> Scorer:
    return Scorer(booster=load(tiny_model()), vocabulary=Vocabulary(categories={}))


def trained(*, last: date | None = None, declared: str = "") -> ModelRecord:
    parts = {"train": PartRecord(rows=1, positives=0, last=last), "test": PartRecord(rows=1, positives=0)}
    return make_record("v1", data_commit="c").model_copy(update={"split": parts, "declared_split": declared})


def test_a_version_answers_rows_with_more_columns_than_its_own_and_none_with_fewer() -> None:
    assert why_not_answered(trained(), scorer(), columns=["id", "b", "c", "a"]) == ""
    assert "v1 needs column 'b', which is not in today's features" in why_not_answered(
        trained(), scorer(), columns=["id", "a"]
    )


@pytest.mark.parametrize(("last", "refused"), [(date(2013, 6, 8), False), (date(2013, 6, 9), True)])
def test_days_it_has_learnt_from_do_not_judge_it(last: date, *, refused: bool) -> None:
    why = why_not_judged(trained(last=last), scorer(), view=VIEW, use_case=replace(TINY, split=DAYS))

    assert ("begin on 2013-06-09" in why) == refused


def test_a_split_by_hash_judges_only_what_was_trained_on_the_same_split() -> None:
    declared, other = replace(TINY, split=ROWS), HashSplit(key="id", test_share=0.2, validation_share=0.2)

    def why(was: str) -> str:
        return why_not_judged(trained(declared=was), scorer(), view=VIEW, use_case=declared)

    assert why(str(ROWS)) == ""
    assert why("") == ""  # a record from before it was written down
    assert "test_share=0.2" in why(str(other))
    assert "some test rows are rows it has learnt from" in why(str(other))

"""Seven classes from 8,495 rows to 2: the model is judged, says of each class what it lacks, and is refused by nothing
but a gate that asks for just that.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from mlops_assets.contract.features import Feature
from mlops_assets.contract.gates import MetricBound, NotWorseThanChampion, SliceBound
from mlops_assets.contract.slices import Slice
from mlops_assets.contract.splits import HashSplit
from mlops_assets.contract.tasks import Multiclass
from mlops_assets.contract.use_case import Recipe, UseCase
from mlops_assets.judge.gate_decision import decide
from mlops_assets.judge.judgement import Judgement, judge
from mlops_assets.judge.rare_classes import audit_classes
from mlops_assets_tests.judge.test_judgement import candidate
from mlops_assets_tests.serving.toys.quiet import USE_CASE as QUIET

COUNTS = {"a": 8495, "b": 2600, "c": 700, "d": 160, "e": 38, "f": 9, "g": 2}
FIRST = NotWorseThanChampion(metric="log_loss", margin=0.05)
SEVEN = replace(
    QUIET,
    task=Multiclass(classes=tuple(COUNTS)),
    features=tuple(Feature(name=f"x{k}", kind="numeric", description="", owner="") for k in range(2)),
    slices=(Slice(name="side", columns=("side",)),),
    split=HashSplit(key="id", test_share=0.2, validation_share=0.2),
    recipe=Recipe(hyperparameters={"max_depth": 3}, rounds=15, early_stopping_rounds=5, threads=1),
    gates=(FIRST,),
)


def make_view() -> pa.Table:
    draw = np.random.default_rng(1)
    labels = draw.permutation(np.repeat(np.arange(len(COUNTS)), list(COUNTS.values())))
    columns = {f"x{k}": draw.normal(size=len(labels)) + 0.8 * labels for k in range(2)}
    side = np.where(draw.random(len(labels)) < 0.5, "left", "right")
    return pa.table({"id": [str(i) for i in range(len(labels))], "label": labels, "side": side, **columns})


def judged(use_case: UseCase, view: pa.Table) -> Judgement:
    return judge(view, use_case=use_case, challenger=candidate(view, use_case=use_case), champion=None)


@pytest.fixture(scope="module")
def seven() -> Judgement:
    return judged(SEVEN, make_view())


def test_it_passes_its_gates_and_says_of_each_class_what_it_lacks(seven: Judgement) -> None:
    metrics = seven.report.overall.metrics

    assert seven.decision.reasons == ()
    assert metrics["accuracy_score"].value is not None
    assert metrics["recall_score[a]"].value is not None
    assert metrics["precision_score[g]"].shortfall == "0 predicted positives, needs 50"
    assert metrics["recall_score[g]"].shortfall == "0 positives, needs 50"
    assert all(each.value is not None or each.shortfall for each in metrics.values())


def test_each_class_with_too_few_rows_is_warned_of_with_its_counts(seven: Judgement) -> None:
    check = audit_classes(seven.report.class_rows)

    assert {word: sum(part[word] for part in seven.report.class_rows.values()) for word in COUNTS} == COUNTS
    assert not check.passed
    assert not check.blocks
    assert [reason.split("'")[1] for reason in check.reasons] == ["d", "e", "f", "g"]
    assert check.reasons[-1] == (
        "Class 'g' has 2 train rows, 0 validation rows, 0 test rows: it is learnt, and cannot be judged by itself, "
        "which needs 50."
    )


def test_a_gate_that_asks_for_a_figure_that_is_lacking_refuses_it_with_the_reason(seven: Judgement) -> None:
    on_a, on_g = (MetricBound(metric=f"recall_score[{word}]", at_least=0.1) for word in "ag")
    by_side = SliceBound(slice="side", metric="recall_score[d]", min_rows=50, at_least=0.1)

    assert decide(seven.report, (FIRST, on_a), comparison=seven.comparison).passed
    refused = decide(seven.report, (FIRST, on_g, by_side), comparison=seven.comparison)

    assert refused.reasons[0] == "recall_score[g]: 0 positives, needs 50"
    assert all(reason.startswith("recall_score[d][side=") for reason in refused.reasons[1:])


def test_a_class_without_any_row_to_learn_from_is_never_learnt_and_refuses_nothing() -> None:
    view = make_view()
    nobody = replace(SEVEN, task=Multiclass(classes=(*COUNTS, "h")))

    found = judged(nobody, view)

    assert found.decision.passed
    assert (
        audit_classes(found.report.class_rows)
        .reasons[-1]
        .startswith("Class 'h' has 0 train rows, 0 validation rows, 0 test rows: it is never learnt")
    )

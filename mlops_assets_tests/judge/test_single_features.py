"""Features that alone are too good to be known in time, of every task: each named, surely, and warned of before."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import kendalltau
from sklearn.metrics import roc_auc_score

from mlops_assets.contract.arrays import Floats
from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.features import Feature
from mlops_assets.contract.tasks import BINARY, Multiclass, Regression, Task
from mlops_assets.judge.single_features import audit_single_features, concordance, ranked_by

ROWS = 2000
KINDS = Multiclass(classes=("ant", "bee", "cat"))


def make_feature(name: str, *, kind: str = "numeric") -> Feature:
    return Feature(name=name, kind=kind, description="", owner="")  # type: ignore[arg-type]


def make_labels() -> Floats:
    return (np.random.default_rng(3).random(ROWS) < 0.25).astype(np.float64)


def audit(
    labels: Floats, *, task: Task = BINARY, kind: str = "numeric", **columns: object
) -> tuple[CheckResult, CheckResult]:
    """The check that refuses and the one that warns."""
    features = [make_feature(name, kind=kind) for name in columns]
    return audit_single_features(pa.table(columns), labels=labels, features=features, task=task, limit=0.95)


def named(check: CheckResult) -> list[str]:
    return [reason.split("'")[1] for reason in check.reasons]


def noise(seed: int, *, rows: int = ROWS) -> Floats:
    return np.random.default_rng(seed).normal(size=rows)


def test_every_feature_that_knows_the_label_is_named_with_its_interval() -> None:
    labels = make_labels()

    refused, warned = audit(labels, honest=noise(1) + labels, leak=0.1 * noise(1) - labels, copy=labels)

    assert refused.blocks
    assert named(refused) == ["copy", "leak"]
    assert refused.reasons[1].startswith("'leak' alone ranks the label with a ROC AUC of 1.0000 (at least 0.99")
    assert refused.figures["strongest_figure"] == 1
    assert warned.passed


def test_features_that_nearly_tell_the_label_are_each_warned_of() -> None:
    labels = make_labels()

    refused, warned = audit(
        labels, much=noise(1) + 2.1 * labels, some=noise(2) + 1.7 * labels, little=noise(4) + labels
    )

    assert refused.passed
    assert not warned.passed
    assert not warned.blocks
    assert named(warned) == ["much", "some"]


def test_of_few_rows_not_even_a_copy_of_the_label_is_sure_enough_and_that_is_said() -> None:
    labels = np.array([0.0, 0, 0, 0, 0, 0, 1, 1])

    refused, warned = audit(labels, lucky=np.arange(8.0))

    assert refused.passed
    assert refused.figures["insufficient_data"] == "2 rows of the rarer outcomes, needs 72"
    assert warned.figures["insufficient_data"] == "2 rows of the rarer outcomes, needs 23"


def test_of_a_thousand_features_near_the_limit_none_is_warned_of_by_chance() -> None:
    """Each has an area of 0.85 in truth: one look alone would warn of 25 of a thousand."""
    rng, labels = np.random.default_rng(8), make_labels()
    strength = np.sqrt(2) * 1.0364  # of two normal distributions this far apart the area is 0.85

    _, warned = audit(labels, **{f"x{i}": rng.normal(size=ROWS) + strength * labels for i in range(1000)})

    assert warned.passed


def test_missing_values_that_tell_the_label_are_found() -> None:
    labels = make_labels()
    refused, _ = audit(labels, only_late=pa.array(np.where(labels == 1, noise(1), np.nan), from_pandas=True))
    assert not refused.passed


def test_a_category_that_is_the_label_is_found_and_rare_ones_by_chance_are_not() -> None:
    labels = make_labels()
    unique = [f"flight {number}" for number in range(ROWS)]
    refused, warned = audit(labels, kind="categorical", outcome=np.where(labels == 1, "late", "fine"), unique=unique)
    assert named(refused) == ["outcome"]
    assert warned.passed


@pytest.mark.parametrize("task", [BINARY, KINDS, Regression()])
def test_a_label_that_is_always_the_same_fails_closed(task: Task) -> None:
    refused, _ = audit(np.zeros(5), task=task, x=np.arange(5.0))
    assert refused.blocks


def test_the_area_is_that_of_scikit_learn_with_missing_values_best_placed() -> None:
    labels = make_labels()
    values = np.round(np.random.default_rng(5).normal(size=ROWS) - 0.7 * labels, 1)
    values[::7] = np.nan
    area, ranks = ranked_by(pa.table({"x": values}).column("x"), feature=make_feature("x"), labels=labels)
    placed = [roc_auc_score(labels, np.where(np.isnan(values), fill, values)) for fill in (-1e9, 1e9)]
    assert area == pytest.approx(max(max(found, 1 - found) for found in placed), abs=1e-12)
    assert area == pytest.approx(roc_auc_score(labels, np.nan_to_num(ranks, posinf=1e9, neginf=-1e9)), abs=1e-12)


def test_a_feature_that_tells_all_classes_is_refused_and_one_that_tells_one_is_warned_of() -> None:
    classes = np.random.default_rng(6).integers(0, 3, ROWS).astype(np.float64)

    refused, warned = audit(
        classes,
        task=KINDS,
        leak=np.array([5.0, 1.0, 3.0])[classes.astype(int)] + 0.1 * noise(1),
        middle=np.where(classes == 2, 0, noise(2)),
        honest=noise(3) + 0.5 * classes,
    )

    assert named(refused) == ["leak"]
    assert "mean ROC AUC of the classes of 0.99" in refused.reasons[0]
    assert [reason.split(" with ")[0] for reason in warned.reasons] == ["'middle' alone ranks class 'cat'"]


def test_areas_of_categories_by_class_are_those_of_scikit_learn() -> None:
    """Where each half has the same rows, a category's share in the other half is its share."""
    codes = np.repeat(np.random.default_rng(9).integers(0, 8, ROWS // 2), 2)
    classes = np.repeat((np.random.default_rng(10).random(ROWS // 2) * (1 + codes[::2] % 3)).astype(np.int64) % 3, 2)
    shares = np.array([[np.mean(classes[codes == code] == k) for k in range(3)] for code in range(8)])[codes]

    refused, _ = audit(classes.astype(np.float64), task=KINDS, kind="categorical", x=[f"c{code}" for code in codes])

    expected = roc_auc_score(classes, shares, multi_class="ovr", average="weighted")
    assert refused.figures["strongest_figure"] == pytest.approx(expected, abs=1e-12)


def test_concordance_is_half_of_kendalls_tau_above_a_half_and_its_error_that_of_resampling() -> None:
    rng = np.random.default_rng(11)
    labels = rng.normal(size=300)
    values = labels + rng.normal(size=300)
    again = [concordance(values[rows], labels[rows]).value for rows in rng.integers(0, 300, (400, 300))]

    found = concordance(values, labels)

    assert found.value == pytest.approx((kendalltau(values, labels).statistic + 1) / 2, abs=1e-12)
    assert found.error == pytest.approx(np.std(again), rel=0.15)
    assert concordance(-values, labels).value == pytest.approx(found.value)


def test_a_concordance_of_a_half_and_the_arc_sine_is_a_correlation_as_kruskal_says() -> None:
    labels = noise(12, rows=1500)
    values = 0.89 * labels + np.sqrt(1 - 0.89**2) * noise(13, rows=1500)
    assert concordance(values, labels).value == pytest.approx(0.5 + np.arcsin(0.89) / np.pi, abs=0.01)


def test_a_number_that_is_the_label_but_for_noise_is_refused_and_a_close_one_warned_of() -> None:
    labels = noise(14)
    refused, warned = audit(
        labels,
        task=Regression(),
        leak=labels + 0.02 * noise(15),
        close=labels + 0.3 * noise(16),
        honest=labels + noise(17),
    )
    assert named(refused) == ["leak"]
    assert named(warned) == ["close"]
    assert "concordance" in warned.reasons[0]

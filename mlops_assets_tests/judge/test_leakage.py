"""Leakage guards: what request SQL may not read, and features that are too good to be known in time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from mlops_assets.contract.arrays import Floats
from mlops_assets.contract.features import Feature
from mlops_assets.judge.leakage import audit_request_sql, audit_single_features, ranked_by
from mlops_assets.use_cases.flights import USE_CASE

ROWS = 2000


def make_feature(name: str, *, kind: str = "numeric") -> Feature:
    return Feature(name=name, kind=kind, description="", owner="")  # type: ignore[arg-type]


def make_labels() -> Floats:
    return (np.random.default_rng(3).random(ROWS) < 0.25).astype(np.float64)


def request_sql(tmp_path: Path, text: str) -> Path:
    sql = tmp_path / "features.sql"
    sql.write_text(text)
    return sql


def test_flights_request_sql_reads_only_what_a_request_has() -> None:
    verdict = audit_request_sql(USE_CASE)
    assert verdict.passed
    assert verdict.blocks is False


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("SELECT id, label AS label FROM examples", "reads 'label'"),
        ("SELECT id, hour(outcome_known_at) AS known FROM examples", "reads 'outcome_known_at'"),
        ("SELECT id FROM examples WHERE label = 1", "reads 'label'"),
        ("WITH e AS (SELECT * FROM examples) SELECT id, avg(e.LABEL) OVER () AS x FROM e", "Unknown column: label"),
        ("SELECT id, arr_delay AS x FROM examples", "reads 'arr_delay'"),
    ],
)
def test_request_sql_that_reads_what_is_known_later_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    spoilt = replace(USE_CASE, features_sql=request_sql(tmp_path, text), features=(make_feature("distance"),))
    verdict = audit_request_sql(spoilt)
    assert verdict.blocks
    assert named in " ".join(verdict.reasons)


def test_a_declared_feature_that_is_the_label_is_refused(tmp_path: Path) -> None:
    sql = request_sql(tmp_path, "SELECT id FROM examples")
    spoilt = replace(USE_CASE, features_sql=sql, features=(make_feature("label"), make_feature("carrier")))
    (reason,) = audit_request_sql(spoilt).reasons
    assert reason == "The declared features take 'label', which is known after the moment of prediction."


def test_a_star_over_examples_is_no_reference_to_the_label(tmp_path: Path) -> None:
    sql = request_sql(tmp_path, "SELECT * FROM examples")
    assert audit_request_sql(replace(USE_CASE, features_sql=sql, features=(make_feature("carrier"),))).passed


def test_a_feature_that_knows_the_label_is_flagged_with_its_interval() -> None:
    labels = make_labels()
    noise = np.random.default_rng(1).normal(size=ROWS)
    view = pa.table({"honest": noise + labels, "leak": 0.1 * noise - labels})
    verdict = audit_single_features(
        view, labels=labels, features=[make_feature("honest"), make_feature("leak")], limit=0.95
    )
    assert verdict.blocks
    (reason,) = verdict.reasons
    assert reason.startswith("'leak' alone ranks the label with a ROC AUC of 1.0000")
    assert verdict.figures["strongest"] == "leak"


def test_strong_but_honest_features_pass() -> None:
    labels = make_labels()
    view = pa.table({"strong": np.random.default_rng(1).normal(size=ROWS) + 2 * labels})
    verdict = audit_single_features(view, labels=labels, features=[make_feature("strong")], limit=0.95)
    assert verdict.passed
    assert 0.9 < float(verdict.figures["strongest_roc_auc"]) < 0.95


def test_few_rows_above_the_limit_are_not_sure_enough() -> None:
    labels = np.array([0.0, 0, 0, 0, 0, 0, 1, 1])
    view = pa.table({"lucky": np.arange(8.0)})
    assert audit_single_features(view, labels=labels, features=[make_feature("lucky")], limit=0.95).passed


def test_missing_values_that_tell_the_label_are_found() -> None:
    labels = make_labels()
    noise = np.random.default_rng(1).normal(size=ROWS)
    view = pa.table({"only_late": pa.array(np.where(labels == 1, noise, np.nan), from_pandas=True)})
    assert not audit_single_features(view, labels=labels, features=[make_feature("only_late")], limit=0.95).passed


def test_a_category_that_is_the_label_is_found_and_rare_ones_by_chance_are_not() -> None:
    labels = make_labels()
    view = pa.table(
        {"outcome": np.where(labels == 1, "late", "fine"), "unique": [f"flight {number}" for number in range(ROWS)]}
    )
    features = [make_feature(name, kind="categorical") for name in view.column_names]
    verdict = audit_single_features(view, labels=labels, features=features, limit=0.95)
    assert [reason.split("'")[1] for reason in verdict.reasons] == ["outcome"]


def test_one_outcome_only_fails_closed() -> None:
    view = pa.table({"x": np.arange(5.0)})
    assert not audit_single_features(view, labels=np.zeros(5), features=[make_feature("x")], limit=0.95).passed


def test_the_area_is_that_of_scikit_learn_with_missing_values_best_placed() -> None:
    labels = make_labels()
    values = np.round(np.random.default_rng(5).normal(size=ROWS) - 0.7 * labels, 1)
    values[::7] = np.nan
    area, ranks = ranked_by(pa.table({"x": values}), feature=make_feature("x"), labels=labels)
    placed = [roc_auc_score(labels, np.where(np.isnan(values), fill, values)) for fill in (-1e9, 1e9)]
    assert area == pytest.approx(max(max(found, 1 - found) for found in placed), abs=1e-12)
    assert area == pytest.approx(roc_auc_score(labels, np.nan_to_num(ranks, posinf=1e9, neginf=-1e9)), abs=1e-12)

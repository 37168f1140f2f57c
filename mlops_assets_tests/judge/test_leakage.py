"""What request SQL may not read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlops_assets.contract.features import Feature
from mlops_assets.judge.leakage import audit_request_sql
from mlops_assets.use_cases.flights import USE_CASE


def make_feature(name: str, *, kind: str = "numeric") -> Feature:
    return Feature(name=name, kind=kind, description="", owner="")  # type: ignore[arg-type]


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

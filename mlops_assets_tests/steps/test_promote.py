"""A version that its gates refuse is not promoted, and the check says why."""

from __future__ import annotations

from mlops_assets.steps.judge import judge
from mlops_assets.steps.promote import GATES_ALLOW, promote
from mlops_assets.stores.models.champion import require_champion
from mlops_assets_tests.orchestration.toy import PARCELS, STRICT
from mlops_assets_tests.steps.played import NOW, Loop


def test_the_champion_promoted_again_stays_and_passes(served: Loop) -> None:
    before = require_champion(served.lake.at(), use_case="parcels")

    step = promote(served.lake, use_case=PARCELS, by="a notebook", at=NOW)

    assert step.outcome == before
    assert [(check.name, check.passed) for check in step.checks] == [(GATES_ALLOW, True)]


def test_a_version_that_was_never_judged_is_refused_with_the_reason(empty: Loop) -> None:
    loop = empty
    loop.take(["2024-03-01"])

    step = promote(loop.lake, use_case=PARCELS, by="a notebook", at=NOW, version="2024-03-01-00000000")

    (check,) = step.checks
    assert step.outcome is None
    assert check.blocks
    assert "Unknown version '2024-03-01-00000000' of parcels" in check.reasons[0]


def test_gates_that_became_stricter_fail_the_version_on_record(served: Loop) -> None:
    step = judge(served.lake.at(), use_case=STRICT, now=NOW)

    assert [check.name for check in step.checks if not check.passed] == ["roc_auc_score_within_bounds"]
    assert step.outcome.opponent is None

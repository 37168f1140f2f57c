"""A version is trained once, and says where it came from."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mlops_assets.lake.publishing import WriteRefused
from mlops_assets.lake.write import Write
from mlops_assets.steps.step import publish
from mlops_assets.steps.train import Provenance, train
from mlops_assets.stores.code import GitState
from mlops_assets_tests.orchestration.toy import PARCELS
from mlops_assets_tests.steps.played import Loop

GIT = GitState(commit="abc", dirty=True, diff_hash="d1ff")
UNTOLD = GitState(commit="unknown", dirty=True, diff_hash="", problem="git is not installed.")
MOMENTS = [datetime(2024, 3, 11, 12, 0, second, tzinfo=UTC) for second in (1, 4)]


def provenance() -> Provenance:
    return Provenance(git=GIT, started_by="a notebook", clock=iter(MOMENTS).__next__)


def test_what_was_trained_before_is_not_trained_again(served: Loop) -> None:
    step = train(served.lake.at(), use_case=PARCELS, provenance=provenance())

    assert step.outcome.trained_before
    assert {path: served.lake.at().read(path) for path in step.files} == dict(step.files)


def test_the_record_says_who_trained_with_which_code_and_when(served: Loop) -> None:
    other = replace(PARCELS, recipe=replace(PARCELS.recipe, seed=1))

    record = train(served.lake.at(), use_case=other, provenance=provenance()).outcome.record

    assert (record.git_commit, record.git_dirty, record.git_diff_hash) == ("abc", True, "d1ff")
    assert (record.started_by, record.created_at, record.seconds) == ("a notebook", MOMENTS[1], 3.0)
    assert record.data_commit == served.lake.head()


@pytest.mark.parametrize(
    ("git", "committed", "passed", "blocks"),
    [
        (GIT, False, True, False),
        (GIT, True, False, True),
        (GitState(commit="abc", dirty=False, diff_hash=""), True, True, False),
        (UNTOLD, False, False, False),
        (UNTOLD, True, False, True),
    ],
    ids=["changed", "changed, asked for committed code", "committed", "unknown", "unknown, asked for committed code"],
)
def test_code_without_a_commit_is_said_and_stops_who_asks_for_one(
    served: Loop, git: GitState, committed: bool, passed: bool, blocks: bool
) -> None:
    other = replace(PARCELS, recipe=replace(PARCELS.recipe, seed=2), committed=committed)
    step = train(served.lake.at(), use_case=other, provenance=replace(provenance(), git=git))

    try:
        audits = publish(step, lake=served.lake, write=Write(use_case="parcels", asset="model")).audits
    except WriteRefused as refused:
        audits = refused.audits

    (verdict,) = [each for each in audits if each.name == "code_is_committed"]
    assert (verdict.passed, verdict.blocks) == (passed, blocks)
    if git is UNTOLD:
        assert verdict.reasons == ("git is not installed.",)

"""A version is trained once, and says where it came from."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from mlops_assets.steps.train import Provenance, train
from mlops_assets.stores.code import GitState
from mlops_assets_tests.orchestration.toy import PARCELS
from mlops_assets_tests.steps.played import Loop

GIT = GitState(commit="abc", dirty=True, diff_hash="d1ff")
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

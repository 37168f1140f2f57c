from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mlops_assets.contract.errors import LakeError
from mlops_assets.lake.branches import BranchKind
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.publishing import WriteRefused
from mlops_assets_tests.lake.factories import failing, make_write, passing

DAY = "flights/raw/flights/2013-01-01.csv"


def publish(lake: Lake, **files: bytes) -> str:
    return lake.publish(
        make_write(), files={f"flights/{name}": content for name, content in files.items()}, audit=passing
    ).commit


def kinds(lake: Lake) -> dict[str, BranchKind]:
    return {branch.name: branch.kind for branch in lake.branches()}


def environment(lake: Lake, name: str) -> Lake:
    return Lake.connect(replace(lake.settings, branch=name))


def test_connecting_again_finds_what_was_published(lake: Lake) -> None:
    commit = publish(lake, a=b"rows")
    assert Lake.connect(lake.settings).head() == commit


def test_lakes_of_one_folder_share_one_embedded_server(embedded_lake: Lake) -> None:
    again = Lake.connect(embedded_lake.settings)
    assert again.connection.client.config.host == embedded_lake.connection.client.config.host


def test_an_environment_starts_as_its_source_and_publishes_apart_from_it(lake: Lake) -> None:
    publish(lake, a=b"production")
    lake.branch("dev-alice")
    alice = environment(lake, "dev-alice")
    publish(alice, a=b"experiment", b=b"more")
    assert lake.at().read("flights/a") == b"production"
    assert alice.at().read("flights/a") == b"experiment"
    assert [(change.kind, change.path) for change in lake.diff("dev-alice")] == [
        ("changed", "flights/a"),
        ("added", "flights/b"),
    ]


def test_a_missing_target_branch_is_made_from_the_default_one(lake: Lake) -> None:
    publish(lake, a=b"production")
    assert environment(lake, "dev-bob").at().read("flights/a") == b"production"


def test_merging_an_environment_publishes_it_and_twice_is_nothing_new(lake: Lake) -> None:
    lake.branch("dev-alice")
    publish(environment(lake, "dev-alice"), a=b"experiment")
    merged = lake.merge("dev-alice")
    assert merged == lake.head()
    assert lake.log(limit=1)[0].metadata["audit"] == "passed"
    assert lake.at().read("flights/a") == b"experiment"
    assert lake.merge("dev-alice") is None
    assert lake.diff("dev-alice") == ()


def test_a_conflicting_merge_names_the_files_and_changes_nothing(lake: Lake) -> None:
    publish(lake, a=b"start", b=b"start")
    lake.branch("dev-alice")
    publish(environment(lake, "dev-alice"), a=b"alice", b=b"alice")
    before = publish(lake, a=b"production")
    with pytest.raises(LakeError, match="both changed flights/a: nothing was merged"):
        lake.merge("dev-alice")
    assert lake.head() == before


def test_reverting_undoes_one_commit_and_keeps_what_came_after(lake: Lake) -> None:
    publish(lake, a=b"good")
    bad = publish(lake, a=b"bad")
    publish(lake, b=b"later")
    undone = lake.revert(bad)
    assert undone.id == lake.head()
    assert (lake.at().read("flights/a"), lake.at().read("flights/b")) == (b"good", b"later")


def test_a_merge_commit_can_be_reverted(lake: Lake) -> None:
    publish(lake, a=b"good")
    lake.branch("dev-alice")
    publish(environment(lake, "dev-alice"), a=b"bad")
    merged = lake.merge("dev-alice")
    assert merged is not None
    lake.revert(merged)
    assert lake.at().read("flights/a") == b"good"


def test_reverting_what_was_changed_since_is_refused(lake: Lake) -> None:
    bad = publish(lake, a=b"bad")
    after = publish(lake, a=b"changed since")
    with pytest.raises(LakeError, match="reverting"):
        lake.revert(bad)
    assert lake.head() == after


def test_the_log_of_a_file_tells_only_what_touched_it(lake: Lake) -> None:
    first = publish(lake, a=b"1")
    publish(lake, b=b"1")
    third = publish(lake, a=b"2")
    assert [commit.id for commit in lake.log("flights/a")] == [third, first]
    assert len(lake.log("flights/")) == 3
    assert lake.log("flights/never") == ()


def test_a_branch_that_exists_is_not_made_again(lake: Lake) -> None:
    lake.branch("dev-alice")
    with pytest.raises(LakeError, match="Branch 'dev-alice' exists already"):
        lake.branch("dev-alice")


def test_a_branch_name_that_lakefs_refuses_is_an_error_with_its_reason(lake: Lake) -> None:
    with pytest.raises(LakeError, match="making branch 'dev/alice'"):
        lake.branch("dev/alice")


def test_a_pinned_commit_has_a_branch_of_its_own(lake: Lake) -> None:
    commit = publish(lake, a=b"model")
    publish(lake, a=b"next")
    assert lake.pin("flights-2013-06-30-3fa9c1d2", commit=commit) == "pin-flights-2013-06-30-3fa9c1d2"
    assert lake.pin("flights-2013-06-30-3fa9c1d2", commit=commit)
    assert lake.pins() == {"flights-2013-06-30-3fa9c1d2": commit}
    lake.unpin("flights-2013-06-30-3fa9c1d2")
    lake.unpin("flights-2013-06-30-3fa9c1d2")
    assert lake.pins() == {}


def test_a_pin_is_not_moved_to_another_commit(lake: Lake) -> None:
    first = publish(lake, a=b"1")
    second = publish(lake, a=b"2")
    lake.pin("v1", commit=first)
    with pytest.raises(LakeError, match="'v1' already pins"):
        lake.pin("v1", commit=second)
    assert lake.pins() == {"v1": first}


def test_only_old_stage_branches_are_cleaned(lake: Lake) -> None:
    commit = publish(lake, a=b"x")
    lake.branch("dev-alice")
    lake.pin("v1", commit=commit)
    with pytest.raises(WriteRefused) as refused:
        lake.publish(make_write(), files={DAY: b"rows"}, audit=failing)
    soon, later = (datetime.now(UTC) + timedelta(days=days) for days in (0, 8))
    assert lake.clean_branches(older_than=timedelta(days=7), now=soon) == ()
    cleaned = lake.clean_branches(older_than=timedelta(days=7), now=later)
    assert [branch.name for branch in cleaned] == [refused.value.branch]
    assert kinds(lake) == {
        "dev-alice": BranchKind.ENVIRONMENT,
        "main": BranchKind.TARGET,
        "pin-v1": BranchKind.PIN,
    }


def test_a_write_just_begun_on_an_old_head_is_not_mistaken_for_an_old_one(lake: Lake) -> None:
    lake.branch("stage-flights-raw-3fa9c1d2-ffffffff0000")
    now = datetime.now(UTC) + timedelta(days=30)
    assert lake.clean_branches(older_than=timedelta(days=7), now=now) == ()


@pytest.mark.parametrize("name", ["main", "pin-v1", "dev-bob"])
def test_target_default_and_pins_are_not_deleted_by_name(lake: Lake, name: str) -> None:
    lake.pin("v1", commit=lake.head())
    bob = environment(lake, "dev-bob")
    with pytest.raises(LakeError, match=rf"(?i)branch '?{name}.*(is not|cannot be) deleted"):
        bob.delete_branch(name)


def test_an_environment_is_deleted_by_name(lake: Lake) -> None:
    lake.branch("dev-alice")
    lake.delete_branch("dev-alice")
    lake.delete_branch("dev-alice")
    assert list(kinds(lake)) == ["main"]

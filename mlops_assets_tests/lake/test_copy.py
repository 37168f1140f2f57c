from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from mlops_assets.contract.errors import LakeError
from mlops_assets.lake import copy as lake_copy
from mlops_assets.lake.copy import CopiedBranch, copy_repository
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.publishing import WriteRefused
from mlops_assets_tests.lake.factories import failing, make_write, passing


def put(lake: Lake, files: dict[str, bytes], *, deletes: tuple[str, ...] = ()) -> str:
    return lake.publish(make_write(), files=files, deletes=deletes, audit=passing).commit


def state(lake: Lake, ref: str) -> dict[str, bytes]:
    snapshot = lake.at(ref)
    return {info.path: snapshot.read(info.path) for info in snapshot.paths()}


@pytest.fixture
def source(embedded_lake: Lake) -> Iterator[Lake]:
    """Three commits on main, an environment that forks from the second, a pin, and a refused write."""
    put(embedded_lake, {"a": b"1", "b": b"1"})
    second = put(embedded_lake, {"a": b"2"}, deletes=("b",))
    embedded_lake.branch("dev-alice")
    embedded_lake.pin("v1", commit=second)
    put(embedded_lake, {"a": b"3", "c": b"3"})
    put(Lake.connect(replace(embedded_lake.settings, branch="dev-alice")), {"d": b"alice"})
    with pytest.raises(WriteRefused):
        embedded_lake.publish(make_write(), files={"bad": b"x"}, audit=failing)
    return embedded_lake


def test_branches_arrive_with_their_history_and_without_refused_writes(source: Lake, remote_lake: Lake) -> None:
    copied = list(copy_repository(source, remote_lake))
    assert [(each.branch, each.commits) for each in copied] == [("main", 4), ("dev-alice", 1), ("pin-v1", 0)]
    for branch in ("main", "dev-alice", "pin-v1"):
        assert state(remote_lake, branch) == state(source, branch)
    assert [branch.name for branch in remote_lake.branches()] == ["dev-alice", "main", "pin-v1"]


def test_every_commit_is_found_under_its_old_id_with_its_message_and_date(source: Lake, remote_lake: Lake) -> None:
    list(copy_repository(source, remote_lake))
    for commit in source.log():
        assert state(remote_lake, commit.id) == state(source, commit.id)
        arrived = remote_lake.log(ref=commit.id, limit=1)[0]
        assert (arrived.message, arrived.created) == (commit.message, commit.created)
        assert arrived.metadata == {**commit.metadata, "copied_from": commit.id}


def test_copying_again_carries_over_what_is_new(source: Lake, remote_lake: Lake) -> None:
    list(copy_repository(source, remote_lake))
    put(source, {"e": b"new"})
    copied = list(copy_repository(source, remote_lake))
    assert copied[0] == CopiedBranch(branch="main", commits=1, files=1, bytes=3)
    assert sum(each.commits for each in copied) == 1
    assert state(remote_lake, "main") == state(source, "main")


@pytest.mark.parametrize("killed_at", range(5))
def test_a_copy_that_was_killed_goes_on_where_it_stopped(
    source: Lake, remote_lake: Lake, killed_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads = iter(range(100))
    real = lake_copy.upload

    def dying(*arguments: object) -> None:
        real(*arguments)  # type: ignore[arg-type]
        if next(uploads) == killed_at:
            raise KeyboardInterrupt

    monkeypatch.setattr(lake_copy, "upload", dying)
    with pytest.raises(KeyboardInterrupt):
        list(copy_repository(source, remote_lake))
    monkeypatch.setattr(lake_copy, "upload", real)
    list(copy_repository(source, remote_lake))
    for branch in ("main", "dev-alice", "pin-v1"):
        assert state(remote_lake, branch) == state(source, branch)


def test_a_copy_killed_between_commit_and_tag_goes_on(source: Lake, remote_lake: Lake) -> None:
    list(copy_repository(source, remote_lake))
    newest = source.head()
    remote_lake.connection.repository.tag(newest).delete()
    assert sum(each.commits for each in copy_repository(source, remote_lake)) == 0
    assert remote_lake.at(newest).commit == remote_lake.head()


def test_heads_only_brings_the_newest_state_of_every_branch(source: Lake, remote_lake: Lake) -> None:
    copied = list(copy_repository(source, remote_lake, heads_only=True))
    assert [(each.branch, each.commits) for each in copied] == [("main", 1), ("dev-alice", 1), ("pin-v1", 1)]
    for branch in ("main", "dev-alice", "pin-v1"):
        assert state(remote_lake, branch) == state(source, branch)


def test_a_destination_with_other_work_is_left_alone(source: Lake, remote_lake: Lake) -> None:
    before = put(remote_lake, {"theirs": b"x"})
    with pytest.raises(LakeError, match="Branch 'main' of the destination holds other work"):
        list(copy_repository(source, remote_lake))
    assert remote_lake.head() == before


def test_a_file_of_many_versions_arrives_version_by_version(embedded_lake: Lake, remote_lake: Lake) -> None:
    commits = [put(embedded_lake, {"a": b"%d" % version}) for version in range(10)]
    list(copy_repository(embedded_lake, remote_lake))
    assert [remote_lake.at(commit).read("a") for commit in commits] == [b"%d" % version for version in range(10)]

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.errors import AuditFailed, LakeError
from mlops_assets.lake import publishing, staging
from mlops_assets.lake.branches import BranchKind
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.publishing import WriteRefused
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets_tests.lake.factories import failing, make_write, passing, seeing, warning

DAY = "flights/raw/flights/2013-01-01.csv"


def branch_names(lake: Lake) -> list[str]:
    return [branch.name for branch in lake.branches()]


def test_a_passing_write_becomes_visible_by_one_commit_and_leaves_no_branch(lake: Lake) -> None:
    before = lake.head()
    published = lake.publish(make_write(), files={DAY: b"rows"}, audit=passing)
    assert published.changed
    assert published.commit == lake.head()
    assert [commit.id for commit in lake.log(limit=2)] == [published.commit, before]
    assert lake.at().read(DAY) == b"rows"
    assert branch_names(lake) == ["main"]


def test_the_audit_reads_what_was_staged_before_anybody_else_can(lake: Lake) -> None:
    seen = {}

    def audit(snapshot: Snapshot) -> Iterable[CheckResult]:
        seen["staged"], seen["visible"] = snapshot.read(DAY), lake.at().exists(DAY)
        return ()

    lake.publish(make_write(), files={DAY: b"rows"}, audit=audit)
    assert seen == {"staged": b"rows", "visible": False}


def test_a_failed_audit_keeps_the_branch_with_its_verdict_and_publishes_nothing(lake: Lake) -> None:
    before = lake.head()
    with pytest.raises(WriteRefused, match=r"matches_schema: 3 rows lack a carrier") as refused:
        lake.publish(make_write(), files={DAY: b"rows"}, audit=failing)
    assert lake.head() == before
    assert not lake.at().exists(DAY)
    kept = next(branch for branch in lake.branches() if branch.name == refused.value.branch)
    assert kept.kind is BranchKind.AUDIT_FAILED
    assert kept.name.startswith("stage-flights-raw_flights-3fa9c1d2-")
    assert json.loads(kept.metadata["verdict"])["failed"][0]["reasons"] == ["3 rows lack a carrier."]
    assert lake.at(kept.name).read(DAY) == b"rows"
    assert refused.value.audits[0].name == "matches_schema"


def test_a_refused_write_is_an_audit_failure_for_whoever_catches_those(lake: Lake) -> None:
    with pytest.raises(AuditFailed):
        lake.publish(make_write(), files={DAY: b"rows"}, audit=failing)


def test_a_warning_is_recorded_and_published(lake: Lake) -> None:
    published = lake.publish(make_write(), files={DAY: b"rows"}, audit=warning)
    verdict = json.loads(lake.log(limit=1)[0].metadata["verdict"])
    assert published.changed
    assert (verdict["errors"], verdict["warnings"]) == (0, 1)


def test_an_audit_that_raises_leaves_its_branch_and_names_it(lake: Lake) -> None:
    def broken(snapshot: Snapshot) -> Iterable[CheckResult]:
        raise ZeroDivisionError("no rows")

    with pytest.raises(ZeroDivisionError) as raised:
        lake.publish(make_write(), files={DAY: b"rows"}, audit=broken)
    left = next(branch for branch in lake.branches() if branch.staged)
    assert left.kind is BranchKind.UNFINISHED
    assert left.name in raised.value.__notes__[0]
    assert not lake.at().exists(DAY)


def test_identical_content_publishes_nothing_says_so_and_is_still_audited(lake: Lake) -> None:
    first = lake.publish(make_write(), files={DAY: b"rows"}, audit=passing)
    again = lake.publish(make_write(run_id="other"), files={DAY: b"rows"}, audit=seeing({DAY: b"rows"}))
    assert not again.changed
    assert again.commit == first.commit == lake.head()
    assert (again.files, again.unchanged) == (0, 1)
    assert [check.name for check in again.audits] == ["reads_back"]


def test_what_is_published_already_may_fail_a_stricter_audit(lake: Lake) -> None:
    lake.publish(make_write(), files={DAY: b"rows"}, audit=passing)
    with pytest.raises(WriteRefused) as refused:
        lake.publish(make_write(), files={DAY: b"rows"}, audit=failing)
    kept = next(branch for branch in lake.branches() if branch.name == refused.value.branch)
    assert kept.kind is BranchKind.AUDIT_FAILED


def test_only_what_differs_is_written(lake: Lake) -> None:
    files = {f"flights/raw/flights/{day:03}.csv": b"%d" % day for day in range(50)}
    lake.publish(make_write(), files=files, audit=passing)
    corrected = files | {"flights/raw/flights/007.csv": b"corrected"}
    published = lake.publish(make_write(), files=corrected, audit=seeing(corrected))
    assert (published.files, published.bytes, published.unchanged) == (1, 9, 49)
    assert [change.path for change in lake.diff("main", base="main~1")] == ["flights/raw/flights/007.csv"]


def test_deletes_go_with_the_same_merge(lake: Lake) -> None:
    lake.publish(make_write(), files={DAY: b"rows", "flights/old": b"x"}, audit=passing)
    published = lake.publish(make_write(), files={DAY: b"new"}, deletes=["flights/old", "flights/never"], audit=passing)
    assert published.files == 2
    assert [info.path for info in lake.at().paths()] == [DAY]


def test_more_files_than_one_request_takes_are_published_and_deleted_together(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "_IMPORTED_AT_ONCE", 4)
    monkeypatch.setattr(staging, "_DELETED_AT_ONCE", 3)
    files = {f"flights/{day:02}": b"%d" % day for day in range(10)}
    first = lake.publish(make_write(), files=files, audit=seeing(files))
    assert (first.files, len(lake.log())) == (10, 2)
    assert [info.path for info in lake.at().paths()] == sorted(files)
    second = lake.publish(make_write(), files={"flights/new": b"x"}, deletes=sorted(files), audit=passing)
    assert (second.files, len(lake.log())) == (11, 3)
    assert [info.path for info in lake.at().paths()] == ["flights/new"]


def test_writing_and_deleting_one_path_at_once_is_refused(lake: Lake) -> None:
    with pytest.raises(LakeError, match=f"Both written and deleted by one write: {DAY}"):
        lake.publish(make_write(), files={DAY: b"rows"}, deletes=[DAY], audit=passing)


def test_local_files_are_published_like_bytes(lake: Lake, tmp_path: Path) -> None:
    large = tmp_path / "large.bin"
    large.write_bytes(bytes(range(256)) * 20_000)
    lake.publish(make_write(), files={"flights/large.bin": large, "flights/empty": b""}, audit=passing)
    snapshot = lake.at()
    assert snapshot.read("flights/large.bin") == large.read_bytes()
    assert snapshot.read("flights/empty") == b""


@pytest.mark.parametrize("path", ["flights/ü ä/ß+&=?#%41.csv", "flights/a b", "flights/日本.csv", "flights/'\"$(x)"])
def test_unusual_paths_read_back(lake: Lake, path: str) -> None:
    lake.publish(make_write(), files={path: b"rows"}, audit=seeing({path: b"rows"}))
    assert lake.at().read(path) == b"rows"


def test_the_merge_commit_says_who_wrote_what_and_how_it_was_judged(lake: Lake) -> None:
    lake.publish(make_write(), files={DAY: b"rows"}, audit=passing)
    commit = lake.log(limit=1)[0]
    assert commit.message == "flights/raw_flights 2013-01-01"
    assert commit.metadata | {"staged_commit": "", "verdict": ""} == {
        "use_case": "flights",
        "asset": "raw_flights",
        "run_id": "3fa9c1d2-77aa-4c1e-8f8e-000000000000",
        "code_version": "1",
        "git_commit": "abc1234",
        "partitions": "2013-01-01",
        "partition_first": "2013-01-01",
        "partition_last": "2013-01-01",
        "partition_count": "1",
        "audit": "passed",
        "staged_commit": "",
        "verdict": "",
    }


def test_many_partitions_are_named_by_first_last_and_count(lake: Lake) -> None:
    days = tuple(f"2013-{month:02}-{day:02}" for month in (1, 2) for day in range(1, 29))
    lake.publish(make_write(partitions=days), files={DAY: b"rows"}, audit=passing)
    metadata = lake.log(limit=1)[0].metadata
    assert (metadata["partition_first"], metadata["partition_last"]) == ("2013-01-01", "2013-02-28")
    assert metadata["partition_count"] == "56"
    assert "partitions" not in metadata


def test_writers_of_different_paths_do_not_disturb_each_other(lake: Lake) -> None:
    def meanwhile(snapshot: Snapshot) -> Iterable[CheckResult]:
        lake.publish(make_write(asset="other"), files={"flights/other": b"other"}, audit=passing)
        return ()

    published = lake.publish(make_write(), files={DAY: b"rows"}, audit=meanwhile)
    assert published.attempts == 1
    assert [info.path for info in lake.at().paths()] == ["flights/other", DAY]


def test_the_loser_on_one_path_audits_again_on_the_new_head(lake: Lake) -> None:
    heads: list[bytes | None] = []

    def overtaken_once(snapshot: Snapshot) -> Iterable[CheckResult]:
        heads.append(snapshot.read("flights/other") if snapshot.exists("flights/other") else None)
        if len(heads) == 1:
            files = {DAY: b"theirs", "flights/other": b"theirs"}
            lake.publish(make_write(asset="rival"), files=files, audit=passing)
        return ()

    published = lake.publish(make_write(), files={DAY: b"ours"}, audit=overtaken_once)
    assert published.attempts == 2
    assert heads == [None, b"theirs"]
    assert lake.at().read(DAY) == b"ours"
    assert branch_names(lake) == ["main"]


def test_a_writer_overtaken_by_the_same_content_has_nothing_left_to_do(lake: Lake) -> None:
    rival: list[str] = []

    def overtaken_once(snapshot: Snapshot) -> Iterable[CheckResult]:
        if not rival:
            rival.append("started")
            files = {DAY: b"rows", "flights/more": b"more"}
            rival.append(lake.publish(make_write(asset="rival"), files=files, audit=passing).commit)
        return ()

    lake.publish(make_write(), files={DAY: b"rows"}, audit=overtaken_once)
    assert lake.at().read(DAY) == b"rows"
    assert branch_names(lake) == ["main"]


def test_a_writer_that_always_loses_gives_up_and_says_so(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "_ATTEMPTS", 4)
    rounds = iter(range(100))

    def overtaken(snapshot: Snapshot) -> Iterable[CheckResult]:
        lake.publish(make_write(asset="rival"), files={DAY: b"%d" % next(rounds)}, audit=passing)
        return ()

    with pytest.raises(LakeError, match=r"Others kept publishing the same files .* gave up after 4 attempts"):
        lake.publish(make_write(), files={DAY: b"ours"}, audit=overtaken)
    assert branch_names(lake) == ["main"]


def test_threads_publishing_at_once_all_land(lake: Lake) -> None:
    def write(number: int) -> None:
        lake.publish(make_write(), files={f"flights/{number}": b"%d" % number}, audit=passing)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {info.path for info in lake.at().paths()} == {f"flights/{number}" for number in range(8)}
    assert branch_names(lake) == ["main"]

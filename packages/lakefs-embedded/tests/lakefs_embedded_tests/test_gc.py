from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lakefs.branch import Branch
from lakefs.exceptions import NotFoundException
from lakefs.repository import Repository

from lakefs_embedded import EmbeddedLakeFS, GarbageReport, collect_garbage

DAY = timedelta(days=1)


def collect(root: Path, *, days_later: int = 30, keep: timedelta = 7 * DAY, dry_run: bool = False) -> GarbageReport:
    return collect_garbage(root, keep=keep, now=datetime.now(UTC) + days_later * DAY, dry_run=dry_run)


def write(branch: Branch, path: str, content: str) -> str:
    branch.object(path).upload(content)
    return branch.commit(path).id


def stored(root: Path) -> int:
    return sum(1 for path in (root / "objects").rglob("*") if path.is_file())


@pytest.fixture
def main(repo: Repository) -> Branch:
    return repo.branch("main")


def test_everything_a_branch_reaches_stays(root: Path, repo: Repository, main: Branch) -> None:
    first = write(main, "a", "one")
    write(main, "a", "two")
    report = collect(root)
    assert (report.commits, report.objects) == (0, 0)
    assert repo.commit(first).object("a").reader("r").read() == "one"


def test_what_a_deleted_branch_held_goes(root: Path, repo: Repository, main: Branch) -> None:
    write(main, "a", "kept")
    dev = repo.branch("dev").create("main")
    gone = write(dev, "b", "gone")
    dev.delete()
    report = collect(root)
    assert (report.commits, report.objects, report.bytes_freed) == (1, 1, 4)
    assert report.tree_nodes >= 1
    assert stored(root) == 1
    with pytest.raises(NotFoundException):
        repo.commit(gone).get_commit()
    assert main.object("a").reader("r").read() == "kept"


def test_young_commit_stays_although_nothing_points_to_it(root: Path, repo: Repository) -> None:
    dev = repo.branch("dev").create("main")
    kept = write(dev, "b", "kept")
    dev.delete()
    assert collect(root, days_later=3).commits == 0
    assert repo.commit(kept).object("b").reader("r").read() == "kept"


def test_tag_keeps_what_it_points_to(root: Path, repo: Repository) -> None:
    dev = repo.branch("dev").create("main")
    write(dev, "b", "kept")
    repo.tag("v1").create("dev")
    dev.delete()
    assert collect(root).commits == 0
    assert repo.tag("v1").object("b").reader("r").read() == "kept"


def test_uncommitted_data_stays(root: Path, main: Branch) -> None:
    main.object("a").upload("uncommitted")
    assert collect(root).objects == 0
    assert main.object("a").reader("r").read() == "uncommitted"


def test_overwritten_uncommitted_data_goes(root: Path, main: Branch) -> None:
    main.object("a").upload("one")
    main.object("a").upload("two")
    assert collect(root).objects == 1
    assert main.object("a").reader("r").read() == "two"


def test_content_shared_with_something_kept_stays(root: Path, repo: Repository, main: Branch) -> None:
    write(main, "a", "same")
    dev = repo.branch("dev").create("main")
    write(dev, "b", "same")
    dev.delete()
    assert collect(root).objects == 0
    assert main.object("a").reader("r").read() == "same"


def test_deleted_repository_leaves_nothing(root: Path, repo: Repository, main: Branch) -> None:
    write(main, "a", "gone")
    repo.delete()
    assert collect(root).objects == 1
    assert stored(root) == 0


def test_dry_run_tells_and_removes_nothing(root: Path, repo: Repository) -> None:
    dev = repo.branch("dev").create("main")
    gone = write(dev, "b", "gone")
    dev.delete()
    told = collect(root, dry_run=True)
    assert told.dry_run
    assert repo.commit(gone).object("b").reader("r").read() == "gone"
    done = collect(root)
    assert (told.commits, told.objects, told.bytes_freed) == (done.commits, done.objects, done.bytes_freed)


def test_abandoned_uploads_go_and_fresh_ones_stay(root: Path, server: EmbeddedLakeFS) -> None:
    old, fresh = root / "incoming" / "old", root / "staging" / "fresh"
    old.write_bytes(b"abandoned")
    fresh.write_bytes(b"under way")
    long_ago = (datetime.now(UTC) - 40 * DAY).timestamp()
    os.utime(old, (long_ago, long_ago))
    assert collect(root, days_later=0).unfinished_uploads == 1
    assert not old.exists()
    assert fresh.exists()


def test_store_works_on_after_a_collection(root: Path, repo: Repository, main: Branch) -> None:
    for number in range(100):
        main.object(f"f{number}").upload(str(number))
    main.commit("many")
    dev = repo.branch("dev").create("main")
    write(dev, "f50", "changed")
    dev.delete()
    collect(root)
    write(main, "f51", "changed")
    assert main.object("f50").reader("r").read() == "50"
    assert len(list(main.objects())) == 100

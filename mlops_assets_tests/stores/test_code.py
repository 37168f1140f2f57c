"""Which code is running is told as a whole and file by file."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from mlops_assets.stores.code import GitState, code_version, git_state
from mlops_assets.stores.models.identity import feature_files

FLIGHTS = Path(__file__).parents[2] / "mlops_assets" / "use_cases" / "flights"


def test_every_file_of_a_use_case_has_a_version_of_its_own() -> None:
    found = feature_files("flights")

    assert set(found) == {
        path.relative_to(FLIGHTS).as_posix() for path in FLIGHTS.rglob("*.*") if path.suffix in {".py", ".sql"}
    }
    assert found["features.py"] == code_version([FLIGHTS / "features.py"])
    assert len(set(found.values())) == len(found)


def test_what_has_no_folder_has_no_files() -> None:
    assert feature_files("nowhere") == {}


def test_the_order_of_files_does_not_count_but_name_and_content_do(tmp_path: Path) -> None:
    first, second = tmp_path / "a.sql", tmp_path / "b.sql"
    first.write_text("SELECT 1")
    second.write_text("SELECT 1")

    assert code_version([first, second]) == code_version([second, first])
    assert code_version([first]) != code_version([second])


def git(folder: Path, *arguments: str) -> str:
    settings = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "safe.directory=*")
    done = subprocess.run(["git", "-C", str(folder), *settings, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def checkout(folder: Path) -> Path:
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / "a.py").write_text("A = 1\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", f"in {folder.name}")
    return folder


def test_the_commit_is_that_of_the_checkout_whatever_the_environment_points_git_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, other = checkout(tmp_path / "mine"), checkout(tmp_path / "other")
    told = git(mine, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))

    found = git_state(mine)

    assert (found.commit, found.dirty, found.problem) == (told, False, "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_a_repository_of_another_user_is_a_problem_that_is_told(tmp_path: Path) -> None:
    mine = checkout(tmp_path / "mine")
    for path in (mine, *mine.rglob("*")):
        os.chown(path, 54321, 54321)

    found = git_state(mine)

    assert (found.commit, found.dirty) == ("unknown", True)
    assert "another user owns its repository" in found.problem
    assert "safe.directory" in found.problem


def test_a_folder_outside_any_checkout_is_a_problem_that_is_told(tmp_path: Path) -> None:
    assert "not a git repository" in git_state(tmp_path).problem


def test_an_installed_package_says_what_its_wheel_was_built_from(tmp_path: Path) -> None:
    told = {"commit": "abc123", "dirty": False, "diff_hash": "", "problem": ""}
    (tmp_path / "built_from.json").write_text(json.dumps(told))

    assert git_state(tmp_path) == GitState(**told)

"""A data folder or a branch that is mistyped, cannot be written or is no path for a database: one sentence, nothing
made.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlops_assets.contract.errors import LakeError, SettingError
from mlops_assets.lake.lake import Lake
from mlops_assets_tests.cli.conftest import Mlops
from mlops_assets_tests.orchestration.deployment import Deployment


@pytest.mark.parametrize("words", [("status",), ("models", "parcels"), ("alerts",), ("compare", "a", "b")])
def test_a_mistyped_folder_is_asked_about_and_not_made(
    run_mlops: Mlops, empty: Deployment, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    (empty.data / "landing").mkdir()
    mistyped = empty.data.with_name("dat")
    monkeypatch.setenv("MLOPS_DATA_DIR", str(mistyped))

    with pytest.raises(SettingError, match=rf"No such folder: {mistyped} .*Did you mean {empty.data}\?"):
        run_mlops(*words)

    assert not mistyped.exists()


def test_a_folder_of_something_else_is_no_deployment(
    run_mlops: Mlops, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "thesis.tex").touch()
    monkeypatch.setenv("MLOPS_DATA_DIR", str(tmp_path))

    with pytest.raises(SettingError, match=f"Nothing of mlops is in {tmp_path} .*`mlops land CASE`"):
        run_mlops("status")

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_help_asks_for_no_folder(run_mlops: Mlops, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_DATA_DIR", str(tmp_path / "none"))

    assert run_mlops("status", "--help").exit_code == 0


@pytest.mark.parametrize("words", [("land", "parcels"), ("run", "parcels"), ("status",)])
def test_a_folder_that_cannot_be_written_is_said_before_anything_begins(
    run_mlops: Mlops, empty: Deployment, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)

    with pytest.raises(SettingError, match=f"{empty.data} cannot be written: set MLOPS_DATA_DIR"):
        run_mlops(*words)


def test_a_file_is_no_folder(run_mlops: Mlops, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notes.txt").touch()
    monkeypatch.setenv("MLOPS_DATA_DIR", str(tmp_path / "notes.txt" / "data"))

    with pytest.raises(SettingError, match=r"cannot be a folder: .*notes\.txt is a file"):
        run_mlops("land", "parcels")


@pytest.mark.parametrize("name", ["a%41b", "what?"])
@pytest.mark.parametrize("words", [("land", "parcels"), ("status",), ("doctor",)])
def test_a_path_that_a_database_reads_otherwise_is_refused(
    run_mlops: Mlops, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("MLOPS_DATA_DIR", str(tmp_path / name))

    with pytest.raises(SettingError, match=r"no database opens a path with [%?]\. Set MLOPS_DATA_DIR to another\."):
        run_mlops(*words)

    assert list(tmp_path.iterdir()) == []


def test_a_mistyped_branch_is_asked_about_and_not_made(
    run_mlops: Mlops, empty: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_mlops("lake", "branch", "dev-alice")
    monkeypatch.setenv("MLOPS_LAKE_BRANCH", "dev-alcie")

    with pytest.raises(LakeError, match=r"no branch 'dev-alcie'.*Did you mean 'dev-alice'\?.*`mlops lake branch"):
        run_mlops("status")

    monkeypatch.delenv("MLOPS_LAKE_BRANCH")
    assert sorted(branch.name for branch in Lake.connect().branches()) == ["dev-alice", "main"]
    assert not (empty.data / "environments").exists()

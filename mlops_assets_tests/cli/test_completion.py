"""What a shell offers after TAB."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from mlops_assets.cli.completion import use_case_names, version_names
from mlops_assets.cli.main import app
from mlops_assets.lake.lake import Lake
from mlops_assets.stores.models.registry import version_ids
from mlops_assets_tests.cli.conftest import Mlops
from mlops_assets_tests.orchestration.deployment import Deployment


def offered(line: str) -> list[str]:
    """What bash is told for that line, which ends where the cursor is."""
    words = line.split(" ")
    environ = {"_MLOPS_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    return CliRunner().invoke(app, [], prog_name="mlops", env=environ).output.split()


def test_use_cases_are_offered_by_their_beginning() -> None:
    assert use_case_names("fl") == ["flights"]
    assert {"flights", "income"} <= set(offered("mlops status "))
    assert offered("mlops models inc") == ["income"]


def test_commands_are_offered_without_a_deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_DATA_DIR", str(tmp_path / "none"))

    assert offered("mlops sta") == ["status"]
    assert offered("mlops promote ") == []
    assert not (tmp_path / "none").exists()


def test_versions_are_offered_as_the_lake_lists_them(run_mlops: Mlops, trained: Deployment) -> None:
    (version,) = version_ids(Lake.connect().at(), use_case="parcels")

    assert version_names(version[:4]) == [version]
    assert version_names("no such") == []


def test_a_lake_that_does_not_answer_offers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEFS_ENDPOINT", "http://127.0.0.1:1")  # and no keys

    assert version_names("") == []

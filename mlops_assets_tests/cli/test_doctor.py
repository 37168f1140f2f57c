"""`mlops doctor`: every case of configured, unreachable and missing says what to do."""

from __future__ import annotations

import json
import os
import re
import socket
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from mlops_assets.cli import doctor
from mlops_assets_tests.cli.conftest import Mlops
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets_tests.orchestration.test_sensor import settle
from mlops_assets_tests.serving.servers import free_port
from mlops_assets_tests.use_cases.installed import install, on_path


def line(output: str, what: str) -> str:
    """The row of the table about ``what``, in one line."""
    (found,) = [each for each in output.splitlines() if re.match(rf" . +{re.escape(what)}  ", each)]
    return " ".join(found.split())


def test_a_healthy_deployment_has_nothing_to_mend(run_mlops: Mlops, trained: Deployment) -> None:
    said = run_mlops("doctor")

    assert said.exit_code == 0
    assert "✗" not in said.output
    assert line(said.output, "lake").startswith("✓ lake embedded")
    assert "branch 'main' at" in line(said.output, "lake reachable")
    assert "not packaged here" in line(said.output, "champion of parcels")
    assert "none yet" in line(said.output, "champion of flights")


def test_an_endpoint_without_keys_names_the_missing_settings(
    run_mlops: Mlops, empty: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEFS_ENDPOINT", "http://127.0.0.1:1")

    said = run_mlops("doctor")

    assert said.exit_code == 1
    assert "LAKEFS_ACCESS_KEY_ID" in said.output


def test_a_lake_that_does_not_answer_says_so_and_what_to_do(
    run_mlops: Mlops, empty: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    for name, value in {"ENDPOINT": endpoint, "ACCESS_KEY_ID": "me", "SECRET_ACCESS_KEY": "mine"}.items():
        monkeypatch.setenv(f"LAKEFS_{name}", value)

    said = run_mlops("doctor")

    assert said.exit_code == 1
    assert line(said.output, "lake").startswith("✓ lake configured")
    assert line(said.output, "lake reachable").startswith("✗ lake reachable no")
    assert endpoint in said.output


def test_a_missing_library_is_mended_by_setup(
    run_mlops: Mlops, empty: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def installed(name: str) -> str:
        if name == "bentoml":
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(doctor, "version", installed)

    said = run_mlops("doctor")

    assert said.exit_code == 1
    assert line(said.output, "bentoml") == "✗ bentoml not installed `make setup`"


def test_a_data_folder_that_cannot_be_written_is_mended_by_another(
    run_mlops: Mlops, empty: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)

    said = run_mlops("doctor")

    assert said.exit_code == 1
    assert "set MLOPS_DATA_DIR to a folder of yours" in line(said.output, "data folder")


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system")
def test_objects_on_another_file_system_are_said(run_mlops: Mlops, empty: Deployment) -> None:
    (empty.data / "lake").mkdir()
    with TemporaryDirectory(dir="/dev/shm") as elsewhere:
        if Path(elsewhere).stat().st_dev == empty.data.stat().st_dev:
            pytest.skip("one file system holds both")
        (empty.data / "lake" / "objects").symlink_to(elsewhere)

        said = run_mlops("doctor")

    assert said.exit_code == 1
    assert "put objects and" in line(said.output, "lake folder")


def test_too_little_room_is_said(run_mlops: Mlops, empty: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LEAST_FREE_BYTES", 2**70)

    assert "Make room" in line(run_mlops("doctor").output, "disk")


def test_ports_in_use_are_told_apart_from_free_ones(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        assert doctor._is_taken(taken.getsockname()[1])
        assert not doctor._is_taken(free_port())


def test_a_broken_use_case_is_one_sentence_and_stops_no_other(
    run_mlops: Mlops, empty: Deployment, tmp_path: Path
) -> None:
    code = "from mlops_assets import UseCase\n\nUSE_CASE = UseCase(name='broken')\n"
    install("team-broken", points={"broken": "team_broken"}, to=tmp_path, files={"team_broken/__init__.py": code})
    with on_path(tmp_path):
        said = run_mlops("doctor")

    assert said.exit_code == 1
    assert line(said.output, "use case broken").startswith("✗ use case broken broken, team-broken Use case 'broken'")
    assert "flights, income" in line(said.output, "use cases")


def test_what_stands_still_is_told_and_is_nothing_to_mend(run_mlops: Mlops, ingested: Deployment) -> None:
    ingested.land(12)
    settle(ingested)

    said = run_mlops("doctor")

    assert said.exit_code == 0
    assert line(said.output, "days of parcels").startswith("! days of parcels Between")


def test_programs_are_told_the_findings(run_mlops: Mlops, empty: Deployment) -> None:
    findings = json.loads(run_mlops("doctor", "--json").output)["findings"]

    assert {"what": "dagster", "found": version("dagster"), "mend": "", "stands_still": False} in findings

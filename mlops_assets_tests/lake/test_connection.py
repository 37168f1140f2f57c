from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mlops_assets.contract.errors import LakeError
from mlops_assets.lake.connection import close_embedded_servers, embedded_server
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import LakeKind, LakeSettings
from mlops_assets_tests.lake.factories import make_write, passing


def test_a_real_lakefs_that_does_not_answer_is_a_clear_error(tmp_path: Path) -> None:
    environ = {
        "LAKEFS_ENDPOINT": "http://127.0.0.1:9",
        "LAKEFS_ACCESS_KEY_ID": "key",
        "LAKEFS_SECRET_ACCESS_KEY": "secret",
    }
    with pytest.raises(LakeError, match=r"LAKEFS_ENDPOINT is set: http://127.0.0.1:9.*did not answer"):
        Lake.connect(LakeSettings.from_environment(environ, home=tmp_path, data=tmp_path))


def test_wrong_keys_are_refused_and_say_where_they_came_from(remote_lake: Lake) -> None:
    with pytest.raises(LakeError, match=r"refuses the credentials \(the tests' own server\): .*401"):
        Lake.connect(replace(remote_lake.settings, secret_access_key="wrong"))


def test_a_missing_repository_without_a_namespace_says_what_to_set(remote_lake: Lake) -> None:
    with pytest.raises(LakeError, match=r"Repository 'missing' does not exist.*LAKEFS_STORAGE_NAMESPACE"):
        Lake.connect(replace(remote_lake.settings, repository="missing", storage_namespace=None))


def test_a_name_that_lakefs_refuses_is_an_error_with_its_reason(embedded_lake: Lake) -> None:
    with pytest.raises(LakeError, match=r"(?s)connecting to the lake .*must validate the regular"):
        Lake.connect(replace(embedded_lake.settings, repository="Not Allowed"))


def test_the_clients_own_variables_reach_the_lake(
    lake_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = embedded_server(lake_data / "lake")
    for name in ("LAKEFS_ENDPOINT", "LAKEFS_REPOSITORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LAKECTL_SERVER_ENDPOINT_URL", server.endpoint)
    monkeypatch.setenv("LAKECTL_CREDENTIALS_ACCESS_KEY_ID", server.access_key_id)
    monkeypatch.setenv("LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY", server.secret_access_key)
    monkeypatch.setenv("LAKEFS_STORAGE_NAMESPACE", f"local://{tmp_path.name}")
    settings = LakeSettings.from_environment(data=tmp_path)
    assert settings.kind is LakeKind.LAKECTL
    lake = Lake.connect(settings)
    lake.publish(make_write(), files={"flights/clients-own": b"rows"}, audit=passing)
    assert lake.at().read("flights/clients-own") == b"rows"


def test_the_clients_endpoint_without_keys_says_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LAKEFS_ENDPOINT", "LAKECTL_CREDENTIALS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LAKECTL_CONFIG_FILE", str(tmp_path / "none.yaml"))
    monkeypatch.setenv("LAKECTL_SERVER_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(LakeError, match=r"no credentials\. Set LAKECTL_CREDENTIALS_ACCESS_KEY_ID"):
        Lake.connect(LakeSettings.from_environment(data=tmp_path))


def test_closing_the_servers_lets_the_next_connection_start_anew(tmp_path: Path) -> None:
    settings = LakeSettings.embedded(tmp_path)
    commit = Lake.connect(settings).publish(make_write(), files={"a": b"x"}, audit=passing).commit
    close_embedded_servers()
    assert Lake.connect(settings).head() == commit
    close_embedded_servers()


@pytest.fixture
def without_embedded_lakefs(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the distribution were not installed."""
    monkeypatch.setitem(sys.modules, "lakefs_embedded", None)


@pytest.mark.usefixtures("without_embedded_lakefs")
def test_without_the_embedded_lakefs_and_without_an_endpoint_it_is_said_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LakeError) as said:
        Lake.connect(LakeSettings.from_environment({}, home=tmp_path, data=tmp_path))
    assert str(said.value) == (
        "The embedded lakeFS is not installed: pip install lakefs-embedded, or set LAKEFS_ENDPOINT."
    )


def test_a_real_lakefs_needs_no_embedded_one(remote_lake: Lake, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue("without_embedded_lakefs")
    lake = Lake.connect(remote_lake.settings)
    assert lake.publish(make_write(), files={"flights/a": b"rows"}, audit=passing).changed


def test_importing_the_lake_starts_and_reads_nothing(tmp_path: Path) -> None:
    program = (
        "import mlops_assets.lake.lake, threading, sys; "
        "assert threading.active_count() == 1; assert 'dagster' not in sys.modules"
    )
    environ = {"PATH": os.environ["PATH"], "MLOPS_DATA_DIR": str(tmp_path), "LAKEFS_ENDPOINT": "no such thing"}
    project = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", program], cwd=project, env=environ, check=True, timeout=60)
    assert list(tmp_path.iterdir()) == []

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from mlops_assets.cli.lake import age, lake_app, lakefs_app
from mlops_assets.contract.errors import LakeError
from mlops_assets.lake.connection import close_embedded_servers, embedded_server
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.publishing import WriteRefused
from mlops_assets_tests.lake.factories import failing, make_write, passing

Mlops = Callable[..., Result]
LAKE_VARIABLES = ("LAKEFS_ENDPOINT", "LAKECTL_SERVER_ENDPOINT_URL", "LAKEFS_REPOSITORY", "MLOPS_LAKE_BRANCH")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine where nothing is configured but the data folder."""
    for name in LAKE_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LAKECTL_CONFIG_FILE", str(tmp_path / "none.yaml"))
    monkeypatch.setenv("MLOPS_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    yield tmp_path
    close_embedded_servers()


@pytest.fixture
def mlops(data: Path) -> Mlops:
    """Runs `mlops lake …` and gives what it printed; errors are raised."""
    return lambda *words: CliRunner().invoke(lake_app, words, catch_exceptions=False)


def publish(**files: bytes) -> str:
    lake = Lake.connect()
    return lake.publish(
        make_write(), files={f"flights/{name}": content for name, content in files.items()}, audit=passing
    ).commit


def test_an_environment_is_made_worked_on_compared_and_merged(mlops: Mlops, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(a=b"production")
    assert "export MLOPS_LAKE_BRANCH=dev-alice" in mlops("branch", "dev-alice").output
    monkeypatch.setenv("MLOPS_LAKE_BRANCH", "dev-alice")
    publish(a=b"experiment", b=b"new")
    assert mlops("diff", "dev-alice", "--base", "main").output.splitlines() == [
        "changed   flights/a",
        "added     flights/b",
        "2 files differ.",
    ]
    assert "'main' is now at" in mlops("merge", "dev-alice", "--into", "main").output
    assert mlops("merge", "dev-alice", "--into", "main").output == "Nothing new for 'main'.\n"
    monkeypatch.delenv("MLOPS_LAKE_BRANCH")
    assert Lake.connect().at().read("flights/a") == b"experiment"
    assert mlops("diff", "dev-alice").output == "Nothing differs.\n"


def test_the_log_says_what_was_written_by_which_run_and_how_it_was_audited(mlops: Mlops) -> None:
    commit = publish(a=b"1")
    publish(b=b"1")
    shown = mlops("log", "flights/a").output
    assert re.search(rf"{commit[:12]}.*flights/raw_flights 2013-01-01.*3fa9c1d2.*passed", shown)
    assert shown.count("raw_flights") == 1


def test_a_commit_is_undone(mlops: Mlops) -> None:
    publish(a=b"good")
    bad = publish(a=b"bad")
    assert f"{bad[:12]} is undone by" in mlops("revert", bad[:12]).output
    assert Lake.connect().at().read("flights/a") == b"good"


def test_what_failed_is_listed_and_cleaned_when_it_is_old(mlops: Mlops) -> None:
    with pytest.raises(WriteRefused) as refused:
        Lake.connect().publish(make_write(), files={"flights/a": b"x"}, audit=failing)
    assert re.search(rf"{refused.value.branch}.*audit failed.*3fa9c1d2", mlops("branches").output)
    assert "0 branches" in mlops("branches", "--clean").output
    assert "1 branches" in mlops("branches", "--clean", "--older-than", "0m").output
    assert refused.value.branch not in mlops("branches").output


def test_a_branch_is_deleted_by_name(mlops: Mlops) -> None:
    mlops("branch", "dev-alice")
    assert "'dev-alice' is gone" in mlops("branches", "--delete", "dev-alice").output
    assert "dev-alice" not in mlops("branches").output


def test_copying_needs_somewhere_to_copy_to(mlops: Mlops) -> None:
    with pytest.raises(LakeError, match="set LAKEFS_ENDPOINT"):
        mlops("copy")


def test_the_embedded_lake_is_copied_to_the_configured_one(
    mlops: Mlops, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(a=b"1", b=b"22")
    real = embedded_server(data / "real")
    monkeypatch.setenv("LAKEFS_ENDPOINT", real.endpoint)
    monkeypatch.setenv("LAKEFS_ACCESS_KEY_ID", real.access_key_id)
    monkeypatch.setenv("LAKEFS_SECRET_ACCESS_KEY", real.secret_access_key)
    monkeypatch.setenv("LAKEFS_STORAGE_NAMESPACE", "local://copy")
    assert mlops("copy").output == "main: 2 commits, 2 files, 3 bytes\n"


def test_garbage_collection_frees_what_nothing_reaches(data: Path) -> None:
    lake = Lake.connect()
    with pytest.raises(WriteRefused) as refused:
        lake.publish(make_write(), files={"flights/a": b"x" * 1000}, audit=failing)
    lake.delete_branch(refused.value.branch)
    close_embedded_servers()
    words = ("gc", "--keep", "0m")
    assert "Would remove 2 commits, 1 objects" in CliRunner().invoke(lakefs_app, [*words, "--dry-run"]).output
    assert "Removed 2 commits, 1 objects" in CliRunner().invoke(lakefs_app, [*words]).output


@pytest.mark.parametrize(
    ("text", "span"), [("7d", timedelta(days=7)), ("12h", timedelta(hours=12)), ("0m", timedelta())]
)
def test_ages_are_written_with_their_unit(text: str, span: timedelta) -> None:
    assert age(text) == span


@pytest.mark.parametrize("text", ["7", "d7", "-1d", "7w", ""])
def test_an_age_without_a_known_unit_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="such as 7d, 12h or 30m"):
        age(text)


@pytest.mark.parametrize("words", [[], ["gc"]])
def test_without_the_embedded_lakefs_its_commands_say_how_to_get_it(
    data: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setitem(sys.modules, "lakefs_embedded", None)
    with pytest.raises(LakeError, match="pip install lakefs-embedded"):
        CliRunner().invoke(lakefs_app, words, catch_exceptions=False)
    assert list(data.iterdir()) == []


def test_the_server_stands_alone_until_it_is_told_to_stop(data: Path) -> None:
    program = "from mlops_assets.cli.lake import lakefs_app; lakefs_app(['--port', '0'])"
    root = str(Path(__file__).resolve().parents[2])
    environ = {**os.environ, "PYTHONPATH": root}
    server = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environ)
    assert server.stdout is not None
    with server.stdout:
        said = re.match(r"Embedded lakeFS at (http://127.0.0.1:\d+), data in ", server.stdout.readline())
        assert said is not None
        with urllib.request.urlopen(f"{said[1]}/api/v1/healthcheck", timeout=30) as answer:
            assert answer.status == 204
        server.send_signal(signal.SIGTERM)
        assert "Embedded lakeFS stopped." in server.stdout.read()
    assert server.wait(30) == 0

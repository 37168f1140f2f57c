"""`mlops serve` before it starts anything; `serve` and `dev` themselves are started by the end-to-end tests."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from mlops_assets.cli.serving import champion_tag
from mlops_assets.contract.errors import ServingError, SettingError
from mlops_assets.stores.models.bento_store import find_bento
from mlops_assets_tests.cli.conftest import Mlops
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets_tests.orchestration.toy import PARCELS


class Started(Exception):
    """What `mlops serve` would have become."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        super().__init__(command)
        self.command, self.environment = command, environment


@pytest.fixture
def not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process does not become the service; it tells with what it would have."""

    def started(_: str, command: list[str], environment: dict[str, str]) -> None:
        raise Started(command, environment)

    monkeypatch.setattr("mlops_assets.cli.serving.os.execve", started)


def test_serving_without_a_champion_says_how_to_get_one(run_mlops: Mlops, ingested: Deployment) -> None:
    with pytest.raises(ServingError, match="parcels has no champion yet: `mlops run parcels`"):
        run_mlops("serve", "parcels")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "shop.example.org"])
def test_others_are_let_in_only_where_there_is_a_key(run_mlops: Mlops, trained: Deployment, host: str) -> None:
    with pytest.raises(SettingError, match=rf"At {host} others could ask, .*`mlops keys new NAME --scope predict`"):
        run_mlops("serve", "parcels", "--host", host)


def test_a_revoked_key_opens_no_door(run_mlops: Mlops, trained: Deployment) -> None:
    run_mlops("keys", "new", "shop", "--scope", "predict")
    run_mlops("keys", "revoke", "shop")

    with pytest.raises(SettingError, match="there is no key that works"):
        run_mlops("serve", "parcels", "--host", "0.0.0.0")


@pytest.mark.parametrize("port", [0, 99999])
@pytest.mark.parametrize("words", [("serve", "parcels"), ("dev",)])
def test_a_port_that_is_none_is_one_sentence(
    run_mlops: Mlops, trained: Deployment, words: tuple[str, ...], port: int
) -> None:
    with pytest.raises(SettingError, match=rf"--port {port} is no port: choose one from 1 to 65535\."):
        run_mlops(*words, "--port", str(port))


@pytest.mark.parametrize("words", [("serve", "parcels"), ("dev",)])
def test_a_port_in_use_is_one_sentence_and_nothing_is_started(
    run_mlops: Mlops, trained: Deployment, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setattr("mlops_assets.cli.serving.subprocess.Popen", None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(SettingError, match=rf"at 127\.0\.0\.1, port {port}: Address already in use\. Choose"):
            run_mlops(*words, "--port", str(port))


@pytest.mark.slow
@pytest.mark.usefixtures("not_started")
def test_a_champion_that_is_not_packaged_here_is_packaged_and_served_to_others_by_as_many_workers_as_asked_for(
    run_mlops: Mlops, trained: Deployment, free_port: int
) -> None:
    run_mlops("keys", "new", "shop", "--scope", "predict")

    with pytest.raises(Started) as started:
        run_mlops("serve", "parcels", "--host", "0.0.0.0", "--port", str(free_port), "--workers", "3")

    tag = champion_tag(PARCELS)
    found = find_bento("parcels", version=tag.partition(":")[2], data_dir=trained.data)
    assert found is not None
    assert (found.path.parent / "latest").read_text() == found.path.name
    assert f"bentoml serve {tag} --host 0.0.0.0 --port {free_port}" in " ".join(started.value.command)
    assert started.value.environment["MLOPS_SERVICE_WORKERS"] == "3"
    assert started.value.environment["MLOPS_DATA_DIR"] == str(Path(trained.data).resolve())

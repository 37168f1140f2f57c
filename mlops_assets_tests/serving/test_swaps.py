"""Fifty promotions and rollbacks of a service that is asked all the time, under the real `bentoml serve`."""

from __future__ import annotations

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlops_assets.stores.models.bento_store import bento_home, build_bento
from mlops_assets.stores.serving_orders import ChampionOrder, ServingOrders
from mlops_assets_tests.serving.factories import (
    make_checkout,
    make_history,
    make_model_files,
    make_parcel,
    order_of,
    refresh_online_store,
)
from mlops_assets_tests.serving.servers import Client, served

VERSIONS = ("v1", "v2", "v3")
SWAPS = 50


@dataclass(kw_only=True)
class Load:
    """Asks all the time: when each request was sent and answered, its status and the version that answered."""

    client: Client
    answers: list[tuple[float, float, int, str]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def ask(self) -> None:
        while not self.over.is_set():
            sent = time.monotonic()
            status, answer = self.client.post({"rows": [make_parcel()]})
            version = answer["predictions"][0]["model_version"] if status == 200 else str(answer)
            self.answers.append((sent, time.monotonic(), status, version))


def stored(folder: Path, *, data_dir: Path) -> dict[str, dict[str, Path]]:
    """A Bento of v1, and three models that differ in the store, as promotions leave them there."""
    files = {name: make_model_files(folder / name, version=name, seed=n) for n, name in enumerate(VERSIONS)}
    checkout = make_checkout(folder / "checkout")
    build_bento(files["v1"], use_case="parcels", version="v1", data_dir=data_dir, checkout=checkout)
    store = bento_home(data_dir) / "models" / "parcels"
    for name in VERSIONS[1:]:
        shutil.copytree(store / "v1", store / name)
        described = store / name / "model.yaml"
        described.write_text(described.read_text().replace("v1", name))
        for file, path in files[name].items():
            shutil.copyfile(path, store / name / file)
    return files


@pytest.mark.slow
def test_fifty_swaps_under_load_fail_no_request_and_answer_by_champions_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_SERVICE_WATCH_MS", "50")
    data_dir = tmp_path / "data"
    files = stored(tmp_path, data_dir=data_dir)
    told = {name: order_of(files[name]) for name in VERSIONS}
    refresh_online_store(data_dir, make_history())
    orders = ServingOrders(data_dir, use_case="parcels")
    reigns = [("v1", 0.0)]

    with served("parcels:v1", data_dir=data_dir) as running:
        client = Client(running.url)
        load = Load(client=client)
        with ThreadPoolExecutor(4) as pool:
            asking = [pool.submit(load.ask) for _ in range(4)]
            try:
                for number in range(1, SWAPS + 1):
                    version = VERSIONS[number % 3]
                    reigns.append((version, time.monotonic()))
                    order = {**told[version], "at": datetime.now(UTC)}
                    orders.write(ChampionOrder(**order, sequence=number, action="promoted"))
                    wait_for(client, version)
            finally:
                load.over.set()
            for each in asking:
                each.result(60)
        metrics = client.get("/metrics")[1]
        explained = client.post({"rows": [make_parcel()]}, path="/explain")[1]["explanations"][0]

    assert {status for _, _, status, _ in load.answers} == {200}
    assert len(load.answers) > SWAPS
    assert [answer for answer in load.answers if not was_champion(answer, reigns=reigns)] == []
    assert f'mlops_swaps_total{{outcome="taken"}} {SWAPS}.0' in metrics
    assert explained["model_version"] == reigns[-1][0] != "v1"
    with served("parcels:v1", data_dir=data_dir) as again:
        assert Client(again.url).get("/model")[1]["model_version"] == reigns[-1][0]


def wait_for(client: Client, version: str, *, seconds: float = 10.0) -> None:
    """Until the service answers by ``version``; an error where that takes more than seconds."""
    until = time.monotonic() + seconds
    while client.get("/model")[1]["model_version"] != version:
        assert time.monotonic() < until, f"{version} was not taken into service within {seconds} seconds"


def was_champion(answer: tuple[float, float, int, str], *, reigns: list[tuple[str, float]]) -> bool:
    """Whether the version was champion at some moment between asking and the answer.

    A reign lasts until the service has answered by the next one, which the test waits for before it goes on.
    """
    sent, answered, _, version = answer
    ends = [began for _, began in reigns[2:]] + [float("inf")] * 2
    return any(
        name == version and began <= answered and sent <= end for (name, began), end in zip(reigns, ends, strict=True)
    )

"""A built Bento under the real `bentoml serve`, asked over real HTTP."""

from __future__ import annotations

import http.client
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import expect

from mlops_assets.stores.models.bento_store import BuiltBento, build_bento, serve_command, serve_environment
from mlops_assets.stores.predictions.prediction_log import prediction_log_of
from mlops_assets_tests.end_to_end.dagster_ui import browser_page
from mlops_assets_tests.serving.factories import (
    ROOT,
    VERSION,
    make_checkout,
    make_history,
    make_model_files,
    make_parcel,
    refresh_online_store,
)
from mlops_assets_tests.serving.servers import (
    Client,
    ServedBento,
    free_port,
    kill,
    served,
    start,
    stop,
    wait_until_ready,
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[BuiltBento, Path]:
    """One Bento for all tests of this module: building takes seconds."""
    folder = tmp_path_factory.mktemp("built")
    files = make_model_files(folder / "model")
    checkout = make_checkout(folder / "checkout")
    data_dir = folder / "data"
    made = build_bento(files, use_case="parcels", version=VERSION, data_dir=data_dir, checkout=checkout)
    shutil.rmtree(checkout)  # the Bento runs by itself
    return made, data_dir


@pytest.fixture(scope="module")
def service(built: tuple[BuiltBento, Path]) -> Iterator[Client]:
    refresh_online_store(built[1], make_history())
    with served(built[0].tag, data_dir=built[1]) as running:
        yield Client(running.url)


def recorded(data_dir: Path) -> list[dict[str, Any]]:
    log = prediction_log_of("parcels", folder=data_dir)
    rows: list[dict[str, Any]] = log.read_after(0, limit=10_000).to_pylist()
    log.close()
    return rows


def test_good_rows_are_answered_in_order_and_recorded(service: Client, built: tuple[BuiltBento, Path]) -> None:
    rows = [make_parcel(), make_parcel(depot="LGA", weight=29), make_parcel(weight=29)]
    status, answer = service.post({"rows": rows})
    assert status == 200
    given = answer["predictions"]
    assert [each["flags"] for each in given] == [[], ["no history of depot 'LGA'"], []]
    assert given[0]["score"] < given[2]["score"]
    kept = {row["prediction_id"]: row for row in recorded(built[1])}
    assert [kept[each["prediction_id"]]["score"] for each in given] == [each["score"] for each in given]
    assert {each["model_version"] for each in given} == {VERSION}


def test_the_service_needs_neither_lakefs_nor_dagster(
    built: tuple[BuiltBento, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = ("lakefs_embedded", "lakefs", "lakefs_sdk", "dagster")
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules.update(dict.fromkeys({missing}))\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    refresh_online_store(built[1], make_history())
    with served(built[0].tag, data_dir=built[1]) as running:
        status, answer = Client(running.url).post({"rows": [make_parcel()]})
    assert (status, len(answer["predictions"])) == (200, 1)


def test_a_bad_row_gives_400_and_nothing_is_answered_or_recorded(
    service: Client, built: tuple[BuiltBento, Path]
) -> None:
    before = len(recorded(built[1]))
    status, answer = service.post({"rows": [make_parcel(), make_parcel(depot="nowhere")]})
    assert status == 400
    assert answer["faults"] == [
        {"row": 1, "field": "depot", "reason": "String should match pattern '^[A-Z]{3}$'; found 'nowhere'"}
    ]
    assert len(recorded(built[1])) == before


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b'"rows"', b'{"rows": 3}', b'{"rows": []}'])
def test_a_body_that_is_no_request_gives_400(service: Client, body: bytes) -> None:
    status, answer = service.post(body)
    assert status == 400
    assert "error" in answer


def test_the_api_is_documented_with_the_use_cases_own_fields(service: Client) -> None:
    _, docs = service.get("/docs.json")
    schemas = docs["components"]["schemas"]
    assert set(schemas["ParcelRequest"]["properties"]) == {"depot", "weight", "sent_at", "sender"}
    assert schemas["ParcelRequest"]["properties"]["depot"]["description"] == "Where it is sent from"
    assert "prediction_id" in schemas["Answer"]["properties"]
    assert "400" in docs["paths"]["/predict"]["post"]["description"]


def test_describe_tells_what_is_expected_and_what_answers(service: Client) -> None:
    for status, told in (service.get("/describe"), service.post({}, path="/describe")):
        assert status == 200
        assert (told["use_case"], told["model_version"]) == ("parcels", VERSION)
        assert told["request"]["required"] == ["depot", "weight", "sent_at"]
        assert told["history"]["as_of"] == "2013-07-01"
        assert told["record"]["lake_commit"]
        assert "depot__late_rate_7d" in [feature["name"] for feature in told["features"]]


def test_the_first_page_names_nobody_outside_this_machine_and_lets_a_browser_load_nothing(service: Client) -> None:
    with urllib.request.urlopen(service.url + "/", timeout=30) as response:
        page, policy = response.read().decode(), response.headers["Content-Security-Policy"]

    assert "Will this parcel be late?" in page
    assert VERSION in page
    outside = [found for found in re.findall(r"https?://[^/\s\"'<&]+", page) if found != service.url]
    assert outside == []
    assert policy.startswith("default-src 'none'")
    linked = re.findall(r'href="(/[^"]+)"', page)
    assert {"/docs.json", "/readyz", "/metrics"} <= set(linked)
    assert [service.get(path)[0] for path in linked] == [200] * len(linked)


@pytest.mark.slow
def test_a_browser_that_opens_the_first_page_asks_only_for_that_page(service: Client, tmp_path: Path) -> None:
    asked: list[str] = []
    with browser_page(seen=tmp_path / "first-page.png", width=900) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.goto(service.url + "/")
        expect(page.get_by_role("heading", name="Ask it")).to_be_visible()

    assert {url.removesuffix("/favicon.ico").rstrip("/") for url in asked} == {service.url}


def test_health_is_answered(service: Client) -> None:
    assert service.get("/healthz")[0] == service.get("/livez")[0] == service.get("/readyz")[0] == 200


def test_many_clients_each_get_their_own_answer(service: Client, built: tuple[BuiltBento, Path]) -> None:
    """Weights differ, so an answer mixed up between clients would show in its score."""
    weights = [0.5 + number % 29 for number in range(120)]
    alone = {weight: service.post({"rows": [make_parcel(weight=weight)]})[1] for weight in set(weights)}
    with ThreadPoolExecutor(12) as clients:
        asked = list(clients.map(lambda weight: service.post({"rows": [make_parcel(weight=weight)]}), weights))
    assert {status for status, _ in asked} == {200}
    for weight, (_, answer) in zip(weights, asked, strict=True):
        assert answer["predictions"][0]["score"] == alone[weight]["predictions"][0]["score"]
    ids = {answer["predictions"][0]["prediction_id"] for _, answer in asked}
    assert len(ids) == len(weights)
    assert ids <= {row["prediction_id"] for row in recorded(built[1])}


def test_a_log_that_cannot_be_written_gives_503_until_it_can(service: Client, built: tuple[BuiltBento, Path]) -> None:
    before = len(recorded(built[1]))
    other = sqlite3.connect(built[1] / "prediction_log" / "parcels.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    status, answer = service.post({"rows": [make_parcel()]})
    other.execute("ROLLBACK")
    other.close()
    assert status == 503
    assert "could not be written: database is locked" in answer["error"]
    assert len(recorded(built[1])) == before
    assert service.post({"rows": [make_parcel()]})[0] == 200


def test_kill_9_loses_no_answer_and_the_next_start_goes_on(built: tuple[BuiltBento, Path], tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    shutil.copytree(built[1] / "bentoml", data_dir / "bentoml")
    refresh_online_store(data_dir, make_history())
    got: list[str] = []
    running = start(built[0].tag, data_dir=data_dir, port=free_port())
    wait_until_ready(running)
    client = Client(running.url)
    enough = threading.Event()

    def ask() -> None:
        with suppress(OSError, http.client.HTTPException):  # cut off in the middle of an answer
            while True:
                _, answer = client.post({"rows": [make_parcel()] * 3})
                got.extend(each["prediction_id"] for each in answer["predictions"])
                if len(got) > 60:
                    enough.set()

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    answered = enough.wait(60)
    kill(running)
    for asker in askers:
        asker.join(30)
    kept = [row["prediction_id"] for row in recorded(data_dir)]
    assert answered
    assert set(got) <= set(kept)
    assert len(kept) % 3 == 0
    with served(built[0].tag, data_dir=data_dir) as again:
        assert Client(again.url).post({"rows": [make_parcel()]})[0] == 200
    assert [row["seq"] for row in recorded(data_dir)] == list(range(1, len(kept) + 2))


def test_a_damaged_model_is_not_served(built: tuple[BuiltBento, Path], tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    shutil.copytree(built[1] / "bentoml", data_dir / "bentoml")
    model = data_dir / "bentoml" / "models" / "parcels" / VERSION / "model.ubj"
    content = bytearray(model.read_bytes())
    content[100] ^= 1
    model.write_bytes(content)
    refused = pytest.raises(AssertionError, match=r"model\.ubj is damaged")
    with refused, served(built[0].tag, data_dir=data_dir):
        pass


def test_a_worker_ends_when_its_supervisor_is_killed(built: tuple[BuiltBento, Path]) -> None:
    running = start(built[0].tag, data_dir=built[1], port=free_port())
    wait_until_ready(running)
    workers = psutil.Process(running.process.pid).children(recursive=True)
    running.process.kill()
    running.process.wait(30)
    _, left = psutil.wait_procs(workers, timeout=30)
    for worker in left:
        worker.kill()
    assert workers
    assert not left


def test_bentoml_serve_started_by_hand_reports_nothing_home(built: tuple[BuiltBento, Path]) -> None:
    """With this switch BentoML writes what it would send into its log instead of sending it."""
    environ = serve_environment(built[1]) | {"__BENTOML_DEBUG_USAGE": "true"}
    del environ["BENTOML_DO_NOT_TRACK"]
    log, port = built[1] / "by-hand.log", free_port()
    with log.open("wb") as out:
        process = subprocess.Popen(serve_command(built[0].tag, port=port), env=environ, stdout=out, stderr=out)
    running = ServedBento(url=f"http://127.0.0.1:{port}", log=log, process=process)
    try:
        wait_until_ready(running)
    finally:
        stop(running)
    assert "Service parcels initialized" in log.read_text()
    assert "Tracking Payload" not in log.read_text()


def test_importing_the_service_loads_neither_dagster_nor_pandas() -> None:
    program = (
        "import sys, mlops_assets.serving.service, mlops_assets.serving.predictor\n"
        "print([name for name in ('dagster', 'pandas', 'sklearn') if sys.modules.get(name)])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

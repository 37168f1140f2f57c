"""A built Bento under the real `bentoml serve`, asked over real HTTP."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import expect

from mlops_assets.stores.predictions.service_figures import Services
from mlops_assets_tests.end_to_end.dagster_ui import browser_page
from mlops_assets_tests.serving.factories import ROOT, TAG, VERSION, make_parcel, recorded
from mlops_assets_tests.serving.servers import Client, ServedBento, served

MISSING = ("lakefs_embedded", "lakefs", "lakefs_sdk", "dagster")


@pytest.fixture(scope="module")
def running(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedBento]:
    """The service where neither lakeFS nor Dagster is installed, and where BentoML logs what it would report
    home instead of sending it.
    """
    site = tmp_path_factory.mktemp("site")
    (site / "sitecustomize.py").write_text(f"import sys\nsys.modules.update(dict.fromkeys({MISSING}))\n")
    settings = {"PYTHONPATH": str(site), "__BENTOML_DEBUG_USAGE": "true", "BENTOML_DO_NOT_TRACK": "false"}
    with served(TAG, data_dir=data_dir, settings=settings) as running:
        yield running


@pytest.fixture(scope="module")
def service(running: ServedBento) -> Client:
    return Client(running.url)


def test_good_rows_are_answered_in_order_and_recorded(service: Client, data_dir: Path) -> None:
    rows = [make_parcel(), make_parcel(depot="LGA", weight=29), make_parcel(weight=29)]
    status, answer = service.post({"rows": rows})
    assert status == 200
    given = answer["predictions"]
    assert [each["flags"] for each in given] == [[], ["no history of depot 'LGA'"], []]
    assert given[0]["score"] < given[2]["score"]
    kept = {row["prediction_id"]: row for row in recorded(data_dir)}
    assert [kept[each["prediction_id"]]["score"] for each in given] == [each["score"] for each in given]
    assert {each["model_version"] for each in given} == {VERSION}


def test_a_bad_row_is_told_in_its_place_and_the_good_ones_are_answered(service: Client, data_dir: Path) -> None:
    before = len(recorded(data_dir))
    status, answer = service.post({"rows": [make_parcel(), make_parcel(depot="nowhere"), make_parcel(weight=3)]})
    first, second, third = answer["predictions"]
    assert status == 200
    assert second == {
        "error": "This row cannot be predicted.",
        "faults": [
            {"row": 1, "field": "depot", "value": "'nowhere'", "rule": "String should match pattern '^[A-Z]{3}$'"}
        ],
    }
    kept = [row["prediction_id"] for row in recorded(data_dir)[before:]]
    assert kept == [first["prediction_id"], third["prediction_id"]]


def test_where_no_row_is_good_the_answer_is_400_and_nothing_is_recorded(service: Client, data_dir: Path) -> None:
    before = len(recorded(data_dir))
    status, answer = service.post({"rows": [make_parcel(weight=0), make_parcel(depot=7)]})
    assert status == 400
    assert answer["error"] == "None of the 2 rows can be predicted. Mend what is named here."
    assert [(fault["row"], fault["field"], fault["value"]) for fault in answer["faults"]] == [
        (0, "weight", "0"),
        (1, "depot", "7"),
    ]
    assert len(recorded(data_dir)) == before


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b'"rows"', b'{"rows": 3}', b'{"rows": []}'])
def test_a_body_that_is_no_request_gives_400(service: Client, body: bytes) -> None:
    status, answer = service.post(body)
    assert status == 400
    assert set(answer) == {"error", "faults"}


def test_describe_tells_what_is_expected_and_what_answers(service: Client) -> None:
    for status, told in (service.get("/model"), service.get("/describe"), service.post({}, path="/describe")):
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


def test_what_is_counted_names_the_use_case_it_is_of(service: Client) -> None:
    service.post({"rows": [make_parcel()]})

    counted, note = Services(urls=(service.url,)).ask(use_case="parcels", now=datetime.now(UTC))

    assert note == ""
    assert counted[service.url].status["200"] >= 1
    assert counted[service.url].within["+Inf"] >= 1


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


def test_a_repeated_request_gets_the_same_bytes_and_is_remembered_once(service: Client, data_dir: Path) -> None:
    before = len(recorded(data_dir))
    asked = {"rows": [make_parcel(), make_parcel(depot="nowhere")]}
    first = service.post(asked, key="order 66")

    assert service.post(asked, key="order 66") == first
    assert service.post({**asked, "id": "order 67"}) == service.post({**asked, "id": "order 67"})
    assert len(recorded(data_dir)) == before + 2


def test_a_key_belongs_to_one_request(service: Client) -> None:
    service.post({"rows": [make_parcel()]}, key="order 68")

    status, told = service.post({"rows": [make_parcel(weight=3)]}, key="order 68")

    assert (status, told["faults"]) == (422, [])
    assert "belongs to one request" in told["error"]


def test_repeats_at_the_same_time_make_one_prediction(service: Client, data_dir: Path) -> None:
    before = len(recorded(data_dir))
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: service.post({"rows": [make_parcel()]}, key="order 69"), range(24)))

    assert {status for status, _ in answers} == {200}
    assert len({answer["predictions"][0]["prediction_id"] for _, answer in answers}) == 1
    assert len(recorded(data_dir)) == before + 1


def test_an_explanation_adds_up_to_the_score_that_is_predicted(service: Client, data_dir: Path) -> None:
    before = len(recorded(data_dir))
    asked = {"rows": [make_parcel(), make_parcel(weight=99), make_parcel(depot="LGA")]}
    status, told = service.post(asked, path="/explain")
    _, predicted = service.post(asked)
    first, faulty, third = told["explanations"]

    assert status == 200
    assert faulty == predicted["predictions"][1]
    for explained, answer in ((first, predicted["predictions"][0]), (third, predicted["predictions"][2])):
        assert explained["score"] == answer["score"]
        assert explained["base"] + sum(explained["contributions"].values()) == pytest.approx(
            explained["margin"], abs=1e-5
        )
        assert 1 / (1 + math.exp(-explained["margin"])) == pytest.approx(explained["score"], abs=1e-6)
    assert len(recorded(data_dir)) == before + 2


def test_outcomes_are_told_what_became_of_them(service: Client) -> None:
    _, answer = service.post({"rows": [make_parcel(sent_at="2013-07-02T10:00:00")]})
    name = answer["predictions"][0]["prediction_id"]
    told = [
        {"prediction_id": name, "label": True},
        {"prediction_id": name, "label": 1},
        {"example_id": "EWR-201307021000", "label": 0},
        {"prediction_id": "nobody's", "label": 0},
    ]

    status, receipts = service.post({"outcomes": told}, path="/outcomes")

    assert status == 200
    assert [each["status"] for each in receipts["outcomes"]] == ["recorded", "repeated", "corrected", "unknown"]


def test_many_clients_each_get_their_own_answer(service: Client, data_dir: Path) -> None:
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
    assert ids <= {row["prediction_id"] for row in recorded(data_dir)}


def test_a_damaged_model_is_not_served(built: Path, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    shutil.copytree(built / "bentoml", data_dir / "bentoml")
    model = data_dir / "bentoml" / "models" / "parcels" / VERSION / "model.ubj"
    content = bytearray(model.read_bytes())
    content[100] ^= 1
    model.write_bytes(content)
    refused = pytest.raises(AssertionError, match=r"model\.ubj is damaged")
    with refused, served(TAG, data_dir=data_dir):
        pass


def test_nothing_is_reported_home(running: ServedBento, service: Client) -> None:
    assert service.get("/livez")[0] == 200
    assert "Service parcels initialized" in running.log.read_text()
    assert "Tracking Payload" not in running.log.read_text()


def test_the_supervisor_imports_nothing_that_answers() -> None:
    heavy = ("dagster", "pandas", "sklearn", "xgboost", "pyarrow", "duckdb", "uvicorn")
    program = f"import sys, mlops_assets.serving.service; print([name for name in {heavy} if sys.modules.get(name)])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

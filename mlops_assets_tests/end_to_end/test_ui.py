"""What an operator does in the Dagster UI, in a real browser: look at the graph, click to materialise, read checks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from mlops_assets.orchestration.build import build_definitions
from mlops_assets.orchestration.graph import Stage, group_of
from mlops_assets.orchestration.instance import open_instance
from mlops_assets.orchestration.pipeline import ingest
from mlops_assets.use_cases.flights import USE_CASE
from mlops_assets.watch.validation.batch_sizes import FILE_SIZE_IS_USUAL
from mlops_assets.watch.validation.data_audits import NEW_CONTENT, RAW_CHECKS
from mlops_assets_tests.end_to_end.dagster_ui import browser_page, dagster_ui
from mlops_assets_tests.orchestration.deployment import FOREIGN_SETTINGS, Silent, let_go
from mlops_assets_tests.serving.servers import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CHECKS = (*RAW_CHECKS, NEW_CONTENT, FILE_SIZE_IS_USUAL)
RUN_MILLISECONDS = 240_000
TAKEN_IN, CLICKED, WAITING = "2013-06-10", "2013-06-11", "2013-06-12"
MISNAMED = "monday.csv"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Flights with one day taken in, and of the next two only the flights: the sensor waits for their weather."""
    folder = tmp_path_factory.mktemp("ui")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLOPS_DATA_DIR", str(folder))
        patch.setenv("MLOPS_PAGES_URL", f"http://127.0.0.1:{free_port()}")
        patch.setenv("LAKECTL_CONFIG_FILE", os.devnull)
        for name in FOREIGN_SETTINGS:
            patch.delenv(name, raising=False)
        landing = folder / "landing"
        USE_CASE.seed.land(landing, first=TAKEN_IN, last=TAKEN_IN)
        with open_instance(folder) as instance:
            ingest(USE_CASE, instance=instance, steps=Silent())
        USE_CASE.seed.land(landing, first=CLICKED, last=WAITING, sources=("flights",))
        (landing / "flights" / "flights" / MISNAMED).write_bytes(b"x")
        yield folder
        let_go(folder)


@pytest.fixture(scope="module")
def ui(data: Path) -> Iterator[str]:
    """The address of the UI on that deployment."""
    with dagster_ui(data) as url:
        yield url


@pytest.fixture
def page(ui: str, tmp_path: Path) -> Iterator[Page]:
    """A browser that looks at the UI."""
    with browser_page(seen=tmp_path / "seen.png") as opened:
        opened.goto(ui)
        yield opened


@pytest.mark.parametrize("stage", get_args(Stage))
def test_the_asset_graph_of_a_stage_shows_each_of_its_assets(page: Page, ui: str, stage: Stage) -> None:
    graph = build_definitions([USE_CASE]).get_repository_def().asset_graph
    group = group_of(USE_CASE, stage)
    assets = [key for key in graph.get_all_asset_keys() if graph.get(key).group_name == group]

    page.goto(f"{ui}/locations/mlops_assets.definitions/asset-groups/{group}/lineage")

    assert assets
    for key in assets:
        expect(page.locator("foreignObject").get_by_text(key.path[-1], exact=True)).to_be_attached()


def test_the_lineage_of_everything_is_a_line_of_stages(page: Page, ui: str) -> None:
    page.goto(f"{ui}/asset-groups")

    places = [page.locator("foreignObject").get_by_text(f"flights_{stage}", exact=True) for stage in get_args(Stage)]
    for place in places:
        expect(place).to_be_visible()
    across = [(place.bounding_box() or {"x": 0.0})["x"] for place in places]
    assert across == sorted(across)


def test_the_ui_asks_nobody_outside_this_machine_and_its_schedules_run(page: Page, ui: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    page.goto(f"{ui}/assets/flights/raw_flights")
    expect(page.get_by_role("button", name="Materialize").first).to_be_visible()
    page.goto(f"{ui}/automation")

    for name in ("score_daily", "watch_hourly", "retrain", "new_data"):
        expect(page.get_by_text(f"flights__{name}", exact=True).first).to_be_visible()
    outside = [url for url in asked if urlsplit(url).hostname not in (None, "127.0.0.1")]
    assert asked
    assert outside == []


def test_the_profile_page_of_a_day_opens_by_a_click(page: Page, ui: str) -> None:
    page.goto(f"{ui}/assets/flights/validated_flights?partition={TAKEN_IN}")

    with page.expect_popup() as opened:
        page.get_by_role("link", name=f"{TAKEN_IN}.html").first.click()

    expect(opened.value.get_by_role("heading", name=f"flights · flights {TAKEN_IN}")).to_be_visible()
    expect(opened.value.locator(".card").first).to_be_visible()
    address = opened.value.url
    assert opened.value.request.get(address.replace(".html", ".parquet")).status == 404
    assert opened.value.request.get(address.rsplit("/pages/", 1)[0] + "/online.db").status == 404


def test_a_day_materialised_by_clicking_ends_green_and_its_checks_show_their_figures(
    page: Page, ui: str, data: Path
) -> None:
    rows = (data / "landing" / "flights" / "flights" / f"{CLICKED}.csv").read_bytes().count(b"\n") - 1

    page.goto(f"{ui}/assets/flights/raw_flights")
    page.get_by_role("button", name="Materialize").first.click()
    chosen = page.get_by_role("dialog").get_by_placeholder("2013-01-01")
    chosen.fill(CLICKED)
    chosen.press("Tab")
    page.get_by_role("dialog").get_by_role("button", name="Launch 1 run").click()
    page.get_by_text("Launched run").wait_for()
    page.get_by_role("button", name="View", exact=True).or_(page.get_by_role("link", name="View", exact=True)).click()

    expect(page.get_by_text("Success", exact=True)).to_be_visible(timeout=RUN_MILLISECONDS)
    expect(page.get_by_text(f"{len(CHECKS)} checks")).to_be_visible()

    page.goto(f"{ui}/assets/flights/raw_flights?view=checks&checkDetail=has_rows")

    for name in CHECKS:
        expect(page.get_by_text(name, exact=True).first).to_be_visible()
    expect(page.get_by_text("Succeeded", exact=True)).to_have_count(len(CHECKS))
    expect(page.get_by_text("Passed", exact=True)).to_be_visible()
    expect(page.get_by_text(CLICKED, exact=True)).to_be_visible()
    expect(page.get_by_role("row", name="rows")).to_contain_text(str(rows))


def test_what_the_sensor_waits_for_is_said_in_the_ui(page: Page, ui: str) -> None:
    page.goto(f"{ui}/locations/mlops_assets.definitions/sensors/flights__new_data")

    page.get_by_role("button", name="View logs").first.click()
    expect(page.get_by_role("dialog").get_by_text(f"Batch {WAITING} waits for weather.").first).to_be_visible()


def test_what_is_refused_is_said_on_the_automation_page_where_one_points_at_the_sensors_tick(
    page: Page, ui: str
) -> None:
    page.goto(f"{ui}/automation")
    sensor = page.get_by_role("link", name="flights__new_data").locator("..")

    tick = sensor.get_by_role("img", name="status", exact=True)
    expect(tick).to_be_visible()
    tick.hover()

    expect(page.get_by_text("Latest tick skipped")).to_be_visible()
    expect(page.get_by_text(f"{MISNAMED}: The name 'monday' must be a day")).to_be_visible()

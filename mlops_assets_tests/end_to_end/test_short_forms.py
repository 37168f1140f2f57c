"""A use case of a few lines goes from landed files to an answer of the real service, which loads no pandas."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from mlops_assets.contract.columns import COLUMNS
from mlops_assets.contract.use_case import UseCase
from mlops_assets.stores.models.bento_store import BuiltBento
from mlops_assets.use_cases import registry
from mlops_assets_tests.end_to_end.short_forms import BEANS, FILES, MEASURES, SORTS, beans_csv, readings, to_service
from mlops_assets_tests.serving.servers import Client, served
from mlops_assets_tests.use_cases.installed import install, on_path

pytestmark = pytest.mark.slow

LANDED = {"beans": lambda: {"first": beans_csv()}, "demand": readings}
ROWS: Mapping[str, dict[str, Any]] = {
    "beans": dict.fromkeys(MEASURES, 10.5),
    "demand": {"day": "2012-05-02", "temperature": 12.5, "holiday": False},
}


@dataclass(frozen=True, kw_only=True)
class Packaged:
    use_case: UseCase
    bento: BuiltBento
    data: Path


def packaged(name: str, folder: Path) -> Iterator[Packaged]:
    site = install(f"team-{name}", points={name: f"team_{name}"}, to=folder / "site", files=FILES[name])
    with on_path(site):
        use_case = registry.find(name)
        bento = to_service(use_case, files=LANDED[name](), data=folder / "data")
        yield Packaged(use_case=use_case, bento=bento, data=folder / "data")


@pytest.fixture(scope="module")
def beans(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Packaged]:
    yield from packaged("beans", tmp_path_factory.mktemp("beans"))


@pytest.fixture(scope="module")
def demand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Packaged]:
    yield from packaged("demand", tmp_path_factory.mktemp("demand"))


def asked(made: Packaged, *rows: Mapping[str, Any]) -> tuple[int, Any, set[str]]:
    """What the service answers, and the parts of the paths of all that its processes have loaded."""
    with served(made.bento.tag, data_dir=made.data) as running:
        status, answer = Client(running.url).post({"rows": list(rows)})
        service = psutil.Process(running.process.pid)
        loaded = {
            part
            for process in (service, *service.children(recursive=True))
            for mapped in process.memory_maps()
            for part in Path(mapped.path).parts
        }
    return status, answer, loaded


def test_seven_classes_of_nineteen_columns_are_written_in_thirty_lines() -> None:
    assert len(BEANS.strip().splitlines()) <= 30


def test_classes_are_answered_under_the_names_of_the_file(beans: Packaged) -> None:
    status, told, loaded = asked(beans, ROWS["beans"], {**ROWS["beans"], MEASURES[0]: -1.0})

    assert status == 200, told
    answer, refused = told["predictions"]
    assert answer["predicted"] in SORTS
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert refused["faults"][0]["field"] == MEASURES[0]
    assert {"xgboost", "duckdb"} & loaded
    assert {"pandas", "sklearn", "lakefs_sdk"} & loaded == set()


def test_a_number_of_a_day_long_ago_is_answered(demand: Packaged) -> None:
    status, told, loaded = asked(demand, ROWS["demand"])

    assert status == 200, told
    assert told["predictions"][0]["score"] == pytest.approx(775, abs=150)
    assert "pandas" not in loaded


def test_a_packaged_model_carries_the_columns_that_its_request_is_made_of(demand: Packaged) -> None:
    carried = json.loads((demand.bento.model_path / COLUMNS).read_text(encoding="utf-8"))

    assert [column["name"] for column in carried["readings"]["columns"]] == list(
        demand.use_case.sources[0].layout.names
    )

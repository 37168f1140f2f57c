"""A use case of another distribution is packaged with its source and served by it alone, without heavy libraries."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pytest

from mlops_assets.contract.errors import ServingError
from mlops_assets.stores.models.bento_store import BuiltBento, build_bento
from mlops_assets.use_cases import registry
from mlops_assets_tests.serving.factories import VERSION, make_checkout, model_files
from mlops_assets_tests.serving.servers import Client, served
from mlops_assets_tests.use_cases.installed import install_toy, on_path


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> tuple[BuiltBento, Path]:
    """The Bento of a model of ``letters`` and its data folder; what it was made of is gone."""
    folder = tmp_path_factory.mktemp("outside")
    with on_path(install_toy(folder / "site")):
        draw = np.random.default_rng(3)
        grams, abroad = draw.uniform(1, 50, 500), draw.integers(0, 2, 500).astype(float)
        table = pa.table({"grams": grams, "heavy_abroad": abroad * (grams > 20)})
        files = model_files(
            table, labels=(grams > 25).astype(float), use_case=registry.find("letters"), folder=folder / "model"
        )
        checkout = make_checkout(folder / "checkout")
        made = build_bento(files, use_case="letters", version=VERSION, data_dir=folder / "data", checkout=checkout)
        for leftover in ("site", "checkout"):
            shutil.rmtree(folder / leftover)
    return made, folder / "data"


def test_the_bento_has_the_whole_package_and_no_other_use_case(packaged: tuple[BuiltBento, Path]) -> None:
    source = packaged[0].path / "src"

    assert (source / "team_letters" / "letters" / "sql" / "features.sql").is_file()
    assert (source / "letters-0.dist-info" / "entry_points.txt").read_text() == (
        "[mlops_assets.use_cases]\nletters = team_letters.letters:USE_CASE\n"
    )
    assert sorted(path.name for path in (source / "mlops_assets" / "use_cases").iterdir() if path.is_dir()) == []


def test_it_answers_by_itself_in_processes_without_pandas_pandera_and_scikit_learn(
    packaged: tuple[BuiltBento, Path],
) -> None:
    with served(packaged[0].tag, data_dir=packaged[1]) as running:
        status, answer = Client(running.url).post({"rows": [{"number": 1, "grams": 40, "abroad": True}]})
        service = psutil.Process(running.process.pid)
        libraries = {
            part
            for process in (service, *service.children(recursive=True))
            for mapped in process.memory_maps()
            for part in Path(mapped.path).parts
        }

    assert status == 200, answer
    assert answer["predictions"][0]["score"] > 0.5
    assert {"xgboost", "duckdb"} & libraries
    assert {"pandas", "sklearn", "lakefs_sdk", "matplotlib"} & libraries == set()


def test_a_use_case_that_is_nowhere_cannot_be_packaged(tmp_path: Path) -> None:
    with pytest.raises(ServingError, match="needs the folder"):
        build_bento({}, use_case="nowhere", version=VERSION, data_dir=tmp_path)

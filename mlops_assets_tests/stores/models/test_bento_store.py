"""Packaging a champion: once per model and code, whole or not at all."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_assets.contract.errors import ServingError
from mlops_assets.stores.models.bento_store import (
    BuiltBento,
    bento_home,
    build_bento,
    find_bento,
    mark_latest,
    serve_environment,
    source_digest,
)
from mlops_assets_tests.serving.factories import VERSION, make_checkout, make_model_files

LABELS = {"lake_commit": "c0ffee", "git_commit": "beef"}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with checkout, model and data, its Bento built: tests work on copies of it."""
    folder = tmp_path_factory.mktemp("original")
    make_checkout(folder / "checkout")
    make_model_files(folder / "model")
    assert build(folder).changed
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return shutil.copytree(original, tmp_path / "copy")


def build(folder: Path) -> BuiltBento:
    files = {path.name: path for path in (folder / "model").iterdir()}
    return build_bento(
        files,
        use_case="parcels",
        version=VERSION,
        data_dir=folder / "data",
        labels=LABELS,
        checkout=folder / "checkout",
    )


def find(folder: Path) -> BuiltBento | None:
    return find_bento("parcels", version=VERSION, data_dir=folder / "data")


def test_an_image_made_of_it_looks_for_its_data_where_a_volume_is_mounted(folder: Path) -> None:
    built = find(folder)
    assert built is not None

    told = (built.path / "env" / "docker" / "Dockerfile").read_text(encoding="utf-8")

    assert "ARG MLOPS_DATA_DIR=/data\n" in told
    assert "ENV MLOPS_DATA_DIR=$MLOPS_DATA_DIR\n" in told
    assert "VOLUME" not in told  # of one that nobody mounted, the answers would go with the container


def test_latest_is_the_first_bento_until_a_champion_is_named(folder: Path) -> None:
    home = bento_home(folder / "data")
    other = home / "bentos" / "parcels" / "other"
    shutil.copytree(home / "bentos" / "parcels" / VERSION, other)

    def latest() -> str:
        return (home / "bentos" / "parcels" / "latest").read_text()

    assert latest() == VERSION
    mark_latest("parcels", version="other", data_dir=folder / "data")
    assert latest() == "other"
    mark_latest("parcels", version="nowhere", data_dir=folder / "data")
    assert latest() == "other"


def test_the_same_model_and_code_are_packaged_once(folder: Path) -> None:
    built = find(folder)
    assert built is not None
    assert build(folder) == built
    assert not built.changed


def test_changed_code_is_packaged_anew(folder: Path) -> None:
    before = find(folder)
    changed = folder / "checkout" / "mlops_assets" / "use_cases" / "parcels" / "features.sql"
    changed.write_text("-- One row per parcel, changed.\nSELECT id, 0 AS is_heavy FROM examples\n")
    after = build(folder)
    assert before is not None
    assert after.changed
    assert after.source != before.source
    packaged = after.path / "src" / changed.relative_to(folder / "checkout")
    assert packaged.read_text() == changed.read_text()


@pytest.mark.parametrize("damage", ["model", "bento"])
def test_what_was_damaged_or_half_moved_is_packaged_anew(folder: Path, damage: str) -> None:
    before = find(folder)
    assert before is not None
    if damage == "model":
        (before.model_path / "model.ubj").write_bytes(b"damaged")
    else:
        before.path.rename(folder / "lost")
        assert find(folder) is None
    after = build(folder)
    assert after.changed
    assert after.checksums == before.checksums


def test_bentoml_itself_finds_bento_and_model_under_one_tag(original: Path) -> None:
    program = "import bentoml\nprint([str(each.tag) for each in bentoml.list() + bentoml.models.list()])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=serve_environment(original / "data"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str([f"parcels:{VERSION}"] * 2)


def test_a_bento_holds_what_it_needs_and_nothing_of_the_platform_around_it(original: Path) -> None:
    built = find(original)
    assert built is not None
    source = built.path / "src"
    packaged = {str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()}
    expected = {
        "mlops_assets/serving/service.py",
        "mlops_assets/training/booster.py",
        "mlops_assets/use_cases/parcels/features.sql",
    }
    assert expected <= packaged
    foreign = ("orchestration", "quiet", "lakefs_embedded", ".pyc")
    assert not [path for path in packaged if any(word in path for word in foreign)]
    assert not (source / "model").exists()
    frozen = json.loads((source / "built.json").read_text())
    assert (frozen["use_case"], frozen["version"], frozen["labels"]) == ("parcels", VERSION, LABELS)
    assert str(original) not in (built.path / "bento.yaml").read_text()


def test_an_image_has_what_the_service_and_its_stores_need_and_no_more(original: Path) -> None:
    built = find(original)
    assert built is not None
    packages = {
        name.partition("==")[0] for name in json.loads((built.path / "src" / "built.json").read_text())["packages"]
    }

    assert {"apsw", "bentoml", "duckdb", "xgboost", "redis", "psycopg[binary]"} <= packages
    assert not packages & {"dagster", "lakefs", "lakefs-embedded", "pandas", "pandera", "scikit-learn", "sqlglot"}


def test_a_failed_build_says_why_and_leaves_the_store_as_it_was(folder: Path) -> None:
    before = find(folder)
    (folder / "checkout" / "mlops_assets" / "serving" / "service.py").write_text(
        "raise RuntimeError('the service is broken')\n"
    )
    with pytest.raises(ServingError, match="the service is broken"):
        build(folder)
    assert find(folder) == before
    assert not list(bento_home(folder / "data").glob("building-*"))


def test_an_unknown_use_case_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServingError, match="use_cases/nowhere"):
        source_digest("nowhere")

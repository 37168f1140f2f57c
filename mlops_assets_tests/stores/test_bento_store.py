"""Packaging a champion: once per model and code, whole or not at all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_assets.ml.errors import ServingError
from mlops_assets.stores.bento_store import (
    BuiltBento,
    bento_home,
    build_bento,
    find_bento,
    serve_environment,
    source_digest,
)
from mlops_assets_tests.bento.factories import VERSION, make_checkout, make_model_files


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkout(tmp_path_factory.mktemp("checkout") / "root")


def build(folder: Path, *, checkout: Path, version: str = VERSION) -> BuiltBento:
    files = make_model_files(folder / "model", version=version)
    labels = {"lake_commit": "c0ffee", "git_commit": "beef"}
    return build_bento(
        files, use_case="parcels", version=version, data_dir=folder / "data", labels=labels, checkout=checkout
    )


def test_a_bento_is_built_once_and_again_only_when_code_or_model_changed(tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "checkout")
    first = build(tmp_path, checkout=checkout)
    again = build(tmp_path, checkout=checkout)
    assert (first.changed, again.changed) == (True, False)
    assert again.checksums == first.checksums

    first.model_path.joinpath("model.ubj").write_bytes(b"damaged")
    mended = build(tmp_path, checkout=checkout)
    assert (mended.changed, mended.checksums) == (True, first.checksums)

    (checkout / "mlops_assets" / "use_cases" / "parcels" / "features.sql").write_text(
        "-- One row per parcel, changed.\nSELECT id, 0 AS is_heavy FROM examples\n"
    )
    rebuilt = build(tmp_path, checkout=checkout)
    assert rebuilt.changed
    assert rebuilt.source != first.source
    packaged = rebuilt.path / "src" / "mlops_assets" / "use_cases" / "parcels" / "features.sql"
    assert "changed" in packaged.read_text()


def test_bentoml_itself_finds_bento_and_model_under_one_tag(tmp_path: Path, checkout: Path) -> None:
    built = build(tmp_path, checkout=checkout)
    environ = serve_environment(tmp_path / "data")
    for command in (["list"], ["models", "list"]):
        done = subprocess.run(
            [sys.executable, "-m", "bentoml", *command, "-o", "json"],
            env=environ,
            capture_output=True,
            text=True,
            check=True,
        )
        assert [each["tag"] for each in json.loads(done.stdout)] == [built.tag]


def test_a_bento_holds_what_it_needs_and_nothing_of_the_platform_around_it(
    tmp_path: Path, checkout: Path
) -> None:
    built = build(tmp_path, checkout=checkout)
    source = built.path / "src"
    packaged = {str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()}
    assert {
        "bento/service.py",
        "mlops_assets/ml/training.py",
        "mlops_assets/use_cases/parcels/features.sql",
    } <= packaged
    assert not [
        path for path in packaged if "orchestration" in path or "quiet" in path or path.endswith(".pyc")
    ]
    assert not (source / "model").exists()
    frozen = json.loads((source / "built.json").read_text())
    assert (frozen["use_case"], frozen["version"], frozen["labels"]["lake_commit"]) == (
        "parcels",
        VERSION,
        "c0ffee",
    )
    assert str(tmp_path) not in (built.path / "bento.yaml").read_text()


def test_a_failed_build_says_why_and_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "checkout")
    built = build(tmp_path, checkout=checkout)
    (checkout / "bento" / "service.py").write_text("raise RuntimeError('the service is broken')\n")
    with pytest.raises(ServingError, match="the service is broken"):
        build(tmp_path, checkout=checkout)
    kept = find_bento("parcels", version=VERSION, data_dir=tmp_path / "data")
    assert kept == BuiltBento(**{**vars(built), "changed": False})
    assert sorted(path.name for path in bento_home(tmp_path / "data").iterdir()) == ["bentos", "models"]


def test_a_half_moved_bento_is_built_again(tmp_path: Path, checkout: Path) -> None:
    """A process killed between the two moves leaves the model without its Bento: not found, so built anew."""
    built = build(tmp_path, checkout=checkout)
    built.path.rename(tmp_path / "lost")
    assert find_bento("parcels", version=VERSION, data_dir=tmp_path / "data") is None
    assert build(tmp_path, checkout=checkout).changed


def test_an_unknown_use_case_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServingError, match="use_cases/nowhere"):
        source_digest("nowhere")

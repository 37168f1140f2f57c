"""One Bento of the toy ``parcels`` for all tests of a process: building it takes seconds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mlops_assets.stores.models.bento_store import build_bento
from mlops_assets_tests.serving.factories import (
    VERSION,
    make_checkout,
    make_history,
    make_model_files,
    refresh_online_store,
)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the Bento ``factories.TAG`` and a refreshed online store: to be copied, not written to."""
    folder = tmp_path_factory.mktemp("built")
    checkout = make_checkout(folder / "checkout")
    files = make_model_files(folder / "model")
    build_bento(files, use_case="parcels", version=VERSION, data_dir=folder / "data", checkout=checkout)
    shutil.rmtree(checkout)  # the Bento runs by itself
    refresh_online_store(folder / "data", make_history())
    return folder / "data"


@pytest.fixture(scope="module")
def data_dir(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deployment of the module's own."""
    return Path(shutil.copytree(built, tmp_path_factory.mktemp("deployment") / "data"))

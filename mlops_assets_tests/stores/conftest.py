"""The embedded lake of a test: a fresh store below tmp_path, its server ended afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_assets.stores.lake import Lake
from mlops_assets.stores.lake_connection import close_embedded_servers
from mlops_assets.stores.settings import LakeSettings


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    yield Lake.connect(LakeSettings.embedded(tmp_path / "data"))
    close_embedded_servers()

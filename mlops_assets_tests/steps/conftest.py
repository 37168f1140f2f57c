"""The toy taken in by Dagster, to compare with; and the toy worked on by steps alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from mlops_assets_tests.orchestration.conftest import ingested_template, trained, trained_template
from mlops_assets_tests.orchestration.deployment import copy_deployment, let_go
from mlops_assets_tests.steps.played import DAYS, SERVED, Loop

__all__ = ["ingested_template", "trained", "trained_template"]


@cache
def _made(folder: Path, make: Callable[[Loop], None]) -> Path:
    """A data folder on which ``make`` has worked, once in a test process."""
    make(Loop(data=folder))
    let_go(folder)
    return folder


def _serve(loop: Loop) -> None:
    loop.take(DAYS)
    loop.train()
    loop.serve(SERVED)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Loop]:
    """Nothing has landed yet."""
    yield Loop(data=tmp_path)
    let_go(tmp_path)


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Iterator[Loop]:
    """A champion that has answered a day whose outcomes nobody knows yet."""
    template = _made(tmp_path_factory.getbasetemp() / "served-by-steps", _serve)
    loop = Loop(data=copy_deployment(template, to=tmp_path / "data"))
    yield loop
    let_go(loop.data)

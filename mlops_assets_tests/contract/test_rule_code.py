"""A schema's version changes with the code of its rules, helpers included, and with nothing else."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlops_assets.contract.schema import read_schema

HELPERS = """
LIMIT = 10


def is_small(values):
    return values < LIMIT


def never_called(values):
    return values > 0
"""
MODEL = """
import pandera.pandas as pandera
import HELPERS as helpers
from HELPERS import is_small

NAMES = {"b", "a"}


def _all_of_it(values):
    return [is_small(values) for _ in NAMES][0]


class Rows(pandera.DataFrameModel):
    value: int

    @pandera.check("value")
    @classmethod
    def small(cls, values):
        return HOW
"""


@pytest.fixture
def version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """The version of the model with some of its text replaced, each time of modules made anew."""
    monkeypatch.syspath_prepend(tmp_path)
    number = iter(range(100))

    def read(helpers: str = HELPERS, model: str = MODEL, how: str = "_all_of_it(values)") -> str:
        folder = tmp_path / f"package{next(number)}" / "team"
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch()
        (folder / "helpers.py").write_text(helpers)
        (folder / "model.py").write_text(model.replace("HELPERS", "team.helpers").replace("HOW", how))
        for name in [name for name in sys.modules if name.partition(".")[0] == "team"]:
            del sys.modules[name]
        monkeypatch.syspath_prepend(folder.parent)
        importlib.invalidate_caches()
        return read_schema(importlib.import_module("team.model").Rows).version

    return read


def test_the_same_code_has_the_same_version(version: Callable[..., str]) -> None:
    assert version() == version()


@pytest.mark.parametrize("how", ["_all_of_it(values)", "helpers.is_small(values)", "is_small(values)"])
def test_a_helper_and_the_constants_it_reads_are_part_of_it(version: Callable[..., str], how: str) -> None:
    before = version(how=how)
    assert version(HELPERS.replace("values <", "values <="), how=how) != before
    assert version(HELPERS.replace("LIMIT = 10", "LIMIT = 11"), how=how) != before


def test_what_is_never_called_is_no_part_of_it(version: Callable[..., str]) -> None:
    assert version(HELPERS.replace("> 0", "> 1")) == version()


def test_constants_beside_the_model_are_part_of_it(version: Callable[..., str]) -> None:
    assert version(model=MODEL.replace('{"b", "a"}', '{"b", "c"}')) != version()
    assert version(model=MODEL.replace('{"b", "a"}', '{"a", "b"}')) == version()

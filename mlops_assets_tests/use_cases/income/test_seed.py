"""The seed lands in drops, values as published; callers ask about the same people without their income."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_assets.contract.errors import LandingError
from mlops_assets.contract.use_case import LandedSeed
from mlops_assets.use_cases.income import USE_CASE
from mlops_assets.use_cases.income.seed import SEED, drops, land_seed, seed_requests


def test_every_published_person_is_in_one_drop() -> None:
    found = drops(SEED)

    assert list(found) == [*(f"data-{n}" for n in range(1, 5)), *(f"test-{n:02}" for n in range(1, 17))]
    persons = [int(line.split(",")[0]) for lines in found.values() for line in lines]
    assert persons == list(range(1, 48_843))


def test_drops_land_once_with_a_header_and_values_as_published(tmp_path: Path) -> None:
    assert land_seed(tmp_path, first="data-4", last="test-01") == LandedSeed(written=2, unchanged=0)
    assert land_seed(tmp_path, first="data-4", last="test-01") == LandedSeed(written=0, unchanged=2)

    lines = (tmp_path / "income" / "people" / "test-01.csv").read_text().splitlines()
    assert lines[0].startswith("person,age,workclass,population,")
    assert lines[1] == (
        "32562,25,Private,226802,11th,7,Never-married,Machine-op-inspct,Own-child,Black,Male,0,0,40,United-States,<=50K"
    )


def test_callers_ask_about_the_people_of_a_drop_in_their_order() -> None:
    requests = [USE_CASE.request(**row) for row in seed_requests("test-01")]

    assert len(requests) == 1024
    assert requests[0].model_dump()["id"] == "person-32562"
    assert any(row["occupation"] is None for row in seed_requests("test-01"))
    assert "income" not in seed_requests("test-01")[0]
    assert seed_requests("nowhere") == []


def test_a_folder_without_the_seed_is_named(tmp_path: Path) -> None:
    with pytest.raises(LandingError, match=r"adult\.data\.gz is missing"):
        land_seed(tmp_path, first="a", last="z", seed=tmp_path)

"""The seed lands as its source systems would have: one file per source and day, values as published."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest

from mlops_assets.contract.errors import LandingError
from mlops_assets.use_cases.flights.seed import land_seed

SEED = Path(__file__).parents[3] / "mlops_assets" / "use_cases" / "flights" / "seed_data"
NEW_YEAR = date(2013, 1, 1)


def test_days_and_static_sources_land_once(tmp_path: Path) -> None:
    first = land_seed(tmp_path, seed=SEED, first=NEW_YEAR, last=date(2013, 1, 3))
    again = land_seed(tmp_path, seed=SEED, first=NEW_YEAR, last=date(2013, 1, 4))
    assert (first.written, first.unchanged) == (9, 0)
    assert (again.written, again.unchanged) == (2, 9)
    assert sorted(file.stem for file in (tmp_path / "flights" / "flights").iterdir()) == [
        "2013-01-01", "2013-01-02", "2013-01-03", "2013-01-04",
    ]  # fmt: skip


def test_values_are_exactly_those_of_the_seed(tmp_path: Path) -> None:
    land_seed(tmp_path, seed=SEED, first=NEW_YEAR, last=NEW_YEAR, sources={"weather"})
    lines = (tmp_path / "flights" / "weather" / "2013-01-01.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + 67
    assert lines[1] == "EWR,2013,1,1,1,39.02,26.06,59.37,270,10.357019999999999,NA,0,1012,10,2013-01-01T06:00:00Z"


def test_only_the_chosen_sources_land(tmp_path: Path) -> None:
    land_seed(tmp_path, seed=SEED, first=NEW_YEAR, last=NEW_YEAR, sources={"airlines"})
    assert [str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.csv")] == ["flights/airlines/all.csv"]


def test_day_without_rows_lands_no_file(tmp_path: Path) -> None:
    last_day = date(2013, 12, 31)
    land_seed(tmp_path, seed=SEED, first=last_day, last=last_day, sources={"weather", "flights"})
    assert [file.parent.name for file in tmp_path.rglob("2013-12-31.csv")] == ["flights"]


def test_values_of_the_seed_need_no_quotes() -> None:
    with duckdb.connect() as connection:
        for name in ("flights", "weather"):
            (odd,) = connection.execute(
                "SELECT count(*) FROM read_parquet($seed) r WHERE regexp_matches(r::VARCHAR, '[\"\\n\\r]')",
                {"seed": str(SEED / f"{name}.parquet")},
            ).fetchone() or (None,)
            assert odd == 0


def test_missing_seed_is_named(tmp_path: Path) -> None:
    with pytest.raises(LandingError, match=r"flights\.parquet is missing"):
        land_seed(tmp_path, seed=tmp_path, first=NEW_YEAR, last=NEW_YEAR)

"""The time lines have the statistics of each batch, as its own profile says them."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from mlops_assets.reports.profile_lines import time_lines
from mlops_assets.watch.profiles.profile import Profile
from mlops_assets.watch.profiles.profiling import profile_batches


def make_profiles() -> dict[str, Profile]:
    random = np.random.default_rng(2)
    tables = {}
    for batch, rows in {"a": 900, "b": 1, "c": 0, "d": 5000}.items():
        fine = pa.array(random.normal(5, 2, rows), mask=random.random(rows) < 0.3)
        words = pa.array([f"w{number}" for number in random.integers(0, 3000, rows)], pa.string())
        tables[batch] = pa.table({"fine": fine, "few": pa.array(random.integers(0, 9, rows)), "word": words})
    with duckdb.connect() as connection:
        return profile_batches(tables, columns=["fine", "few", "word"], slices=("few",), connection=connection)


def test_every_statistic_of_every_batch_is_that_of_its_profile() -> None:
    profiles = make_profiles()
    lines = time_lines(list(profiles.values()))
    assert set(lines) == {"fine", "few", "word"}
    for column, statistics in lines.items():
        for place, profile in enumerate(profiles.values()):
            own = profile.column(column)
            figures = {"missing": own.missing_share, "distinct": own.distinct}
            figures |= {"mean": own.mean, "deviation": own.deviation, "min": own.minimum, "max": own.maximum}
            figures["median"] = own.quantile(0.5)
            for name, expected in figures.items():
                found = statistics[name][place] if name in statistics else None
                assert found == (None if expected is None else pytest.approx(expected, rel=1e-4)), (column, name, place)


def test_categories_have_no_line_of_numbers() -> None:
    assert set(time_lines(list(make_profiles().values()))["word"]) == {"missing", "distinct"}

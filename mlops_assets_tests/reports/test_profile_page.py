"""The profile page holds everything in one file, in the order in which columns moved."""

from __future__ import annotations

import json
import re
import time
from datetime import date, timedelta
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from mlops_assets.contract.anomalies import AnomalyReport, Code, anomaly
from mlops_assets.contract.drift import DriftPlan
from mlops_assets.reports.profile_page import profile_page
from mlops_assets.watch.profiles.drift import compare
from mlops_assets.watch.profiles.profile import Profile
from mlops_assets.watch.profiles.profiling import profile_batches

DAYS = [(date(2024, 1, 1) + timedelta(days=number)).isoformat() for number in range(50)]
LAST = DAYS[-1]


def make_profiles(columns: int = 3, *, days: int = 50) -> dict[str, Profile]:
    """Days of numbers and a word; on the last one the first column has moved."""
    random = np.random.default_rng(1)
    tables, rows = {}, 200
    for day in DAYS[-days:]:
        numbers = {
            f"number_{i}": random.normal(50.0 * (day == LAST and i == 0), 10, rows).round(1) for i in range(columns)
        }
        tables[day] = pa.table({**numbers, "word": random.choice(["<b>", "</script>", "<!--<script>"], rows)})
    with duckdb.connect() as connection:
        return profile_batches(tables, columns=tables[LAST].column_names, slices=("word",), connection=connection)


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, flags=re.DOTALL)
    assert found
    told: dict[str, Any] = json.loads(found[1])
    return told


def make_page(profiles: dict[str, Profile]) -> str:
    drift = compare(profiles, batches=[LAST], plan=DriftPlan())[LAST]
    report = AnomalyReport(
        use_case="toy",
        source="numbers",
        batch=LAST,
        schema_version="ab",
        rows_read=200,
        rows_quarantined=3,
        anomalies=(anomaly(Code.DISTRIBUTION_MOVED, "</script><b>moved</b>", column="number_0"),),
    )
    past = {day: profile for day, profile in profiles.items() if day != LAST}
    return profile_page(profiles[LAST], title=f"toy · numbers {LAST}", profiles=past, report=report, drift=drift)


def test_what_moved_comes_first_beside_its_reference() -> None:
    told = data_of(make_page(make_profiles()))
    first = told["columns"][0]
    assert first["name"] == "number_0"
    assert first["moved"] > 1
    shown = first["scopes"]["overall"]
    assert len(shown["bars"]) == len(shown["marks"]) == len(shown["labels"])
    assert abs(sum(shown["bars"]) - 1) < 1e-3
    assert abs(sum(shown["marks"]) - 1) < 1e-3
    assert shown["found"]["mean"] - shown["reference"]["mean"] > 40
    assert {"missing", "distinct", "mean", "deviation", "min", "median", "max"} == set(first["lines"])
    assert {len(line) for line in first["lines"].values()} == {len(told["batches"])} == {len(DAYS)}
    assert told["scopes"] == ["overall", "word=<!--<script>", "word=</script>", "word=<b>"]


def test_page_needs_no_network_and_no_value_escapes_into_it() -> None:
    page = make_page(make_profiles())
    assert not re.search(r"https?://|@import|url\(", page)
    assert page.count("</script>") == 2
    assert data_of(page)["anomalies"][0]["message"] == "</script><b>moved</b>"


def test_page_of_a_first_batch_has_no_reference() -> None:
    told = data_of(profile_page(make_profiles()[LAST], title=f"toy {LAST}", profiles={}))
    assert told["reference"] == "none yet"
    assert told["columns"][0]["scopes"]["overall"]["marks"] == []


def test_where_nothing_is_judged_columns_are_still_sorted_by_how_far_they_moved() -> None:
    told = data_of(make_page(make_profiles(days=9)))
    assert told["comparisons"] == "none: fewer than 14 earlier batches to learn from what is normal"
    assert told["columns"][0]["name"] == "number_0"
    assert told["columns"][0]["moved"] > 1
    assert all(shift["bound"] is None for shift in told["columns"][0]["shifts"])


def test_two_hundred_columns_are_quick() -> None:
    profiles = make_profiles(200, days=12)
    started = time.perf_counter()
    page = profile_page(
        profiles[LAST], title=f"toy {LAST}", profiles={day: profiles[day] for day in list(profiles)[:-1]}
    )
    assert time.perf_counter() - started < 10
    assert len(page) < 4_000_000

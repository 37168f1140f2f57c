"""What is declared sensitive reaches no log, wherever a record would say it."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.contract.errors import ServingError
from mlops_assets.stores.predictions.hiding import Hiding, hash_key
from mlops_assets.stores.predictions.records import lake_rows
from mlops_assets_tests.stores.predictions.answered import make_group, make_record

KEY = b"k" * 32
RECORD = make_record(
    prediction_id="p1",
    example_id="2024-03-01-AMS-7",
    inputs={"depot": "AMS", "number": 7, "weight": 2.5, "sent_at": None},
    features={"depot": "AMS", "weight": 2.5, "snow": 1.0},
    flags=["unknown depot 'AMS'", "no history of depot and road 'AMS, A1'", "history is as of AMS"],
)


def hidden(key: bytes = KEY, **columns: Any) -> dict[str, Any]:
    group = Hiding(columns=columns, key=key).hide(make_group([RECORD]))
    (row,) = lake_rows(group.rows, layout=group.layout, first=1).to_pylist()
    return row | {name: json.loads(row[name]) for name in ("inputs", "features", "flags")}


def test_nothing_declared_changes_nothing() -> None:
    group = make_group([RECORD])
    assert Hiding(columns={}, key=b"").hide(group) is group


def test_a_hashed_column_is_a_hash_in_inputs_and_feature_and_where_flags_name_it() -> None:
    row = hidden(depot="hashed")

    code = row["inputs"]["depot"]
    assert len(code) == 32
    assert row["features"]["depot"] == code
    assert row["flags"] == [
        f"unknown depot '{code}'",
        f"no history of depot and road '{code}, A1'",
        "history is as of AMS",
    ]
    assert row["inputs"] | {"depot": "AMS"} == RECORD["inputs"]
    assert row["features"] | {"depot": "AMS"} == RECORD["features"]


def test_the_same_value_has_the_same_hash_under_one_key_and_another_under_another() -> None:
    code = hidden(depot="hashed")["inputs"]["depot"]
    assert hidden(depot="hashed", number="hashed")["inputs"]["depot"] == code
    assert hidden(b"x" * 32, depot="hashed")["inputs"]["depot"] != code


def test_a_column_that_is_left_out_is_nowhere() -> None:
    row = hidden(depot="left_out", weight="left_out", number="left_out")

    assert row["inputs"] == {"sent_at": None}
    assert row["features"] == {"depot": None, "weight": None, "snow": 1.0}
    assert row["flags"][0] == "unknown depot '…'"


def test_numbers_are_hashed_in_inputs_and_missing_as_features_and_nothing_has_no_hash() -> None:
    row = hidden(weight="hashed", number="hashed", sent_at="hashed")

    assert len(row["inputs"]["weight"]) == len(row["inputs"]["number"]) == 32
    assert row["features"]["weight"] is None
    assert row["inputs"]["sent_at"] is None


@pytest.mark.parametrize(("word", "kept"), [("hashed", True), ("left_out", False)])
def test_a_hidden_id_is_what_outcomes_are_looked_up_by(word: Any, kept: bool) -> None:
    looked_up = Hiding(columns={"id": word}, key=KEY).example_id("2024-03-01-AMS-7")

    assert hidden(id=word)["example_id"] == looked_up
    assert (looked_up is not None) is kept
    assert looked_up != "2024-03-01-AMS-7"


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(hash_key, [tmp_path] * 8))

    (file,) = (tmp_path / "prediction_log").iterdir()
    assert keys == {file.read_bytes()}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_damaged_key_is_refused(tmp_path: Path) -> None:
    hash_key(tmp_path)
    (tmp_path / "prediction_log" / "hash.key").write_bytes(b"short")
    with pytest.raises(ServingError, match="has 5 bytes, not 32: put its copy back"):
        hash_key(tmp_path)

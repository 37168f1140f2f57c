"""The key that is proposed is short, stands left, and holds in every row."""

from __future__ import annotations

import pyarrow as pa
import pytest

from mlops_assets.watch.validation import key_draft
from mlops_assets.watch.validation.key_draft import draft_key

ROWS = pa.table(
    {
        "day": [day for day in range(5) for _ in range(12)],
        "line": [line for _ in range(5) for line in "ABC" for _ in range(4)],
        "hour": [hour for _ in range(15) for hour in range(4)],
        "speed": [number * 7 % 30 for number in range(60)],
    }
)


def test_shortest_key_is_proposed() -> None:
    assert draft_key(ROWS.select(["day", "line", "hour"])) == ("day", "line", "hour")
    assert draft_key(ROWS.select(["day", "line"])) == ()
    assert draft_key(ROWS.select([])) == ()


def test_key_that_holds_at_first_only_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_draft, "SCREENED", 60)
    assert draft_key(pa.concat_tables([ROWS.select(["day", "line", "hour"])] * 2)) == ()

from __future__ import annotations

from datetime import date, timedelta
from functools import partial

import pytest

from mlops_assets.contract.paths import history_path
from mlops_assets.lake.batches import EVERY_BATCH, Wanted, batch_files, newest_day
from mlops_assets.lake.lake import Lake
from mlops_assets_tests.lake.factories import make_write, passing

HISTORY = partial(history_path, "flights")
DAYS = [(date(2013, 1, 1) + timedelta(days=number)).isoformat() for number in range(0, 20, 2)]


@pytest.fixture
def filled(lake: Lake) -> Lake:
    """A lake with ten daily files of history, every other day, and files beside them."""
    files = {HISTORY(batch=day): day.encode() for day in DAYS}
    others = {"flights/histories/2013-02-01.parquet": b"beside", "flights/raw/flights/2013-03-01.csv": b"beside"}
    lake.publish(make_write(), files={**files, **others}, audit=passing)
    return lake


@pytest.mark.parametrize(
    "wanted",
    [
        EVERY_BATCH,
        Wanted(first="2013-01-05"),
        Wanted(last="2013-01-05"),
        Wanted(first="2013-01-04", last="2013-01-08"),
        Wanted(first="2013-02-01"),
        Wanted(last="2012-12-31"),
        Wanted.these(["2013-01-03", "2013-01-09", "2013-01-10"]),
    ],
    ids=["all", "from", "to", "stretch", "later than all", "earlier than all", "these"],
)
def test_the_wanted_batches_are_found_and_no_others(filled: Lake, wanted: Wanted) -> None:
    assert list(batch_files(filled.at(), path=HISTORY, wanted=wanted)) == [day for day in DAYS if day in wanted]


def test_a_stretch_is_found_without_listing_the_rest(filled: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = filled.at()
    monkeypatch.setattr(snapshot, "paths", None)
    assert len(batch_files(snapshot, path=HISTORY, wanted=Wanted(first="2013-01-03", last="2013-01-05"))) == 2


def test_the_newest_day_of_a_folder_is_its_last_file(filled: Lake) -> None:
    assert newest_day(filled.at(), path=HISTORY) == date.fromisoformat(DAYS[-1])


def test_an_empty_folder_has_no_newest_day(lake: Lake) -> None:
    assert newest_day(lake.at(), path=HISTORY) is None

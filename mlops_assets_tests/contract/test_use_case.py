"""Which batches a use case can have."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.source import Cadence
from mlops_assets.contract.use_case import DailyBatches, NamedBatches
from mlops_assets_tests.orchestration.toy import PARCELS

OPEN = DailyBatches(first=date(2024, 3, 1))
CLOSED = DailyBatches(first=date(2024, 3, 1), last=date(2024, 3, 31))
TODAY = date(2024, 3, 15)


@pytest.mark.parametrize(
    ("batches", "day", "reason"),
    [
        (OPEN, "2024-03-01", None),
        (OPEN, "2024-03-14", None),
        (OPEN, "2024-03-15", "its day is not over yet (UTC)"),
        (OPEN, "2024-02-29", "it is before the first day, 2024-03-01"),
        (CLOSED, "2042-03-02", "it is after the last day, 2024-03-31"),
        (CLOSED, "2024-03-20", "its day is not over yet (UTC)"),
    ],
)
def test_a_day_is_taken_when_it_is_one_of_the_use_case_and_over(
    batches: DailyBatches, day: str, reason: str | None
) -> None:
    assert batches.why_not_taken(day, today=TODAY) == reason


def test_every_drop_is_taken() -> None:
    assert NamedBatches().why_not_taken("drop-1", today=TODAY) is None


def test_all_is_no_name_of_a_drop() -> None:
    (source, *_) = PARCELS.arriving
    named = type(source)(
        name="drops", description="", owner="o", cadence=Cadence.NAMED, schema=source.schema, batch_day=()
    )
    assert "must not be 'all'" in str(named.batch_fault("all"))
    assert named.batch_fault("all-of-march") is None


def test_sources_arrive_in_the_batches_of_their_use_case() -> None:
    with pytest.raises(DeclarationError, match=r"source 'parcels': cadence 'daily' does not go with NamedBatches"):
        replace(PARCELS, batches=NamedBatches(), backtest=None)
    named = replace(PARCELS.source("parcels"), cadence=Cadence.NAMED, batch_day=())
    with pytest.raises(DeclarationError, match=r"source 'parcels': cadence 'named' does not go with DailyBatches"):
        replace(PARCELS, sources=(named,))

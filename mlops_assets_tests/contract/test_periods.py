"""Stretches of days, the gaps between them, and how they are said."""

from __future__ import annotations

from mlops_assets.contract.periods import missing_periods, said_periods, stretches

DAYS = ["2024-03-03", "2024-02-28", "2024-02-29", "2024-03-01", "2024-03-06"]


def test_days_are_cut_where_one_is_missing() -> None:
    assert stretches(DAYS) == [["2024-02-28", "2024-02-29", "2024-03-01"], ["2024-03-03"], ["2024-03-06"]]
    assert stretches([]) == []


def test_the_days_between_are_missing_and_none_before_or_after() -> None:
    assert missing_periods(DAYS) == ("2024-03-02", "2024-03-04", "2024-03-05")
    assert missing_periods(["2024-03-01"]) == missing_periods([]) == ()


def test_stretches_are_said_and_of_many_the_first_few() -> None:
    assert said_periods(missing_periods(DAYS)) == "2024-03-02, 2024-03-04 to 2024-03-05"
    odd = [f"2024-03-{day:02}" for day in range(1, 20, 2)]
    assert said_periods(odd) == "2024-03-01, 2024-03-03, 2024-03-05, 2024-03-07, 2024-03-09 and 5 more"
    assert said_periods([]) == ""

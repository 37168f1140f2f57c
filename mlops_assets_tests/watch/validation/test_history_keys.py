"""What history is kept by is read off its SQL."""

from __future__ import annotations

from mlops_assets.use_cases.flights.sources import FLIGHTS, WEATHER
from mlops_assets.use_cases.flights.use_case import USE_CASE
from mlops_assets.use_cases.income.sources import PEOPLE
from mlops_assets.use_cases.income.use_case import USE_CASE as INCOME
from mlops_assets.watch.validation.history_keys import history_keys


def test_views_are_named_by_the_column_that_they_are_kept_by() -> None:
    views = history_keys(USE_CASE, source=FLIGHTS)
    assert views("tailnum") == ("tailnum",)
    assert "hour" in views("hour")
    assert "origin" in views("origin")
    assert views("arr_delay") == ()


def test_column_of_another_source_keeps_nothing() -> None:
    assert history_keys(USE_CASE, source=WEATHER)("origin") == ()


def test_use_case_without_history_has_no_such_column() -> None:
    assert history_keys(INCOME, source=PEOPLE)("occupation") == ()

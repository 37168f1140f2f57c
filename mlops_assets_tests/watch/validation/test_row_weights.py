"""Which column weighs the rows is read off the SQL of the examples."""

from __future__ import annotations

from mlops_assets.use_cases.flights.sources import FLIGHTS
from mlops_assets.use_cases.flights.use_case import USE_CASE
from mlops_assets.use_cases.income.sources import PEOPLE
from mlops_assets.use_cases.income.use_case import USE_CASE as INCOME
from mlops_assets.watch.validation.row_weights import weight_column


def test_weight_is_the_column_that_it_is_made_of() -> None:
    is_weight = weight_column(INCOME, source=PEOPLE)

    assert is_weight("population")
    assert not is_weight("age")


def test_use_case_without_a_weight_has_no_such_column() -> None:
    assert not weight_column(USE_CASE, source=FLIGHTS)("distance")

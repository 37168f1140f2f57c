"""One habit of writing explains values that broke a rule, or none does."""

from __future__ import annotations

import pytest

from mlops_assets.contract.anomalies import Cause
from mlops_assets.watch.validation.value_forms import explain_form


@pytest.mark.parametrize(
    ("values", "rule", "cause"),
    [
        (["3,5", "-0,25", "17,0"], "column_type", Cause.DECIMAL_COMMA),
        (["1,234", "12,345,678"], "column_type", Cause.THOUSANDS_SEPARATOR),
        (["41275", "41276.5"], "column_type", Cause.SERIAL_DATE),
        (["01/31/2013", "2/1/13"], "column_type", Cause.DATE_FORMAT),
        (["20130131"], "column_type", Cause.DATE_FORMAT),
        (["null", "NULL", "n/a"], "column_type", Cause.NULL_TEXT),
        (["12 mi", "3.5km"], "column_type", Cause.UNIT_SUFFIX),
        ([" UA", "AA "], "str_matches('^[A-Z]{2}$')", Cause.SPACES),
        (["ua", "aa"], "str_matches('^[A-Z]{2}$')", Cause.LETTER_CASE),
        (["jfk"], "isin(['JFK', 'EWR'])", Cause.LETTER_CASE),
    ],
)
def test_habit_is_named(values: list[str], rule: str, cause: Cause) -> None:
    form = explain_form(values, rule=rule)
    assert form is not None
    assert form.cause is cause
    assert f"'{values[0]}'" in form.explanation


@pytest.mark.parametrize("values", [[], ["heavy", "light"], ["3,5", "x", "y", "z"]])
def test_mixed_values_have_no_habit(values: list[str]) -> None:
    assert explain_form(values, rule="column_type") is None

"""The features of income: the census's answers, and two that are computed from them. Only declarations."""

from __future__ import annotations

from pathlib import Path

from mlops_assets import Feature

SQL = Path(__file__).parent / "sql"
OWNER = "census office"
EXAMPLES_SQL = SQL / "examples.sql"
FEATURES_SQL = SQL / "features.sql"


def _numeric(name: str, description: str) -> Feature:
    return Feature(name=name, kind="numeric", description=description, owner=OWNER)


def _categorical(name: str, description: str) -> Feature:
    return Feature(name=name, kind="categorical", description=description, owner=OWNER)


# sex and race are slices, not features: a model that sees them may treat people differently by them
FEATURES = (
    _numeric("age", "Years."),
    _categorical("workclass", "Kind of employer."),
    _categorical("education", "Highest level reached."),
    _numeric("education_num", "Highest level reached, as a number in order."),
    _categorical("marital_status", "Marital status."),
    _numeric("lives_with_spouse", "Married and living with the spouse."),
    _categorical("occupation", "Kind of work."),
    _numeric("capital_gain", "Dollars a year."),
    _numeric("capital_loss", "Dollars a year."),
    _numeric("capital_net", "Capital gain minus capital loss, dollars a year."),
    _numeric("hours_per_week", "Usual hours of work."),
    _categorical("native_country", "Country of birth."),
)

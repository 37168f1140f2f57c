"""What must be true of each landed file of income, as a pandera model.

The columns are described in the data set's own ``adult.names``; rows that break a rule are quarantined, so a rule
here is a fact. ``?`` is a missing value: how files are read is in ``sources.py``.
"""

from __future__ import annotations

import pandas as pd
import pandera.pandas as pa

WORKCLASSES = [
    "Private", "Self-emp-not-inc", "Self-emp-inc", "Federal-gov", "Local-gov", "State-gov", "Without-pay",
    "Never-worked",
]  # fmt: skip
EDUCATIONS = [
    "Preschool", "1st-4th", "5th-6th", "7th-8th", "9th", "10th", "11th", "12th", "HS-grad", "Some-college",
    "Assoc-voc", "Assoc-acdm", "Bachelors", "Masters", "Prof-school", "Doctorate",
]  # fmt: skip
MARITAL_STATUSES = [
    "Married-civ-spouse", "Divorced", "Never-married", "Separated", "Widowed", "Married-spouse-absent",
    "Married-AF-spouse",
]  # fmt: skip
RELATIONSHIPS = ["Wife", "Own-child", "Husband", "Not-in-family", "Other-relative", "Unmarried"]
RACES = ["White", "Asian-Pac-Islander", "Amer-Indian-Eskimo", "Other", "Black"]
SEXES = ["Female", "Male"]


class PeopleRows(pa.DataFrameModel):
    """One person who answered the census of 1994, older than 16."""

    person: int = pa.Field(ge=1, unique=True, description="number of the person in the published files, in their order")
    age: int = pa.Field(ge=17, le=90, description="years, 90 for everybody older")
    workclass: str = pa.Field(isin=WORKCLASSES, nullable=True, description="kind of employer")
    population: int = pa.Field(gt=0, description="how many people this one stands for (fnlwgt)")
    education: str = pa.Field(isin=EDUCATIONS, description="highest level reached")
    education_num: int = pa.Field(ge=1, le=16, description="highest level reached, as a number in order")
    marital_status: str = pa.Field(isin=MARITAL_STATUSES, description="marital status")
    occupation: str = pa.Field(nullable=True, description="kind of work")
    relationship: str = pa.Field(isin=RELATIONSHIPS, description="place in the household")
    race: str = pa.Field(isin=RACES, description="as the census asked in 1994")
    sex: str = pa.Field(isin=SEXES, description="as the census asked in 1994")
    capital_gain: int = pa.Field(ge=0, le=99999, description="dollars, 99,999 for everything above")
    capital_loss: int = pa.Field(ge=0, le=9999, description="dollars")
    hours_per_week: int = pa.Field(ge=1, le=99, description="usual hours of work")
    native_country: str = pa.Field(nullable=True, description="country of birth")
    income: str = pa.Field(isin=["<=50K", ">50K"], description="a year, in dollars")

    @pa.dataframe_check(description="education_num must be the number of education")
    @classmethod
    def education_has_its_number(cls, rows: pd.DataFrame) -> pd.Series:
        """The two columns say the same."""
        numbers = {name: number for number, name in enumerate(EDUCATIONS, start=1)}
        return rows["education"].map(numbers) == rows["education_num"]

    @pa.dataframe_check(description="who never worked has no occupation")
    @classmethod
    def work_has_an_employer(cls, rows: pd.DataFrame) -> pd.Series:
        """A known kind of work needs a known employer."""
        return rows["occupation"].isna() | (rows["workclass"].notna() & (rows["workclass"] != "Never-worked"))

    class Config:
        strict = True
        ordered = True

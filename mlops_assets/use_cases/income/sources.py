"""How the one source of income arrives: ``?`` for a missing value."""

from __future__ import annotations

from mlops_assets import Source

PEOPLE = Source(
    name="people",
    description="People who answered the census of 1994, with whether they earn more than 50,000 dollars a year.",
    owner="census-data@example.org",
    schema="mlops_assets.use_cases.income.schemas:PeopleRows",  # imported when files are judged, never by the service
    null_values=("?",),
)

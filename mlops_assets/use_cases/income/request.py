"""What a caller sends for one person: the census's questions without income, checked field by field."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, computed_field

EXAMPLE: dict[str, JsonValue] = {
    "person": 1,
    "age": 39,
    "workclass": "State-gov",
    "education": "Bachelors",
    "education_num": 13,
    "marital_status": "Never-married",
    "occupation": "Adm-clerical",
    "relationship": "Not-in-family",
    "race": "White",
    "sex": "Male",
    "capital_gain": 2174,
    "capital_loss": 0,
    "hours_per_week": 40,
    "native_country": "United-States",
}


class PersonRequest(BaseModel):
    """One person older than 16. What is not known is null."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"example": EXAMPLE})

    person: Annotated[int, Field(ge=1, description="The caller's number of the person, to match the outcome with")]
    age: Annotated[int, Field(ge=17, le=120, description="Years")]
    workclass: Annotated[str | None, Field(description="Kind of employer, e.g. Private")] = None
    education: Annotated[str, Field(description="Highest level reached, e.g. Bachelors")]
    education_num: Annotated[int, Field(ge=1, le=16, description="Highest level reached as a number, 13 is Bachelors")]
    marital_status: Annotated[str, Field(description="e.g. Married-civ-spouse")]
    occupation: Annotated[str | None, Field(description="Kind of work, e.g. Sales")] = None
    relationship: Annotated[str, Field(description="Place in the household, e.g. Husband")]
    race: Annotated[str, Field(description="As the census asked in 1994, e.g. Black")]
    sex: Literal["Female", "Male"]
    capital_gain: Annotated[int, Field(ge=0, le=99999, description="Dollars a year")]
    capital_loss: Annotated[int, Field(ge=0, le=9999, description="Dollars a year")]
    hours_per_week: Annotated[int, Field(ge=1, le=99, description="Usual hours of work")]
    native_country: Annotated[str | None, Field(description="Country of birth, e.g. United-States")] = None

    @computed_field
    def id(self) -> str:
        """The person's own name, under which the outcome will be known."""
        return f"person-{self.person}"

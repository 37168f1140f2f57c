"""Pandera models are read into columns with Arrow types; what cannot be honoured on files is refused."""

from __future__ import annotations

from datetime import date, datetime

import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa
import pytest

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.schema import read_schema
from mlops_assets_tests.features.readings import ReadingRows


class EveryType(pandera.DataFrameModel):
    """One column of each type."""

    whole: int
    small: pd.Int16Dtype = pandera.Field(nullable=True)
    middle: pd.Int32Dtype
    large: pd.Int64Dtype
    number: float
    text: str
    flag: bool
    maybe: pd.BooleanDtype = pandera.Field(nullable=True)
    day: date
    moment: datetime = pandera.Field(description="when")

    class Config:
        unique = ["whole", "text"]  # noqa: RUF012 - pandera reads a list


def test_columns_have_arrow_types_in_order() -> None:
    schema = read_schema(EveryType)
    types = {column.name: column.type for column in schema.columns}
    assert types == {
        "whole": pa.int64(),
        "small": pa.int16(),
        "middle": pa.int32(),
        "large": pa.int64(),
        "number": pa.float64(),
        "text": pa.string(),
        "flag": pa.bool_(),
        "maybe": pa.bool_(),
        "day": pa.date32(),
        "moment": pa.timestamp("us"),
    }
    assert schema.arrow.names == [*types, "source_row"]
    assert all(column.kind for column in schema.columns)
    assert [column.name for column in schema.columns if column.nullable] == ["small", "maybe"]
    assert schema.columns[-1].description == "when"


def test_keys_are_those_of_columns_and_of_the_model() -> None:
    assert read_schema(ReadingRows).keys == (("sensor",),)
    assert read_schema(EveryType).keys == (("whole", "text"),)


def test_unknown_type_is_refused() -> None:
    class Odd(pandera.DataFrameModel):
        spans: pd.Timedelta

    with pytest.raises(DeclarationError, match=r"Column 'spans' of model Odd .* Use int, float"):
        read_schema(Odd)


def test_parsers_and_optional_columns_are_refused() -> None:
    class Parsed(pandera.DataFrameModel):
        value: int

        @pandera.parser("value")
        @classmethod
        def doubled(cls, value: pd.Series) -> pd.Series:
            return value * 2

    class Optional(pandera.DataFrameModel):
        value: pandera.typing.Series[int] | None

    class Indexed(pandera.DataFrameModel):
        value: int
        index: pandera.typing.Index[int]

    class Alike(pandera.DataFrameModel):
        Umsatz: int
        umsatz: int

    with pytest.raises(DeclarationError, match="differ only in case \\(Umsatz, umsatz\\)"):
        read_schema(Alike)
    with pytest.raises(DeclarationError, match="parsers"):
        read_schema(Parsed)
    with pytest.raises(DeclarationError, match="optional columns"):
        read_schema(Optional)
    with pytest.raises(DeclarationError, match="an index"):
        read_schema(Indexed)


def test_lenience_about_order_and_further_columns_is_part_of_the_version() -> None:
    class Strict(EveryType):
        class Config:
            strict = True
            ordered = True

    class Lenient(EveryType):
        class Config:
            strict = False
            ordered = False

    strict, lenient = read_schema(Strict), read_schema(Lenient)
    assert (strict.strict, strict.ordered, lenient.strict, lenient.ordered) == (True, True, False, False)
    assert strict.version != lenient.version

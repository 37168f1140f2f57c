"""Requests become rows with the types of their annotations."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import pyarrow as pa
import pytest
from pydantic import BaseModel, Field, computed_field

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.features.requests import request_table


class Visit(BaseModel):
    shop: Annotated[str, Field(min_length=1)]
    staff: str | None = None
    kind: Literal["walk-in", "order"] = "order"
    amount: int
    at: datetime

    @computed_field
    def hour(self) -> int:
        return self.at.hour


def test_columns_are_fields_and_computed_fields_with_their_own_types() -> None:
    table = request_table([Visit(shop="x", amount=1, at=datetime(2013, 1, 1, 5))], model=Visit)

    assert table.schema == pa.schema(
        [
            ("shop", pa.string()),
            ("staff", pa.string()),
            ("kind", pa.string()),
            ("amount", pa.int64()),
            ("at", pa.timestamp("us")),
            ("hour", pa.int64()),
        ]
    )
    assert table.to_pylist()[0] == {
        "shop": "x", "staff": None, "kind": "order", "amount": 1, "at": datetime(2013, 1, 1, 5), "hour": 5
    }  # fmt: skip


def test_a_field_that_is_no_column_is_refused() -> None:
    class Basket(BaseModel):
        items: list[str]

    with pytest.raises(DeclarationError, match="Request field 'items'"):
        request_table([Basket(items=["a"])], model=Basket)

"""Every column gets a field of its own, by its own name wherever that can be."""

from __future__ import annotations

import keyword

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.watch.validation.field_names import class_name, field_names


def test_name_that_can_be_a_field_is_kept_and_others_resemble_it() -> None:
    assert field_names(["age", "größe", "имя", "class", "class_", "_id", "2013", "a-b", "a b", "", "pa", "Config"]) == {
        "age": "age", "größe": "größe", "имя": "имя", "class": "class_2", "class_": "class_", "_id": "id",
        "2013": "column_2013", "a-b": "a_b", "a b": "a_b_2", "": "column", "pa": "pa_", "Config": "Config_",
    }  # fmt: skip


@given(st.lists(st.text(max_size=8), unique=True))
def test_fields_are_different_names_that_pandera_takes(columns: list[str]) -> None:
    fields = list(field_names(columns).values())
    assert len(set(fields)) == len(columns)
    assert all(name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("_") for name in fields)


@pytest.mark.parametrize("name", ["my rows", "class", "", "pa", "1st"])
def test_name_that_no_class_can_have_is_refused(name: str) -> None:
    with pytest.raises(DeclarationError, match="say --name"):
        class_name(name)

"""Which segment a row belongs to."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from mlops_assets.contract.errors import DeclarationError, EvaluationError
from mlops_assets.contract.slices import Quantiles, Rule, Slice, memberships

TABLE = pa.table({"carrier": ["UA", "AA", None, "UA"], "hour": [5, 17, 5, 17]})


def segments_of(*columns: str) -> list[str]:
    (membership,) = memberships([Slice(name="declared", columns=columns)], table=TABLE)
    return [membership.segments[code] for code in membership.codes]


def test_every_value_is_a_segment_and_so_is_a_missing_one() -> None:
    assert segments_of("carrier") == ["carrier=UA", "carrier=AA", "carrier=(missing)", "carrier=UA"]


def test_numbers_are_ordered_as_numbers() -> None:
    (membership,) = memberships([Slice(name="hour", columns=("hour",))], table=TABLE)

    assert membership.segments == ("hour=5", "hour=17")


def test_a_cross_has_the_combinations_that_are_there() -> None:
    (membership,) = memberships([Slice(name="cross", columns=("carrier", "hour"))], table=TABLE)

    assert membership.segments == (
        "carrier=AA, hour=17",
        "carrier=UA, hour=5",
        "carrier=UA, hour=17",
        "carrier=(missing), hour=5",
    )
    assert membership.codes.tolist() == [1, 0, 3, 2]


def test_dictionary_columns_are_read_like_plain_ones() -> None:
    encoded = TABLE.set_column(0, "carrier", TABLE["carrier"].dictionary_encode())

    (membership,) = memberships([Slice(name="carrier", columns=("carrier",))], table=encoded)

    assert [membership.segments[code] for code in membership.codes] == segments_of("carrier")


def test_a_column_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(EvaluationError, match=r"Unknown slice column 'carier'\. Columns: carrier, hour"):
        segments_of("carier")


def test_no_rows_have_no_segments() -> None:
    (membership,) = memberships([Slice(name="carrier", columns=("carrier",))], table=TABLE.slice(0, 0))

    assert (len(membership.codes), membership.segments) == (0, ())


def test_a_slice_needs_a_column() -> None:
    with pytest.raises(DeclarationError, match="needs at least one column"):
        Slice(name="nothing", columns=())


AGES = pa.table({"age": [20.0, 30.0, 30.0, 40.0, 50.0, 60.0, 70.0, None]})


def test_quantiles_cut_a_number_into_bins_of_about_equally_many_rows() -> None:
    (member,) = memberships([Quantiles(name="age", column="age", bins=2)], table=AGES)

    assert member.segments == ("age 1 of 2", "age 2 of 2", "age=(missing)")
    assert member.codes.tolist() == [0, 0, 0, 0, 1, 1, 1, 2]
    assert set(member.limits) == {"age 1 of 2", "age 2 of 2"}


def test_quantiles_tell_the_numbers_that_they_hold() -> None:
    ages = pa.table({"age": [17, 20, 30, 40, 50, 60, 70, 80]})

    (member,) = memberships([Quantiles(name="age", column="age", bins=4)], table=ages)

    assert member.limits == {
        "age 1 of 4": "up to 27.5",
        "age 2 of 4": "above 27.5 to 45",
        "age 3 of 4": "above 45 to 62.5",
        "age 4 of 4": "above 62.5",
    }
    (unknown,) = memberships([Quantiles(name="age", column="age")], table=pa.table({"age": [None, None]}))
    assert unknown.limits == {}


def test_equal_numbers_share_a_bin_and_empty_bins_are_left_out() -> None:
    same = pa.table({"age": [5.0] * 6 + [9.0]})

    (member,) = memberships([Quantiles(name="age", column="age", bins=3)], table=same)

    assert member.segments == ("age 1 of 3", "age 3 of 3")


def test_a_rule_makes_two_segments() -> None:
    old = Rule(name="old", columns=("age",), holds=lambda rows: np.nan_to_num(rows["age"].to_numpy()) > 45)

    (member,) = memberships([old], table=AGES)

    assert member.segments == ("old", "not old")
    assert member.codes.tolist() == [1, 1, 1, 1, 0, 0, 0, 1]


def test_a_rule_over_a_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(EvaluationError, match=r"Unknown slice column 'size'\. Columns: age"):
        memberships([Rule(name="big", columns=("size",), holds=lambda rows: np.ones(8, bool))], table=AGES)

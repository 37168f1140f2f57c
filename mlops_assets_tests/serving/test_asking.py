"""From bodies to checked rows: strict types, faults by row and field, bounds; and no row spoils another's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, computed_field

from mlops_assets.contract.monitoring import MonitoringPlan
from mlops_assets.serving.asking import Asked, Asking
from mlops_assets.serving.wire import Refused
from mlops_assets_tests.serving.factories import PARCELS, make_parcel
from mlops_assets_tests.serving.toys.quiet import USE_CASE as QUIET

DAY = date(2013, 7, 1)
PARCEL_ROWS, PEOPLE = Asking(PARCELS, most_rows=5), Asking(QUIET, most_rows=5)


def check(*rows: object, asking: Asking = PARCEL_ROWS, **more: object) -> Asked:
    return asking.check(json.dumps({"rows": rows, **more}).encode(), day=DAY)


def refused(body: bytes | Sequence[object], *, asking: Asking = PARCEL_ROWS) -> Refused:
    sent = body if isinstance(body, bytes) else json.dumps({"rows": body}).encode()
    with pytest.raises(Refused) as refusal:
        asking.check(sent, day=DAY)
    return refusal.value


def faults(refusal: Refused) -> list[tuple[int | None, str | None, str | None, str]]:
    return [(fault.row, fault.field, fault.value, fault.rule) for fault in refusal.refusal.faults]


def test_a_good_row_is_its_values_and_what_was_sent() -> None:
    (row,) = check(make_parcel(sender="me")).good

    moment = datetime(2013, 7, 1, 8, 30)
    assert row.values == ("EWR", 2.5, moment, "me", "EWR-201307010830", moment)
    assert json.loads(row.inputs)["sender"] == "me"


def test_every_fault_names_its_row_field_value_and_rule() -> None:
    rows = [
        make_parcel(depot="nowhere", weight="heavy"),
        {"depot": "EWR", "weight": 1, "color": "red"},
        make_parcel(sent_at="2013-07-01T08:30:00+02:00"),
        17,
    ]

    assert faults(refused(rows)) == [
        (0, "depot", "'nowhere'", "String should match pattern '^[A-Z]{3}$'"),
        (0, "weight", "'heavy'", "Input should be a valid number"),
        (1, "sent_at", None, "Field required"),
        (1, "color", None, "Extra inputs are not permitted"),
        (2, "sent_at", "'2013-07-01T08:30:00+02:00'", "give wall time without a time zone"),
        (3, None, "17", "Input should be an object"),
    ]


@given(st.lists(st.booleans(), min_size=1, max_size=5))
def test_rows_are_checked_each_for_itself_and_answered_in_their_places(good: list[bool]) -> None:
    rows = [make_parcel(sender=str(place)) if fine else make_parcel(depot=place) for place, fine in enumerate(good)]
    if not any(good):
        assert refused(rows).status == 400
        return
    asked = check(*rows)

    answers = asked.in_order([json.loads(row.inputs)["sender"] for row in asked.good])

    told = [each if isinstance(each, str) else [fault.row for fault in each.faults] for each in answers]
    assert told == [str(place) if fine else [place] for place, fine in enumerate(good)]


@given(st.integers())
def test_a_whole_number_is_one_of_64_bits(number: int) -> None:
    class Sent(BaseModel):
        number: int

    asking = asking_of(Sent)
    if -(2**63) <= number < 2**63:
        assert check({"number": number}, asking=asking).good[0].values == (number,)
    else:
        assert faults(refused([{"number": number}], asking=asking))[0][3] == "a whole number has at most 64 bits"


@pytest.mark.parametrize(("low", "high"), [(0, 2**64), (-(2**64), 0)])
def test_a_bound_past_64_bits_bounds_nothing(low: int, high: int) -> None:
    class Sent(BaseModel):
        number: int = Field(ge=low, le=high)

    (fault,) = faults(refused([{"number": high or low}], asking=asking_of(Sent)))

    assert fault[3] == "a whole number has at most 64 bits"


@pytest.mark.parametrize("age", [True, "44", 44.5, None, [44], "4_4", 2**63, -1, 121])
def test_a_number_is_never_guessed(age: object) -> None:
    assert faults(refused([{"age": age, "job": "clerk"}], asking=PEOPLE))[0][:2] == (0, "age")


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_numbers_that_are_none_are_refused_whatever_the_model_lets_pass(text: str) -> None:
    class Sent(BaseModel):
        number: float

    body = f'{{"rows":[{{"number":{text}}}]}}'.encode()

    assert faults(refused(body, asking=asking_of(Sent)))[0][3] == "a number is finite"


def test_a_text_has_no_nul() -> None:
    assert faults(refused([make_parcel(sender="a\0b")]))[0][1:] == (
        "sender",
        "'a\\x00b'",
        "a text has no character of code 0",
    )


@pytest.mark.parametrize(
    ("moment", "rule"),
    [
        ("0001-01-01T00:00:00", "at most 400 days before 2013-07-01"),
        ("2012-05-26T23:59:59", "at most 400 days before 2013-07-01"),
        ("2014-08-06T00:00:00", "at most 400 days after 2013-07-01"),
        ("9999-12-31T23:59:59", "at most 400 days after 2013-07-01"),
        ("2013-07-01", "Input should be a valid datetime, invalid character in year"),
    ],
)
def test_a_moment_is_one_that_something_true_can_be_answered_about(moment: str, rule: str) -> None:
    told = faults(refused([make_parcel(sent_at=moment)]))[0][3]

    assert told == rule or (rule.startswith("Input") and told.startswith("Input should be a valid datetime"))


@pytest.mark.parametrize("moment", ["2012-05-27T00:00:00", "2014-08-05T23:59:59"])
def test_a_moment_at_the_bound_is_answered(moment: str) -> None:
    assert len(check(make_parcel(sent_at=moment)).good) == 1


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, None),
        (b"[]", 400, None),
        (b"{}", 400, "rows"),
        (b'{"rows":[]}', 400, "rows"),
        (b'{"rows":[null,null,null,null,null,null]}', 413, "rows"),
        (b"[" * 300 + b"]" * 300, 413, None),
        (b'{"rows":[{}],"more":1}', 400, None),
    ],
)
def test_a_body_that_is_no_request_names_what_is_wrong_with_it(body: bytes, status: int, field: str | None) -> None:
    refusal = refused(body)

    assert refusal.status == status
    assert field is None or faults(refusal)[0][1] == field


def test_long_values_are_shortened_and_many_faults_cut() -> None:
    many = refused([{f"f{number}": 0 for number in range(500)}] * 5)
    too_many = refused([{f"f{number}": 0 for number in range(10_000)}] * 5)
    named = refused([{"x" * 10_000: 0}])

    assert len(faults(refused([make_parcel(depot="x" * 10_000)]))[0][2] or "") == 60
    assert [fault[0] for fault in faults(many)] == [row for row in range(5) for _ in range(10)]
    assert "faults are too many to be named" in too_many.refusal.error
    assert max(len(fault[1] or "") for fault in faults(named)) == 60


def test_a_row_whose_computed_fields_fail_is_faulty_and_tells_nothing_of_the_code() -> None:
    class Sent(BaseModel):
        number: int

        @computed_field
        def id(self) -> str:
            """Fails for 0 and 1."""
            if self.number == 1:
                raise ValueError("there is no 1")
            return str(1 // self.number)

    asked = check({"number": 0}, {"number": 1}, {"number": 2}, asking=asking_of(Sent))

    assert [asked.faulty[place].faults[0].rule for place in (0, 1)] == [
        "what follows from it can be worked out",
        "there is no 1",
    ]
    assert len(asked.good) == 1


def test_the_id_in_the_body_names_the_request() -> None:
    body = json.dumps({"rows": [make_parcel()], "id": "mine"}).encode()

    assert PARCEL_ROWS.check(body, day=DAY, key="header").key == "mine"
    assert check(make_parcel(), make_parcel(weight=0), id="mine").key == "mine"
    assert PARCEL_ROWS.check(json.dumps({"rows": [make_parcel()]}).encode(), day=DAY, key="header").key == "header"


def asking_of(request: type[BaseModel]) -> Asking:
    """What checks such rows."""
    return Asking(replace(QUIET, request=request, monitoring=MonitoringPlan()), most_rows=5)

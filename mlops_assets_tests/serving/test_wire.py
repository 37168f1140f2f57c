"""Refusals name row, field and reason."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from mlops_assets.serving.wire import MOST_ROWS, refusal, rows_of
from mlops_assets_tests.serving.factories import make_parcel
from mlops_assets_tests.serving.toys.parcels import ParcelRequest

ROWS: TypeAdapter[Any] = TypeAdapter(rows_of(ParcelRequest))


def refused(rows: object) -> list[tuple[int | None, str | None, str]]:
    found = refusal(ROWS.validate_python(rows))
    return [] if found is None else [(fault.row, fault.field, fault.reason) for fault in found.faults]


def test_good_rows_are_not_refused() -> None:
    assert refused([make_parcel(), make_parcel(sender=None)]) == []


def test_every_fault_names_its_row_field_and_reason() -> None:
    rows = [
        make_parcel(),
        make_parcel(depot="nowhere", weight="heavy"),
        {"depot": "EWR", "weight": 1, "color": "red"},
        make_parcel(sent_at="2013-07-01T08:30:00+02:00"),
        17,
    ]
    assert refused(rows) == [
        (1, "depot", "String should match pattern '^[A-Z]{3}$'; found 'nowhere'"),
        (
            1,
            "weight",
            "Input should be a valid number, unable to parse string as a number; found 'heavy'",
        ),
        (2, "sent_at", "Field required"),
        (2, "color", "Extra inputs are not permitted"),
        (3, "sent_at", "give wall time without a time zone; found '2013-07-01T08:30:00+02:00'"),
        (4, None, "Input should be a valid dictionary or instance of ParcelRequest; found 17"),
    ]


def test_refusal_says_how_many_rows_are_bad() -> None:
    found = refusal(ROWS.validate_python([make_parcel(), make_parcel(weight=-1), make_parcel(weight=99, depot="")]))
    assert found is not None
    assert found.error.startswith("2 of 3 rows cannot be predicted, so none was.")


def test_rows_must_be_a_list_of_at_least_one_and_not_too_many() -> None:
    for rows in (None, "EWR", {"depot": "EWR"}):
        assert refused(rows)[0][:2] == (None, "rows")
    assert refused([]) == [(None, "rows", f"has 0 rows; 1 to {MOST_ROWS} can be answered at once")]
    assert refused([make_parcel()] * (MOST_ROWS + 1))[0][2].startswith(f"has {MOST_ROWS + 1} rows")


def test_numbers_that_are_none_are_refused() -> None:
    for weight in (float("nan"), float("inf"), None, []):
        assert refused([make_parcel(weight=weight)])[0][:2] == (0, "weight")


def test_long_values_are_shortened_and_many_faults_cut() -> None:
    assert len(refused([make_parcel(depot="x" * 10_000)])[0][2]) < 150
    assert len(refused([{}] * 1000)) == 100

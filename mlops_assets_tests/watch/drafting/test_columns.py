"""What a good colleague would say of columns and rows."""

from __future__ import annotations

from pathlib import Path

from mlops_assets.watch.drafting.columns import column_findings, key_findings, weight_like
from mlops_assets_tests.watch.drafting.tables import looks, seen_in


def test_empty_constant_and_nearly_empty_columns_are_told(tmp_path: Path) -> None:
    seen = seen_in(
        tmp_path / "x.csv",
        {"void": [""] * 100, "same": ["x"] * 100, "rare": ["7"] * 2 + [""] * 98, "y": [0, 1] * 50},
    )

    told = looks(column_findings(seen, but=["y"]))

    assert "'void': no value in any row; left out" in told
    assert "'same': the same value in every row" in told
    assert "'rare' is missing in 98 % of the rows; kept" in told


def test_a_column_that_is_one_value_or_missing_is_no_constant(tmp_path: Path) -> None:
    seen = seen_in(tmp_path / "x.csv", {"flag": ["yes", ""] * 50, "y": [0, 1] * 50})

    assert not seen.is_constant("flag")


def test_a_name_of_rows_needs_a_name_like_name(tmp_path: Path) -> None:
    numbers = [number * 7 for number in range(100)]
    seen = seen_in(
        tmp_path / "x.csv",
        {"customer_id": numbers, "PatientID": numbers, "Unnamed: 0": numbers, "income": numbers, "y": [0, 1] * 50},
    )

    assert [name for name in seen.columns if seen.is_name(name)] == ["customer_id", "PatientID", "Unnamed: 0"]


def test_texts_that_hardly_repeat_are_no_categories(tmp_path: Path) -> None:
    seen = seen_in(
        tmp_path / "x.csv",
        {"remark": [f"call {n}" for n in range(100)], "town": ["Bonn", "Köln", "Ulm", "Jena"] * 25, "y": [0, 1] * 50},
    )

    assert [name for name in seen.columns if seen.is_prose(name)] == ["remark"]


def test_repeated_rows_are_counted(tmp_path: Path) -> None:
    seen = seen_in(tmp_path / "x.csv", {"a": [*range(48), 0, 0], "y": [0, 1] * 25})

    assert "1 of 50 rows repeat another row wholly" in looks(column_findings(seen, but=["y"]))


def test_a_key_that_repeats_is_told(tmp_path: Path) -> None:
    seen = seen_in(tmp_path / "x.csv", {"shop": [1, 1, 2, 2], "day": [1, 2, 1, 1], "y": [0, 1, 0, 1]})

    assert key_findings(seen, key=("shop", "y")) == ()
    assert "1 of 4 rows have the 'shop', 'day' of another row" in looks(key_findings(seen, key=("shop", "day")))


def test_mixed_forms_of_dates_are_told_with_how_often(tmp_path: Path) -> None:
    dates = [f"2024-01-{day:02}" for day in range(1, 29)] * 3 + [f"{day:02}.01.2024" for day in range(1, 29)]
    seen = seen_in(tmp_path / "x.csv", {"signed": dates, "y": [0, 1] * 56})

    told = looks(column_findings(seen, but=["y"]))

    assert "'signed' has dates in 2 forms (84 as '2024-01-01', first in row 1; 28 as '01.01.2024'" in told


def test_how_the_file_is_written_is_told(tmp_path: Path) -> None:
    seen = seen_in(tmp_path / "x.csv", "39, ?, 1\n50, Private, 0\n38, Private, 1\n")

    told = looks(column_findings(seen, but=["column_3"]))

    assert "No header" in told
    assert "called column_1 to column_3" in told
    assert "'?' is taken for a missing value in 'column_2'" in told
    assert "strip=True" in told


def test_headers_equal_but_for_case_are_told(tmp_path: Path) -> None:
    seen = seen_in(tmp_path / "x.csv", {"Umsatz": [1, 2], "umsatz": [3, 4], "y": [0, 1]})

    assert "'umsatz' is the name of a second column, but for case" in looks(column_findings(seen, but=["y"]))


def test_survey_weights_are_guessed_by_their_names(tmp_path: Path) -> None:
    seen = seen_in(tmp_path / "x.csv", {"fnlwgt": [10, 20], "person_weight": [1, 2], "height": [1, 2], "y": [0, 1]})

    assert weight_like(seen, label="y") == ("fnlwgt", "person_weight")

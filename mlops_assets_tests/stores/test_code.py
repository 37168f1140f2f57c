"""Which code is running is told as a whole and file by file."""

from __future__ import annotations

from pathlib import Path

from mlops_assets.stores.code import code_version, feature_files

FLIGHTS = Path(__file__).parents[2] / "mlops_assets" / "use_cases" / "flights"


def test_every_file_of_a_use_case_has_a_version_of_its_own() -> None:
    found = feature_files("flights")

    assert set(found) == {
        path.relative_to(FLIGHTS).as_posix() for path in FLIGHTS.rglob("*.*") if path.suffix != ".pyc"
    }
    assert found["features.py"] == code_version([FLIGHTS / "features.py"])
    assert len(set(found.values())) == len(found)


def test_what_has_no_folder_has_no_files() -> None:
    assert feature_files("nowhere") == {}


def test_the_order_of_files_does_not_count_but_name_and_content_do(tmp_path: Path) -> None:
    first, second = tmp_path / "a.sql", tmp_path / "b.sql"
    first.write_text("SELECT 1")
    second.write_text("SELECT 1")

    assert code_version([first, second]) == code_version([second, first])
    assert code_version([first]) != code_version([second])

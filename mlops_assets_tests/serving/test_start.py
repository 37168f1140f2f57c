"""What would never work is said before a service starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_assets.contract.errors import ServingError
from mlops_assets.serving.start import verify_places


def test_a_folder_that_can_be_written_is_enough_and_nothing_stays_in_it(tmp_path: Path) -> None:
    verify_places({"MLOPS_DATA_DIR": str(tmp_path)}, use_case="parcels")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("folder", "said"),
    [("", "MLOPS_DATA_DIR is not set"), ("no/such", "where no folder is"), ("a file", "where no folder is")],
)
def test_without_a_data_folder_it_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a file").touch()

    with pytest.raises(ServingError, match=said):
        verify_places({"MLOPS_DATA_DIR": folder}, use_case="parcels")


def test_a_log_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "prediction_log").touch()

    with pytest.raises(ServingError, match="prediction_log cannot be written"):
        verify_places({"MLOPS_DATA_DIR": str(tmp_path)}, use_case="parcels")

"""Folders of the lake are derived from the paths of what lies in them."""

from __future__ import annotations

from mlops_assets.contract.paths import folder_of, raw_path


def test_the_folder_of_a_batch_holds_the_batches_of_its_source_and_no_others() -> None:
    folder = folder_of(raw_path("flights", source="weather", batch=""))

    assert folder == "flights/raw/weather/"
    assert raw_path("flights", source="weather", batch="2013-01-01").startswith(folder)
    assert not raw_path("flights", source="weather_stations", batch="2013-01-01").startswith(folder)

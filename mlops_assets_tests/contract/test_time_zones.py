"""What is a time zone: a name that the IANA database and the engine of all SQL know."""

from __future__ import annotations

import pandas as pd

from mlops_assets import is_time_zone


def test_names_that_sql_can_convert_by_are_time_zones_and_mistyped_ones_are_none() -> None:
    names = pd.Series(["America/Chicago", "UTC", "America/Chicgo", "", "PST", None])

    assert is_time_zone(names).tolist() == [True, True, False, False, False, False]

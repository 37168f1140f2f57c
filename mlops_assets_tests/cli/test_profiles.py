"""`mlops profile` of windows: judged as a whole, with what was found on their days."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_assets.contract.errors import DeclarationError
from mlops_assets_tests.cli.conftest import Mlops
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets_tests.orchestration.toy import day_number
from mlops_assets_tests.reports.test_profile_page import data_of


def test_a_window_is_shown_beside_the_one_before_it(run_mlops: Mlops, ingested: Deployment, tmp_path: Path) -> None:
    out = tmp_path / "page.html"

    run_mlops("profile", "parcels", "--from", day_number(7), "--day", day_number(9), "--out", str(out))

    told = data_of(out.read_text())
    assert told["rows"] == 3 * 60
    assert (told["unit"], told["reference"]) == ("window", f"{day_number(4)} to {day_number(6)}")
    assert told["comparisons"] == "none: fewer than 14 earlier windows to learn from what is normal"
    assert told["batches"] == [f"{day_number(1)} to {day_number(3)}", told["reference"], "this window"]
    weight = next(column for column in told["columns"] if column["name"] == "weight")
    assert {shift["measure"] for shift in weight["shifts"]} >= {"jensen_shannon", "wasserstein", "missing_share"}


def test_a_window_that_is_none_or_of_which_nothing_is_known_is_refused(run_mlops: Mlops, ingested: Deployment) -> None:
    with pytest.raises(DeclarationError, match="A window ends after it begins"):
        run_mlops("profile", "parcels", "--from", day_number(9), "--day", day_number(7))
    with pytest.raises(DeclarationError, match="The lake has no profile of parcels"):
        run_mlops("profile", "parcels", "--from", day_number(20), "--day", day_number(22))


def test_a_page_tells_the_days_that_are_missing(run_mlops: Mlops, ingested: Deployment, tmp_path: Path) -> None:
    ingested.land(12)
    ingested.ingest()
    out = tmp_path / "page.html"

    run_mlops("profile", "parcels", "--day", day_number(12), "--out", str(out))
    of_a_day = data_of(out.read_text())["missing_days"]
    run_mlops("profile", "parcels", "--from", day_number(9), "--day", day_number(12), "--out", str(out))

    assert of_a_day == data_of(out.read_text())["missing_days"] == f"{day_number(10)} to {day_number(11)}"
    run_mlops("profile", "parcels", "--day", day_number(9), "--out", str(out))
    assert data_of(out.read_text())["missing_days"] == ""

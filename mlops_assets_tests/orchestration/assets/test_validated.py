"""What is published beside the validated rows: the profile of the batch, as file and as figures to be plotted."""

from __future__ import annotations

import pytest

from mlops_assets.lake.tables import read_parquet
from mlops_assets.stores.landing.batch_surroundings import stored_anomalies
from mlops_assets.watch.profiles.profile import Profile
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets_tests.orchestration.toy import PARCELS, day_number, parcels_csv


def test_a_batch_is_published_with_its_profile(empty: Deployment) -> None:
    empty.land(0)

    _, day = empty.ingest()

    path = f"parcels/profiles/parcels/{day_number(0)}.parquet"
    profile = Profile(table=read_parquet(empty.lake.at().local(path)))
    assert profile.rows == 60
    assert profile.column("weight").mean == pytest.approx(day.metadata["validated_parcels"]["mean/weight"])
    assert profile.column("depot").top(2) == (("AMS", 30), ("BER", 30))
    assert profile.column("weight", scope="depot=AMS").rows == 30
    assert day.metadata["validated_parcels"]["missing_share/minutes_late"] == 0.0


def test_the_anomalies_of_a_window_say_of_which_batch_each_is(empty: Deployment) -> None:
    first, second = day_number(0), day_number(1)
    empty.land(0, 1)
    one = {3: f"3,{second},{second} 09:00:00,AMS,heavy,-5"}
    empty.drop(parcels_csv(second, changes=one), source="parcels", batch=second)
    empty.ingest()

    told = stored_anomalies([first, second], use_case=PARCELS, source=PARCELS.source("parcels"), head=empty.lake.at())

    assert (told.batch, told.rows_read, told.rows_quarantined) == (f"{first} to {second}", 120, 1)
    assert [found.message[:12] for found in told.anomalies] == [f"{second}: "]

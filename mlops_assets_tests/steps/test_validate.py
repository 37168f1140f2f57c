"""Rows that break a rule are set aside and counted; a batch that is mended has no quarantine any more."""

from __future__ import annotations

import duckdb

from mlops_assets.steps.land import land
from mlops_assets.steps.validate import Validated, validate
from mlops_assets.stores.landing.landing import LandingZone
from mlops_assets_tests.orchestration.toy import PARCELS, parcels_csv
from mlops_assets_tests.steps.played import DAYS, Loop

DAY, SOURCE = DAYS[0], PARCELS.source("parcels")


def validated(loop: Loop, content: bytes) -> Validated:
    zone = LandingZone(loop.data / "landing")
    zone.land(content, use_case="parcels", source=SOURCE, batch=DAY)
    loop.put("raw_parcels", land(loop.lake.at(), use_case=PARCELS, source=SOURCE, batches=[DAY], zone=zone))
    step = validate(loop.lake.at(), use_case=PARCELS, source=SOURCE, batches=[DAY], connect=duckdb.connect)
    told: Validated = loop.put("validated_parcels", step)
    return told


def test_a_broken_row_goes_to_quarantine_until_the_batch_is_mended(empty: Loop) -> None:
    spoilt = validated(empty, parcels_csv(DAY, changes={3: f"3,{DAY},{DAY} 09:00:00,AMS,99.5,-5"}))
    assert spoilt.batches[DAY].report.quarantined.num_rows == 1
    assert empty.lake.at().exists(f"parcels/quarantine/parcels/{DAY}.parquet")

    mended = validated(empty, parcels_csv(DAY))

    assert mended.batches[DAY].report.valid.num_rows == 60
    assert not empty.lake.at().exists(f"parcels/quarantine/parcels/{DAY}.parquet")

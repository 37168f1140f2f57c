"""A file that is not whole is refused with what is wrong, and nothing of it is visible."""

from __future__ import annotations

import pytest

from mlops_assets.contract.errors import AuditFailed
from mlops_assets.steps.land import land
from mlops_assets.stores.landing.landing import LandingZone
from mlops_assets_tests.orchestration.toy import PARCELS, parcels_csv
from mlops_assets_tests.steps.played import DAYS, Loop

PARCELS_SOURCE = PARCELS.source("parcels")


def test_landed_bytes_are_published_as_they_came(empty: Loop) -> None:
    zone = LandingZone(empty.data / "landing")
    zone.land(parcels_csv(DAYS[0]), use_case="parcels", source=PARCELS_SOURCE, batch=DAYS[0])

    step = land(empty.lake.at(), use_case=PARCELS, source=PARCELS_SOURCE, batches=DAYS[:1], zone=zone)
    empty.put("raw_parcels", step)

    assert step.outcome.refused == {}
    assert empty.lake.at().read(f"parcels/raw/parcels/{DAYS[0]}.csv") == parcels_csv(DAYS[0])


def test_a_cut_file_is_refused_and_says_so(empty: Loop) -> None:
    zone = LandingZone(empty.data / "landing")
    zone.land(parcels_csv(DAYS[0])[:-9], use_case="parcels", source=PARCELS_SOURCE, batch=DAYS[0])

    step = land(empty.lake.at(), use_case=PARCELS, source=PARCELS_SOURCE, batches=DAYS[:1], zone=zone)

    assert step.outcome.refused[DAYS[0]].anomalies
    with pytest.raises(AuditFailed, match="file_is_whole"):
        empty.put("raw_parcels", step)
    assert not empty.lake.at().paths("parcels/")

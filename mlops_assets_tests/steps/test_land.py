"""A file that is not whole is refused with what is wrong, and nothing of it is visible."""

from __future__ import annotations

import gzip

import duckdb
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from mlops_assets.contract.errors import AuditFailed
from mlops_assets.steps.land import land
from mlops_assets.steps.validate import validate
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


@pytest.mark.parametrize("name", ["mine.csv.gz", "mine.parquet"])
def test_packed_file_and_parquet_go_the_whole_way_to_validated_rows(empty: Loop, name: str) -> None:
    day, mine = DAYS[0], empty.data / name
    if name.endswith(".gz"):
        mine.write_bytes(gzip.compress(parcels_csv(day)))
    else:
        pq.write_table(pa_csv.read_csv(pa.BufferReader(parcels_csv(day))), mine)
    zone = LandingZone(empty.data / "landing")
    zone.land(mine, use_case="parcels", source=PARCELS_SOURCE, batch=day)

    empty.put("raw_parcels", land(empty.lake.at(), use_case=PARCELS, source=PARCELS_SOURCE, batches=[day], zone=zone))
    validated = validate(
        empty.lake.at(), use_case=PARCELS, source=PARCELS_SOURCE, batches=[day], connect=duckdb.connect
    )

    assert empty.lake.at().read(f"parcels/raw/parcels/{day}.csv") == mine.read_bytes()
    assert validated.outcome.batches[day].report.passed
    assert validated.outcome.batches[day].report.valid.num_rows == 60


def test_a_packed_file_under_another_name_is_refused_and_says_so(empty: Loop) -> None:
    zone = LandingZone(empty.data / "landing")
    zone.land(gzip.compress(parcels_csv(DAYS[0])), use_case="parcels", source=PARCELS_SOURCE, batch=DAYS[0])

    step = land(empty.lake.at(), use_case=PARCELS, source=PARCELS_SOURCE, batches=DAYS[:1], zone=zone)

    with pytest.raises(AuditFailed, match="the name of such a file ends in"):
        empty.put("raw_parcels", step)


def test_a_cut_file_is_refused_and_says_so(empty: Loop) -> None:
    zone = LandingZone(empty.data / "landing")
    zone.land(parcels_csv(DAYS[0])[:-9], use_case="parcels", source=PARCELS_SOURCE, batch=DAYS[0])

    step = land(empty.lake.at(), use_case=PARCELS, source=PARCELS_SOURCE, batches=DAYS[:1], zone=zone)

    assert step.outcome.refused[DAYS[0]].anomalies
    with pytest.raises(AuditFailed, match="file_is_whole"):
        empty.put("raw_parcels", step)
    assert not empty.lake.at().paths("parcels/")

"""What is new is an alarm; a level that stays is told with the day since when; faults are alarms each day."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from mlops_assets.contract.anomalies import AnomalyReport, Code
from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.drift import REFUSED_EFFECTS, DriftPlan
from mlops_assets.watch.profiles.drift import compare
from mlops_assets.watch.profiles.profiling import profile_batches
from mlops_assets.watch.validation.shift_anomalies import judge_shifts

DAYS = [(date(2024, 1, 1) + timedelta(days=number)).isoformat() for number in range(40)]
BEGUN, AFTER = DAYS[-3], DAYS[-2:]


def checks(
    change: Callable[[np.ndarray], np.ndarray], *, refused: Mapping[str, float] = REFUSED_EFFECTS
) -> dict[str, CheckResult]:
    """The last three days, whose number is changed, beside those before."""
    random = np.random.default_rng(3)
    days = {day: np.round(random.gamma(4.0, 10.0, 400)) for day in DAYS}
    days |= {day: change(days[day]) for day in (BEGUN, *AFTER)}
    with duckdb.connect() as connection:
        profiles = profile_batches(
            {day: pa.table({"number": pa.array(values, from_pandas=True)}) for day, values in days.items()},
            columns=["number"],
            connection=connection,
        )
    reports = compare(profiles, batches=DAYS[-3:], plan=DriftPlan())
    return {
        day: judge_shifts(reports[day], profile=profiles[day], profiles=profiles, refused=refused) for day in reports
    }


@pytest.mark.parametrize(("refused", "blocks"), [({}, False), ({"became_constant": 1.0}, True)])
def test_a_plain_fault_warns_and_refuses_where_a_plan_says_so(refused: Mapping[str, float], blocks: bool) -> None:
    found = checks(lambda values: np.full_like(values, 7.0), refused=refused)[BEGUN]

    assert [anomaly.code for anomaly in found.anomalies] == [Code.BECAME_CONSTANT]
    assert (found.passed, found.blocks) == (False, blocks)


def test_a_level_that_stays_is_one_alarm() -> None:
    told = checks(lambda values: np.round(values**1.2))
    assert [day for day, check in told.items() if not check.passed] == [BEGUN]
    for day in AFTER:
        (anomaly,) = told[day].anomalies
        assert (anomaly.code, anomaly.since) == (Code.DISTRIBUTION_MOVED, BEGUN)
        assert f"as since {BEGUN}" in told[day].reasons[0]
        assert told[day].figures["continuing"] == 1


def test_what_looks_like_a_fault_is_an_alarm_each_day() -> None:
    converted = checks(lambda values: np.round(values * 0.3048, 4))
    constant = checks(lambda values: np.full_like(values, 40.0))
    missing = checks(lambda values: np.where(np.arange(len(values)) % 4, values, np.nan))
    for told in (converted, constant, missing):
        assert [check.passed for check in told.values()] == [False, False, False]
        assert {anomaly.since for check in told.values() for anomaly in check.anomalies} == {None}


def test_a_report_of_before_there_were_levels_is_read() -> None:
    (anomaly,) = checks(lambda values: np.round(values**1.2))[AFTER[0]].anomalies
    report = AnomalyReport(
        use_case="x",
        source="y",
        batch=AFTER[0],
        schema_version="1",
        rows_read=400,
        rows_quarantined=0,
        anomalies=(anomaly.model_copy(update={"since": None}),),
    )
    without = report.to_bytes().replace(b'   "since": null,\n', b"")
    assert AnomalyReport.model_validate_json(without) == report
    assert report.unusual_columns == {"number"}

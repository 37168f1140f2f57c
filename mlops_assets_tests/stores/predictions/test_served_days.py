"""A day is to be watched when its report would come out otherwise than the one that is published."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mlops_assets.contract.paths import monitoring_path, validated_path
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.tables import parquet_bytes
from mlops_assets.lake.write import Write
from mlops_assets.stores.predictions.collected_files import CollectedFile
from mlops_assets.stores.predictions.prediction_log import prediction_log_of
from mlops_assets.stores.predictions.records import OUTCOMES, lake_rows
from mlops_assets.stores.predictions.served_days import (
    ServedDays,
    has_answers,
    made_of,
    served_days,
    told_outcomes,
    wall_clock,
    watched_until,
)
from mlops_assets.use_cases.income import USE_CASE as INCOME
from mlops_assets.watch.served.report import WatchReport
from mlops_assets_tests.orchestration.toy import PARCELS
from mlops_assets_tests.stores.predictions.answered import make_group, make_record

LOG = "a" * 32
FIRST, SECOND, THIRD = (date(2024, 3, day) for day in (11, 12, 13))
LATER = datetime(2024, 3, 29, 9, 30, tzinfo=UTC)
"""No answer is expected any more."""


def at(day: date, hour: int = 12) -> datetime:
    return datetime.combine(day, time(hour), tzinfo=UTC)


def version_7(moment: datetime, *, place: int = 0) -> str:
    """The id of a prediction that was answered then."""
    millis = f"{int(moment.timestamp() * 1000):012x}"
    return f"{millis[:8]}-{millis[8:]}-7000-8000-{place:012x}"


def publish(lake: Lake, files: dict[str, bytes]) -> None:
    lake.publish(Write(use_case="parcels", asset="prediction_log"), files=files, audit=lambda staged: [])


def answer(lake: Lake, *events: date, first: int = 1, answered: date | None = None) -> None:
    """One collected file with an answer about each of these days."""
    told = [make_record(prediction_id=f"p{event}", event_time=at(event).replace(tzinfo=None)) for event in events]
    group = make_group(told)
    file = CollectedFile(
        folder="parcels/prediction_log/",
        day=answered or events[0],
        log_id=LOG,
        first=first,
        last=first + len(events) - 1,
        events=(min(events), max(events)),
    )
    publish(lake, {file.path: parquet_bytes(lake_rows(group.rows, layout=group.layout, first=first))})


def tell_outcomes(lake: Lake, *ids: str, first: int = 1) -> str:
    """One collected file with an outcome of each of these predictions; its path."""
    rows = [
        {"seq": first + place, "prediction_id": one, "label": 1.0, "known_at": LATER, "recorded_at": LATER}
        for place, one in enumerate(ids)
    ]
    last = first + len(ids) - 1
    file = CollectedFile(folder="parcels/served_outcomes/", day=LATER.date(), log_id=LOG, first=first, last=last)
    publish(lake, {file.path: parquet_bytes(pa.Table.from_pylist(rows, schema=OUTCOMES))})
    return file.path


def land_outcomes(lake: Lake, *, batch: str, minutes: int = 40) -> None:
    """A source with outcomes was taken in; what it says is of no matter here."""
    path = validated_path("parcels", source="parcels", batch=batch)
    publish(lake, {path: parquet_bytes(pa.table({"minutes_late": [minutes]}))})


def watch(lake: Lake, days: Iterable[date], *, now: datetime = LATER) -> None:
    """Publishes a report of each of these days, made of what the lake holds."""
    head, clock = lake.at(), wall_clock(PARCELS, now=now)
    told: dict[str, Any] = {"use_case": "parcels", "version": "v", "versions": {}, "answered": 0, "headline": "Usual."}
    reports = [
        WatchReport(
            **told,
            day=day,
            until=watched_until(day, use_case=PARCELS, clock=clock),
            made_of=made_of(head, use_case=PARCELS, day=day),
        )
        for day in days
    ]
    publish(lake, {monitoring_path("parcels", batch=f"{report.day}"): report.to_json() for report in reports})


def days_of(lake: Lake, folder: Path, *, now: datetime = LATER) -> ServedDays:
    return served_days(lake.at(), use_case=PARCELS, folder=folder, now=now)


def unwatched(lake: Lake, folder: Path, *, now: datetime = LATER) -> list[int]:
    """The days of March that are to be watched."""
    return [day.day for day in days_of(lake, folder, now=now).unwatched]


def test_what_was_answered_is_watched_once(embedded_lake: Lake, tmp_path: Path) -> None:
    assert days_of(embedded_lake, tmp_path) == ServedDays(uncollected=(), unwatched=())
    answer(embedded_lake, FIRST, SECOND)
    assert days_of(embedded_lake, tmp_path) == ServedDays(uncollected=(), unwatched=(FIRST, SECOND))
    assert has_answers(embedded_lake.at(), use_case=PARCELS, event_day=SECOND)
    assert not has_answers(embedded_lake.at(), use_case=PARCELS, event_day=THIRD)

    watch(embedded_lake, [FIRST, SECOND])

    assert unwatched(embedded_lake, tmp_path) == []


def test_more_answers_about_a_day_make_only_its_report_stale(embedded_lake: Lake, tmp_path: Path) -> None:
    answer(embedded_lake, FIRST, SECOND)
    watch(embedded_lake, [FIRST, SECOND])

    answer(embedded_lake, SECOND, first=3, answered=THIRD)

    assert unwatched(embedded_lake, tmp_path) == [12]


def test_outcomes_that_land_make_the_report_of_their_day_stale(embedded_lake: Lake, tmp_path: Path) -> None:
    answer(embedded_lake, FIRST, SECOND)
    watch(embedded_lake, [FIRST, SECOND])

    land_outcomes(embedded_lake, batch=f"{SECOND}")
    land_outcomes(embedded_lake, batch=f"{THIRD}")
    assert unwatched(embedded_lake, tmp_path) == [12]

    watch(embedded_lake, [SECOND])
    assert unwatched(embedded_lake, tmp_path) == []
    land_outcomes(embedded_lake, batch=f"{SECOND}", minutes=5)
    assert unwatched(embedded_lake, tmp_path) == [12]


def test_outcomes_that_callers_tell_are_of_the_days_that_were_answered_then(
    embedded_lake: Lake, tmp_path: Path
) -> None:
    answer(embedded_lake, FIRST)
    answer(embedded_lake, SECOND, THIRD, first=2)
    watch(embedded_lake, [FIRST, SECOND, THIRD])

    path = tell_outcomes(embedded_lake, version_7(at(SECOND)), version_7(at(SECOND), place=1))

    assert unwatched(embedded_lake, tmp_path) == [12, 13]  # the answers about both days were given on the 12th
    told = {day: told_outcomes(embedded_lake.at(), use_case=PARCELS, day=day) for day in (FIRST, SECOND, THIRD)}
    assert told == {FIRST: set(), SECOND: {path}, THIRD: {path}}


def test_outcomes_of_predictions_whose_ids_tell_no_moment_may_be_of_any_day(
    embedded_lake: Lake, tmp_path: Path
) -> None:
    answer(embedded_lake, FIRST)
    answer(embedded_lake, SECOND, first=2)
    watch(embedded_lake, [FIRST, SECOND])

    path = tell_outcomes(embedded_lake, version_7(at(SECOND)), "p7")

    assert unwatched(embedded_lake, tmp_path) == [11, 12]
    assert told_outcomes(embedded_lake.at(), use_case=PARCELS, day=FIRST) == {path}


def test_the_day_that_goes_on_is_watched_again_after_each_full_hour(embedded_lake: Lake, tmp_path: Path) -> None:
    answer(embedded_lake, FIRST)
    watch(embedded_lake, [FIRST], now=at(FIRST, 14) + timedelta(minutes=5))

    assert unwatched(embedded_lake, tmp_path, now=at(FIRST, 14) + timedelta(minutes=59)) == []
    assert unwatched(embedded_lake, tmp_path, now=at(FIRST, 15)) == [11]
    watch(embedded_lake, [FIRST], now=at(FIRST, 23))
    assert unwatched(embedded_lake, tmp_path, now=at(SECOND, 0)) == [11, 12]


@pytest.mark.parametrize(
    ("clock", "until"),
    [
        ("2024-03-10 09:30", "2024-03-11 00:00"),
        ("2024-03-11 09:30", "2024-03-11 09:00"),
        ("2024-03-12 00:00", "2024-03-12 00:00"),
        ("2024-03-29 09:30", "2024-03-12 00:00"),
    ],
)
def test_a_day_is_watched_up_to_its_last_full_hour_or_its_end(clock: str, until: str) -> None:
    moment = datetime.fromisoformat(clock)
    assert watched_until(FIRST, use_case=PARCELS, clock=moment) == datetime.fromisoformat(until)


def test_without_a_time_axis_the_hour_that_goes_on_is_watched_too() -> None:
    moment = datetime.fromisoformat("2024-03-11 09:30")
    assert watched_until(FIRST, use_case=INCOME, clock=moment) == datetime.fromisoformat("2024-03-11 10:00")


def test_days_without_answers_are_watched_for_a_week_after_the_last(embedded_lake: Lake, tmp_path: Path) -> None:
    answer(embedded_lake, FIRST)
    watch(embedded_lake, [FIRST])

    assert unwatched(embedded_lake, tmp_path, now=at(date(2024, 3, 14))) == [12, 13, 14]
    assert unwatched(embedded_lake, tmp_path, now=at(date(2024, 3, 18))) == [*range(12, 19)]
    assert unwatched(embedded_lake, tmp_path, now=at(date(2024, 3, 19))) == []


def test_a_silent_day_is_watched_to_its_end_also_when_answers_come_again(embedded_lake: Lake, tmp_path: Path) -> None:
    answer(embedded_lake, FIRST)
    watch(embedded_lake, [FIRST, SECOND], now=at(SECOND, 23))
    answer(embedded_lake, THIRD, first=2)

    assert unwatched(embedded_lake, tmp_path, now=at(THIRD, 1)) == [12, 13]


def test_no_answer_is_expected_of_a_day_long_after_the_last_one_before_it(embedded_lake: Lake, tmp_path: Path) -> None:
    answer(embedded_lake, date(2024, 3, 1))
    answer(embedded_lake, date(2024, 3, 18), first=2)

    assert unwatched(embedded_lake, tmp_path, now=at(date(2024, 3, 19))) == [1, 18, 19]


def test_days_ahead_wait_until_they_begin(embedded_lake: Lake, tmp_path: Path) -> None:
    answer(embedded_lake, FIRST, THIRD)

    assert unwatched(embedded_lake, tmp_path, now=at(FIRST)) == [11]


def test_a_day_of_which_the_log_holds_more_is_to_be_collected_and_watched(embedded_lake: Lake, tmp_path: Path) -> None:
    answer(embedded_lake, FIRST, SECOND)
    watch(embedded_lake, [FIRST, SECOND])
    with closing(prediction_log_of("parcels", folder=tmp_path)) as log:
        record = make_record(prediction_id="new", event_time=datetime(2024, 3, 12, 8))
        log.append([make_group([record])], timeout=5)

    assert days_of(embedded_lake, tmp_path) == ServedDays(uncollected=(SECOND,), unwatched=(SECOND,))


def test_a_report_of_an_earlier_release_is_no_report(embedded_lake: Lake, tmp_path: Path) -> None:
    answer(embedded_lake, FIRST)
    publish(embedded_lake, {monitoring_path("parcels", batch=f"{FIRST}"): b'{"day": "2024-03-11", "rows": 60}'})

    assert unwatched(embedded_lake, tmp_path, now=at(FIRST, 23)) == [11]

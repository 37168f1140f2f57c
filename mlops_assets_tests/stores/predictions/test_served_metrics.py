"""Reading the figures of some days: all that are of them, once, and nothing of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from mlops_assets.contract.paths import served_metrics_folder, served_truth_path
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import parquet_bytes
from mlops_assets.lake.write import Write
from mlops_assets.stores.predictions.collected_files import CollectedFile
from mlops_assets.stores.predictions.served_metrics import served_metrics, without_figures
from mlops_assets.stores.predictions.service_figures import Counted, service_file
from mlops_assets.watch.served.table import METRICS

LOG = "a" * 32
DAY = date(2026, 1, 2)
EIGHT = datetime(2026, 1, 2, 8)


def figure(hour: datetime = EIGHT, **values: Any) -> dict[str, Any]:
    usual = {"use_case": "toy", "version": "v1", "scope": "overall", "metric": "score", "value": 1.5, "n": 3}
    return {**usual, "hour": hour, **values}


def file_of(first: int, last: int, *, events: tuple[date, date], day: date = DAY) -> str:
    folder = served_metrics_folder("toy")
    return CollectedFile(folder=folder, day=day, log_id=LOG, first=first, last=last, events=events).path


def publish(lake: Lake, files: Mapping[str, Sequence[dict[str, Any]]]) -> Snapshot:
    written = {path: parquet_bytes(pa.Table.from_pylist(list(rows), schema=METRICS)) for path, rows in files.items()}
    lake.publish(Write(use_case="toy", asset="prediction_log"), files=written, audit=lambda staged: [])
    return lake.at()


def test_figures_of_several_files_are_added_by_their_keys(embedded_lake: Lake) -> None:
    head = publish(
        embedded_lake,
        {
            file_of(1, 3, events=(DAY, DAY)): [figure(), figure(scope="depot=AMS")],
            file_of(4, 6, events=(DAY, DAY)): [figure(value=0.5, n=1), figure(version="v2")],
        },
    )

    table = served_metrics(head, use_case="toy", first=DAY, last=DAY)

    assert table.schema == METRICS
    assert [(row["scope"], row["version"], row["value"], row["n"]) for row in table.to_pylist()] == [
        ("depot=AMS", "v1", 1.5, 3),
        ("overall", "v1", 2.0, 4),
        ("overall", "v2", 1.5, 3),
    ]


def test_a_file_about_many_days_gives_only_the_days_that_are_asked_for(embedded_lake: Lake) -> None:
    hours = [datetime(2013, 7, 1, 23), datetime(2013, 7, 2), datetime(2013, 7, 3, 23), datetime(2013, 7, 4)]
    path = file_of(1, 9, events=(date(2013, 7, 1), date(2013, 7, 4)))
    head = publish(embedded_lake, {path: [figure(hour) for hour in hours]})

    table = served_metrics(head, use_case="toy", first=date(2013, 7, 2), last=date(2013, 7, 3))

    assert table["hour"].to_pylist() == hours[1:3]


def test_files_of_other_days_are_not_opened(embedded_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    days = [date(2026, 1, day) for day in range(1, 8)]
    files = {file_of(n, n, events=(day, day), day=day): [figure()] for n, day in enumerate(days, 1)}
    truth = {served_truth_path("toy", batch=day.isoformat()): [figure(metric="rate")] for day in days}
    head = publish(embedded_lake, files | truth)
    opened: list[str] = []
    local = head.local
    monkeypatch.setattr(head, "local", lambda path: (opened.append(path), local(path))[1])

    served_metrics(head, use_case="toy", first=DAY, last=DAY)

    assert opened == [file_of(2, 2, events=(DAY, DAY)), served_truth_path("toy", batch="2026-01-02")]


def test_outcomes_and_the_service_itself_are_part_of_it(embedded_lake: Lake) -> None:
    truth = {served_truth_path("toy", batch="2026-01-02"): [figure(metric="rate")]}
    publish(embedded_lake, {file_of(1, 3, events=(DAY, DAY)): [figure()], **truth})
    counted = Counted(at=EIGHT.replace(tzinfo=UTC), status={"200": 4}, within={"+Inf": 4}, seconds=1, waiting=0)
    file = service_file(embedded_lake.at(), {"http://a": counted}, use_case="toy", now=counted.at)
    assert file is not None
    embedded_lake.publish(Write(use_case="toy", asset="prediction_log"), files=dict([file]), audit=lambda staged: [])

    table = served_metrics(embedded_lake.at(), use_case="toy", first=DAY, last=DAY)

    assert {"score", "rate", "requests", "waiting"} < set(table["metric"].to_pylist())


def test_days_without_answers_are_an_empty_table(embedded_lake: Lake) -> None:
    assert served_metrics(embedded_lake.at(), use_case="toy", first=DAY, last=DAY).equals(METRICS.empty_table())


def test_what_an_earlier_version_collected_is_caught_up_with_from_the_last_day_on_some_at_a_time(
    embedded_lake: Lake,
) -> None:
    days = [date(2026, 1, day) for day in (1, 2, 3)]
    held = {
        f"toy/prediction_log/{day}/{LOG}-{n}-{n + 600_000}.parquet": CollectedFile(
            folder="toy/prediction_log/", day=day, log_id=LOG, first=n, last=n + 600_000
        )
        for n, day in enumerate(days)
    }

    assert without_figures(embedded_lake.at(), held, use_case="toy") == [list(held)[2]]
    path = list(held)[2].replace("prediction_log", "served_metrics")
    assert without_figures(publish(embedded_lake, {path: []}), held, use_case="toy") == [list(held)[1]]

"""The reports on served days are read in order, without those that an earlier release wrote."""

from __future__ import annotations

from datetime import date, timedelta

from mlops_assets.contract.paths import monitoring_path
from mlops_assets.lake.lake import Lake
from mlops_assets.stores.predictions.watch_reports import latest_reports, watch_reports
from mlops_assets_tests.stores.predictions.test_monitoring_view import LAST, make_files, publish


def test_the_reports_between_two_days_and_the_latest_are_read_in_order(embedded_lake: Lake) -> None:
    publish(embedded_lake, make_files(5))
    head = embedded_lake.at()

    between = watch_reports(head, use_case="parcels", first=LAST - timedelta(days=3), last=LAST - timedelta(days=1))

    assert [report.day.day for report in between] == [26, 27, 28]
    assert [report.day.day for report in latest_reports(head, use_case="parcels", days=2)] == [28, 29]


def test_reports_of_an_earlier_release_are_left_out(embedded_lake: Lake) -> None:
    old = {monitoring_path("parcels", batch="2013-09-28"): b'{"day": "2013-09-28", "rows": 60, "cells": []}'}
    publish(embedded_lake, make_files(3) | old)
    head = embedded_lake.at()

    between = watch_reports(head, use_case="parcels", first=date(2013, 9, 1), last=LAST)

    assert [report.day.day for report in between] == [27, 29]
    assert [report.day.day for report in latest_reports(head, use_case="parcels", days=2)] == [29]

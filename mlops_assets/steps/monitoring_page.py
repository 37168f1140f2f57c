"""Writes the page of a use case's monitoring anew: where `mlops dev` shows it, and where its service finds it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.reports.monitoring_page import render
from mlops_assets.stores.pages import monitor_page, served_monitor_page, write_page
from mlops_assets.stores.predictions.monitoring_view import read_view
from mlops_assets.watch.served.view import MonitoringView


def refresh_page(lake: Lake, *, use_case: UseCase, folder: Path, now: datetime) -> Path:
    """The page as things stand at ``now`` in the lake and in ``folder``, the environment's; answers where it is."""
    return write_view(read_view(lake.at(), use_case=use_case, folder=folder), folder=folder, now=now)


def write_view(view: MonitoringView, *, folder: Path, now: datetime) -> Path:
    """The page of ``view``, for `mlops dev` and for the service; answers where the former is."""
    text = render(view, now=now)
    page = monitor_page(folder, use_case=view.use_case)
    for place in (page, served_monitor_page(folder, use_case=view.use_case)):
        write_page(place, text)
    return page

"""What of the service's answers is watched, as declared. Judging them is in ``watch/monitoring.py``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class MonitoringPlan:
    """What a use case watches: ``slices`` are request columns; the rest says when a cell can be judged and
    how strictly.

    ``false_discovery_rate`` is the share of false alarms accepted among the alarms of a day.
    """

    slices: tuple[str, ...] = ()
    minimum_rows: int = 10
    minimum_weeks: int = 3
    minimum_freedom: int = 12
    false_discovery_rate: float = 0.01

"""What of the service's answers is watched, as declared. Judging them is in ``watch/monitoring.py``."""

from __future__ import annotations

from dataclasses import dataclass, field

from mlops_assets.contract.declared_numbers import BETWEEN_ZERO_AND_ONE, ONE_OR_MORE, refuse_numbers
from mlops_assets.contract.drift import DriftPlan


@dataclass(frozen=True, kw_only=True)
class MonitoringPlan:
    """What a use case watches: ``slices`` are request columns; the rest says when a cell can be judged and
    how strictly.

    ``false_discovery_rate`` is the share of false alarms accepted among the alarms of a day. ``inputs`` says how the
    requests of a day are compared with those of the days before.
    """

    slices: tuple[str, ...] = ()
    minimum_rows: int = 10
    minimum_weeks: int = 3
    minimum_freedom: int = 12
    false_discovery_rate: float = 0.01
    inputs: DriftPlan = field(default_factory=DriftPlan)

    def __post_init__(self) -> None:
        refuse_numbers(
            self,
            minimum_rows=ONE_OR_MORE,
            minimum_weeks=ONE_OR_MORE,
            minimum_freedom=ONE_OR_MORE,
            false_discovery_rate=BETWEEN_ZERO_AND_ONE,
        )

"""What of the service's answers is watched, as declared. Judging them is in ``watch/served/``."""

from __future__ import annotations

from dataclasses import dataclass, field

from mlops_assets.contract.declared_numbers import ABOVE_ZERO, ONE_OR_MORE, refuse_numbers
from mlops_assets.contract.drift import DriftPlan


@dataclass(frozen=True, kw_only=True)
class MonitoringPlan:
    """What a use case watches: ``slices`` are request columns, none for those of its declared slices that a request
    has (``UseCase.watched_slices``); the rest says what a figure is compared with, and how strictly.

    A figure is compared with the ``weeks`` before it, of which it needs ``minimum_weeks``, and is made of
    ``minimum_rows`` at least. ``false_alarms_a_month`` is how many may be expected where nothing is wrong. ``inputs``
    says how the requests of a day are compared with those of the days before.
    """

    slices: tuple[str, ...] = ()
    weeks: int = 10
    minimum_weeks: int = 4
    minimum_rows: int = 10
    false_alarms_a_month: float = 0.5
    inputs: DriftPlan = field(default_factory=DriftPlan)

    def __post_init__(self) -> None:
        refuse_numbers(
            self,
            weeks=ONE_OR_MORE,
            minimum_weeks=ONE_OR_MORE,
            minimum_rows=ONE_OR_MORE,
            false_alarms_a_month=ABOVE_ZERO,
        )

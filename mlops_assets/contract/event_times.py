"""When what is asked about may happen: a use case's bounds around the day that its service knows about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from mlops_assets.contract.errors import DeclarationError


@dataclass(frozen=True, kw_only=True)
class EventTimes:
    """How far an event may lie before (``max_age``) and after (``max_ahead``) the day of the history that is looked up,
    or today where there is no history. Whatever lies beyond is refused: nothing true could be answered about it.
    """

    max_age: timedelta = timedelta(days=400)
    max_ahead: timedelta = timedelta(days=400)

    def __post_init__(self) -> None:
        for name, span in (("max_age", self.max_age), ("max_ahead", self.max_ahead)):
            if span < timedelta(0):
                raise DeclarationError(f"EventTimes' {name} is {span}: a time of zero or more is needed.")

    def why_not(self, event: date, *, day: date) -> str | None:
        """What rule an event of that date breaks; None if it may be asked about."""
        if event < day - self.max_age:
            return f"at most {self.max_age.days} days before {day}"
        if event > day + self.max_ahead:
            return f"at most {self.max_ahead.days} days after {day}"
        return None

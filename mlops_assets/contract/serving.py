"""What is declared of a use case's service: what it may be asked about, and what it may cost.

Measuring the cost is in ``steps/rehearse.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mlops_assets.contract.declared_numbers import ABOVE_ZERO, refuse_numbers
from mlops_assets.contract.errors import DeclarationError


@dataclass(frozen=True, kw_only=True)
class ServiceBudget:
    """What a Bento must keep within before it may become champion.

    ``milliseconds`` bounds the median time of a request of one row from this machine, asked one after the other;
    ``megabytes`` the memory of the supervisor and one worker after that. The defaults leave a busy machine room.
    """

    milliseconds: float = 250.0
    megabytes: float = 1000.0

    def __post_init__(self) -> None:
        refuse_numbers(self, milliseconds=ABOVE_ZERO, megabytes=ABOVE_ZERO)


@dataclass(frozen=True, kw_only=True)
class EventTimes:
    """How far an event may lie before (``max_age``) and after (``max_ahead``) the day of the history that is looked up,
    or today where there is no history. Whatever lies beyond is refused: nothing true could be answered about it.
    ``time_zone`` (IANA) is that of the clock that events are told by: watching goes by it to know which hours are over.
    """

    max_age: timedelta = timedelta(days=400)
    max_ahead: timedelta = timedelta(days=400)
    time_zone: str = "UTC"

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.time_zone)
        except (ValueError, ZoneInfoNotFoundError):
            raise DeclarationError(
                f"EventTimes' time_zone is '{self.time_zone}': an IANA name such as Europe/Berlin is needed."
            ) from None
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

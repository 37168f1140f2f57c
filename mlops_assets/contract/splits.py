"""Which rows a model learns from, which stop its training and which judge it, as declared.

Splitting is in ``training/splitting.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlops_assets.contract.declared_numbers import (
    BETWEEN_ZERO_AND_ONE,
    ONE_OR_MORE,
    ZERO_OR_MORE,
    refuse_numbers,
)
from mlops_assets.contract.errors import DeclarationError


@dataclass(frozen=True, kw_only=True)
class TimeSplit:
    """The last ``test_days`` days are the test window, the ``validation_days`` before it stop training early.

    ``gap_days`` is as long as outcomes take to arrive: that many days before validation and before test are
    left out, because on the first day of a window those labels were not known yet.
    """

    test_days: int
    validation_days: int
    gap_days: int = 0

    def __post_init__(self) -> None:
        refuse_numbers(self, test_days=ONE_OR_MORE, validation_days=ONE_OR_MORE, gap_days=ZERO_OR_MORE)


@dataclass(frozen=True, kw_only=True)
class TimeShares:
    """A ``TimeSplit`` in proportion to the days there are, from the first to the last: the last ``test_share`` of them
    are the test window, ``validation_share`` of them lie before it. Each window has one day at least.
    """

    test_share: float = 0.2
    validation_share: float = 0.15
    gap_days: int = 0

    def __post_init__(self) -> None:
        refuse_numbers(
            self, test_share=BETWEEN_ZERO_AND_ONE, validation_share=BETWEEN_ZERO_AND_ONE, gap_days=ZERO_OR_MORE
        )
        _refuse_nothing_left(self)

    def of_days(self, days: int) -> TimeSplit:
        """The windows of so many days."""
        test, validation = (max(round(share * days), 1) for share in (self.test_share, self.validation_share))
        return TimeSplit(test_days=test, validation_days=validation, gap_days=self.gap_days)


@dataclass(frozen=True, kw_only=True)
class HashSplit:
    """A stable hash of the column ``key`` says where a row belongs: for use cases without a time axis.

    Rows with the same value of ``key`` are always in the same part: give the row's ``id``, or the entity whose rows
    must stay together. A row never changes its part when others come or go. The shares are those of the values.
    """

    key: str
    test_share: float
    validation_share: float

    def __post_init__(self) -> None:
        refuse_numbers(self, test_share=BETWEEN_ZERO_AND_ONE, validation_share=BETWEEN_ZERO_AND_ONE)
        _refuse_nothing_left(self)


@dataclass(frozen=True, kw_only=True)
class RollingOrigin:
    """``windows`` test windows, the last at the end of the data, each ``step_days`` before the next."""

    windows: int
    step_days: int

    def __post_init__(self) -> None:
        refuse_numbers(self, windows=ONE_OR_MORE, step_days=ONE_OR_MORE)


def _refuse_nothing_left(split: TimeShares | HashSplit) -> None:
    if split.test_share + split.validation_share >= 1:
        kind = type(split).__name__
        raise DeclarationError(f"A {kind} needs shares that leave rows to train on, not {split}.")


AnySplit = TimeSplit | TimeShares | HashSplit

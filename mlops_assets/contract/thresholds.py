"""Where a score becomes a decision, as declared. The threshold is chosen in ``training/thresholds.py``."""

from __future__ import annotations

from dataclasses import dataclass

from mlops_assets.contract.declared_numbers import ABOVE_ZERO, BETWEEN_ZERO_AND_ONE, refuse_numbers


@dataclass(frozen=True, kw_only=True)
class PositiveShare:
    """As many rows are decided positive as a ``share`` of all; ``None`` means as many as there are real
    positives.
    """

    share: float | None = None

    def __post_init__(self) -> None:
        refuse_numbers(self, share=BETWEEN_ZERO_AND_ONE)


@dataclass(frozen=True, kw_only=True)
class CostMatrix:
    """The threshold with the lowest cost of deciding positive for a real negative, and the other way round."""

    false_positive: float
    false_negative: float

    def __post_init__(self) -> None:
        refuse_numbers(self, false_positive=ABOVE_ZERO, false_negative=ABOVE_ZERO)


@dataclass(frozen=True, kw_only=True)
class TargetPrecision:
    """The lowest threshold whose precision is at least ``precision``: as many positives as that allows."""

    precision: float

    def __post_init__(self) -> None:
        refuse_numbers(self, precision=BETWEEN_ZERO_AND_ONE)


@dataclass(frozen=True, kw_only=True)
class TargetRecall:
    """The highest threshold whose recall is at least ``recall``: as few false positives as that allows."""

    recall: float

    def __post_init__(self) -> None:
        refuse_numbers(self, recall=BETWEEN_ZERO_AND_ONE)


ThresholdRule = PositiveShare | CostMatrix | TargetPrecision | TargetRecall

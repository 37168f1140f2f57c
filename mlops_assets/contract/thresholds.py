"""Where a score becomes a decision, as declared. The threshold is chosen in ``training/thresholds.py``."""

from __future__ import annotations

from dataclasses import dataclass

from mlops_assets.contract.errors import DeclarationError


@dataclass(frozen=True, kw_only=True)
class PositiveShare:
    """As many rows are decided positive as a ``share`` of all; ``None`` means as many as there are real
    positives.
    """

    share: float | None = None

    def __post_init__(self) -> None:
        if self.share is not None and not 0 < self.share < 1:
            raise DeclarationError(f"A PositiveShare is between 0 and 1, not {self.share}.")


@dataclass(frozen=True, kw_only=True)
class CostMatrix:
    """The threshold with the lowest cost of deciding positive for a real negative, and the other way round."""

    false_positive: float
    false_negative: float

    def __post_init__(self) -> None:
        if self.false_positive <= 0 or self.false_negative <= 0:
            raise DeclarationError(f"Both costs of a CostMatrix are above 0, not {self}.")


@dataclass(frozen=True, kw_only=True)
class TargetPrecision:
    """The lowest threshold whose precision is at least ``precision``: as many positives as that allows."""

    precision: float

    def __post_init__(self) -> None:
        if not 0 < self.precision < 1:
            raise DeclarationError(f"A TargetPrecision is between 0 and 1, not {self.precision}.")


@dataclass(frozen=True, kw_only=True)
class TargetRecall:
    """The highest threshold whose recall is at least ``recall``: as few false positives as that allows."""

    recall: float

    def __post_init__(self) -> None:
        if not 0 < self.recall < 1:
            raise DeclarationError(f"A TargetRecall is between 0 and 1, not {self.recall}.")


ThresholdRule = PositiveShare | CostMatrix | TargetPrecision | TargetRecall

"""What a use case declares to have its hyperparameters tuned: which, within what bounds, and how long to search.

The search itself is in ``tuning.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from mlops_assets.contract.declared_numbers import ABOVE_ZERO, ONE_OR_MORE, refuse_numbers
from mlops_assets.contract.errors import DeclarationError

Value = float | int | str


@dataclass(frozen=True, kw_only=True)
class Between:
    """Any number from ``low`` to ``high``; ``log`` looks as much between 0.01 and 0.1 as between 0.1 and 1."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        _refuse_empty(self)

    def holds(self, value: object) -> bool:
        """Whether the value is one of these."""
        return isinstance(value, int | float) and self.low <= value <= self.high


@dataclass(frozen=True, kw_only=True)
class WholeBetween:
    """Any whole number from ``low`` to ``high``, both included."""

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        _refuse_empty(self)

    def holds(self, value: object) -> bool:
        """Whether the value is one of these."""
        return isinstance(value, int) and self.low <= value <= self.high


@dataclass(frozen=True, kw_only=True)
class OneOf:
    """One of these values, which have no order."""

    values: tuple[Value, ...]

    def holds(self, value: object) -> bool:
        """Whether the value is one of these."""
        return value in self.values


Range = Between | WholeBetween | OneOf


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """Which hyperparameters of the recipe are tuned, by cross-validation over ``folds`` inside the training window.

    The search ends when ``trials`` were tried, or one run has searched for ``seconds``, whichever is first.
    """

    space: Mapping[str, Range]
    trials: int | None = 40
    seconds: float | None = None
    folds: int = 3

    def __post_init__(self) -> None:
        if not self.space:
            raise DeclarationError("A Tuning needs at least one hyperparameter in its space.")
        if self.trials is None and self.seconds is None:
            raise DeclarationError("A Tuning needs a budget: trials, seconds or both.")
        refuse_numbers(self, trials=ONE_OR_MORE, seconds=ABOVE_ZERO, folds=ONE_OR_MORE)

    def refuse_outside(self, declared: Mapping[str, Value]) -> None:
        """Raises DeclarationError unless the declared recipe lies in the space: it is what the search starts from."""
        for name, bounds in self.space.items():
            if name not in declared or not bounds.holds(declared[name]):
                found = declared.get(name, "nothing")
                raise DeclarationError(
                    f"Tuning '{name}' from {bounds}: the recipe declares {found}, which is not in it."
                )

    def described(self) -> dict[str, dict[str, object]]:
        """The space as JSON tells it."""
        return {name: {"kind": type(bounds).__name__, **asdict(bounds)} for name, bounds in self.space.items()}


def _refuse_empty(bounds: Between | WholeBetween) -> None:
    refuse_numbers(bounds)
    if bounds.low >= bounds.high or (bounds.log and bounds.low <= 0):
        raise DeclarationError(f"{bounds} has no values: low must be below high, and above 0 on a log scale.")

"""What a use case declares to be learnt from its training rows besides the model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlops_assets.contract.declared_numbers import MORE_THAN_ONE, refuse_numbers
from mlops_assets.contract.features import Feature


@dataclass(frozen=True, kw_only=True)
class LearntTable:
    """A statistic: ``sql`` reads the one relation ``training`` (the declared features and ``label``) and yields the
    rows to remember, as VARCHAR, BIGINT or DOUBLE.
    """

    name: str
    sql: Path


@dataclass(frozen=True, kw_only=True)
class Learning:
    """What a use case learns from its training rows besides the model.

    ``sql`` reads ``examples`` (``id`` and the declared features) and the ``tables`` by their names, and yields ``id``
    and ``features``, which are numeric and come after the declared ones in the model's matrix. Rows are in one of
    ``folds`` by their id.
    """

    tables: tuple[LearntTable, ...]
    sql: Path
    features: tuple[Feature, ...]
    folds: int = 5

    def __post_init__(self) -> None:
        refuse_numbers(self, folds=MORE_THAN_ONE)

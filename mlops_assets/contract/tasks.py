"""What a model is asked for: one of two outcomes, one of several classes, or a number; with its standard objective.

A task also says which figures tell most of it (``headline``, and ``by_slice``, higher is better first), and what is
answered for a score. What is computed for each task is in ``statistics/metrics.py``,
and how in ``statistics/figures.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_assets.contract.declared_numbers import BETWEEN_ZERO_AND_ONE, refuse_numbers
from mlops_assets.contract.errors import DeclarationError


@dataclass(frozen=True, kw_only=True)
class Binary:
    """The label is 0 or 1, the score the probability of 1."""

    headline: ClassVar = ("roc_auc_score", "brier_loss")
    by_slice: ClassVar = ("roc_auc_score", "log_loss")

    @property
    def objective(self) -> Mapping[str, float | int | str]:
        """XGBoost's parameters of this task."""
        return {"objective": "binary:logistic", "eval_metric": "logloss"}


@dataclass(frozen=True, kw_only=True)
class Multiclass:
    """The label is the place of a class in ``classes``, a row's score one probability for each."""

    classes: tuple[str, ...]
    headline: ClassVar = ("accuracy_score", "log_loss")
    by_slice: ClassVar = ("accuracy_score", "log_loss")

    def __post_init__(self) -> None:
        if len(set(self.classes)) != len(self.classes) or len(self.classes) < 3:
            raise DeclarationError(f"A Multiclass task needs at least three different classes, not {self.classes}.")

    @property
    def objective(self) -> Mapping[str, float | int | str]:
        """XGBoost's parameters of this task."""
        return {"objective": "multi:softprob", "eval_metric": "mlogloss", "num_class": len(self.classes)}


@dataclass(frozen=True, kw_only=True)
class Regression:
    """The label is a number; with a ``quantile`` the score is that quantile of it, else its mean."""

    quantile: float | None = None
    headline: ClassVar = ("r2_score", "root_mean_squared_error")
    by_slice: ClassVar = ("r2_score", "root_mean_squared_error")

    def __post_init__(self) -> None:
        refuse_numbers(self, quantile=BETWEEN_ZERO_AND_ONE)

    @property
    def objective(self) -> Mapping[str, float | int | str]:
        """XGBoost's parameters of this task."""
        if self.quantile is None:
            return {"objective": "reg:squarederror", "eval_metric": "rmse"}
        return {"objective": "reg:quantileerror", "eval_metric": "quantile", "quantile_alpha": self.quantile}


Task = Binary | Multiclass | Regression
"""``Binary`` is what a use case has that declares nothing else."""
BINARY = Binary()


def answers(scores: NDArray[np.float64], *, task: Task, threshold: float) -> dict[str, pa.Array]:
    """What is answered for each row, as columns: ``score`` and what it decides.

    For two outcomes ``predicted_positive``, from ``threshold`` on; for classes the most probable one as ``predicted``,
    with its probability as the score; for a number nothing but the number.
    """
    if isinstance(task, Multiclass):
        likely = scores.reshape(-1, len(task.classes))
        words = np.array(task.classes, dtype=object)[likely.argmax(axis=1)]
        return {"score": pa.array(likely.max(axis=1)), "predicted": pa.array(words, pa.string())}
    if isinstance(task, Regression):
        return {"score": pa.array(scores)}
    return {"score": pa.array(scores), "predicted_positive": pa.array(scores >= threshold)}


def by_class(scores: NDArray[np.float64], *, task: Task) -> list[dict[str, float] | None]:
    """The probability of each class by its name, for each row; ``None`` where the task has no classes."""
    if not isinstance(task, Multiclass):
        return [None] * len(scores)
    return [dict(zip(task.classes, row, strict=True)) for row in scores.reshape(-1, len(task.classes)).tolist()]


def two_outcomes(labels: NDArray[np.float64], *, task: Task) -> NDArray[np.float64]:
    """Labels of any task as 0 and 1, for audits that know only two outcomes.

    The most frequent class against the rest; a number above its median against the rest, or its largest if half of the
    rows have that.
    """
    if isinstance(task, Binary) or not len(labels):
        return labels
    if isinstance(task, Multiclass):
        most = np.bincount(labels.astype(np.int64)).argmax()
        return np.asarray(labels == most, dtype=np.float64)
    above = labels > np.median(labels)
    return np.asarray(above if above.any() else labels == labels.max(), dtype=np.float64)

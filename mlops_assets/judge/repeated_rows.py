"""Test rows that were learnt from: rows with the same features in both parts, which make a figure better than it is.

A split that tears copies of a row apart asks the model what it was told. Where features have few values other rows
coincide by nature, which is no fault. Labels tell them apart: those of rows that coincide are drawn anew, so that they
agree as often as the scores p foretell, sum(p²) over the outcomes; those of copies always agree. So from one test row
in a hundred on it warns if labels surely agree more often than that (95 %, a mean of paired differences), of numbers if
most are the same; with the figures of the other test rows beside. A model that learnt its rows by heart foretells more
agreement: then the check errs on the side of silence, and the share is told all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_assets.contract.arrays import Floats
from mlops_assets.contract.checks import CheckResult, Figure
from mlops_assets.contract.severity import Severity
from mlops_assets.contract.tasks import Regression, Task
from mlops_assets.judge.estimate import Estimate
from mlops_assets.judge.intervals import quantile

NOT_LEARNT = "test_rows_were_not_learnt_from"
MOST = 0.01
"""Which share of the test rows may be in training as well."""


@dataclass(frozen=True, kw_only=True)
class Repeated:
    """Of ``rows`` test rows, how many are ``in_training`` with the same features; ``alike`` with the same label, and
    ``contradicted`` with another. ``agreement`` is how often labels are the same, ``foretold`` how often they would be
    if drawn anew, ``copies`` whether they surely are no coincidence. ``others`` are the model's figures on the test
    rows that are not there.
    """

    rows: int
    in_training: int
    alike: int
    contradicted: int
    agreement: float | None = None
    foretold: float | None = None
    copies: bool = False
    others: Mapping[str, Estimate] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """Of the test rows."""
        return self.in_training / self.rows

    def told(self) -> str:
        """As a sentence."""
        return (
            f"{self.in_training:,} of {self.rows:,} test rows ({self.share:.1%}) have the same features as rows that "
            f"were learnt from: {self.alike:,} of them with the same label, {self.contradicted:,} with another"
        )


def repeated_rows(
    view: pa.Table,
    *,
    learnt: NDArray[np.int64],
    tested: NDArray[np.int64],
    features: Sequence[str],
    scores: Floats,
    task: Task,
) -> tuple[Repeated, NDArray[np.bool_]]:
    """Which rows ``tested`` have all ``features`` of rows ``learnt``; both are places in ``view``, which has a
    ``label``. A missing value equals a missing value. ``scores`` are of the rows tested.
    """
    alone, labelled = _keys(view, features), _keys(view, [*features, "label"])
    twins, alike = np.isin(alone[tested], alone[learnt]), np.isin(labelled[tested], labelled[learnt])
    of_features, of_both = _counted(alone[learnt], alone[tested]), _counted(labelled[learnt], labelled[tested])
    counts = (int(each.sum()) for each in (twins, alike, of_features > of_both))
    in_training, same, other = counts
    told: dict[str, Any] = {}
    if in_training:
        told = _agreement(of_both[twins] / of_features[twins], scores[twins], task=task)
    return Repeated(rows=len(tested), in_training=in_training, alike=same, contradicted=other, **told), twins


def _agreement(agreed: Floats, scores: Floats, *, task: Task) -> dict[str, Any]:
    """``agreed`` is the share of each row's twins that have its label."""
    found = float(agreed.mean())
    if isinstance(task, Regression):
        return {"agreement": found, "copies": found > 1 / 2}
    foretold = np.square(scores).sum(axis=1) if scores.ndim == 2 else np.square(scores) + np.square(1 - scores)
    more, rows = agreed - foretold, len(agreed)
    error = float(more.std(ddof=1)) / rows**0.5 if rows > 1 else np.inf
    surely = float(more.mean()) > float(quantile(np.array([rows - 1]))[0]) * error
    return {"agreement": found, "foretold": float(foretold.mean()), "copies": bool(surely)}


def _keys(view: pa.Table, columns: Sequence[str]) -> NDArray[np.uint64]:
    """64 bits per row, the same where all columns are: of a billion pairs of rows one in 18 billion is so by chance."""
    from pandas.util import hash_pandas_object

    return np.asarray(hash_pandas_object(view.select(list(columns)).to_pandas(), index=False), dtype=np.uint64)


def _counted(keys: NDArray[np.uint64], asked: NDArray[np.uint64]) -> NDArray[np.int64]:
    """How often each of ``asked`` is among ``keys``."""
    ordered = np.sort(keys)
    return np.searchsorted(ordered, asked, side="right") - np.searchsorted(ordered, asked, side="left")


def audit_repeated(found: Repeated | None, *, model: Mapping[str, Estimate], shown: str) -> CheckResult:
    """``NOT_LEARNT``, as a check that warns. ``model`` are the figures on all test rows, of which one is ``shown``."""
    if found is None:
        return CheckResult(name=NOT_LEARNT, passed=True, figures={"insufficient_data": "judged before it was counted"})
    figures: dict[str, Figure] = {
        "rows": found.rows,
        "in_training": found.in_training,
        "same_label": found.alike,
        "other_label": found.contradicted,
        "share": found.share,
    }
    if found.agreement is not None:
        figures["labels_agree"] = found.agreement
    if found.foretold is not None:
        figures["labels_agree_if_drawn_anew"] = found.foretold
    told = [f"{found.told()}. Drop repeated rows, or split by what they share (HashSplit(key=…))."]
    other, whole = found.others.get(shown), model.get(shown)
    if other is not None and whole is not None and other.value is not None and whole.value is not None:
        figures[f"{shown}_of_others"] = other.value
        told.append(f"On the other test rows {shown} is {other.value:.4f}, on all {whole.value:.4f}.")
    passed = found.share < MOST or not found.copies
    return CheckResult(
        name=NOT_LEARNT, passed=passed, severity=Severity.WARN, figures=figures, reasons=() if passed else tuple(told)
    )

"""Guards against leakage: request SQL that reads what is only known later, and features that know the label.

Both judge; what they judge is made elsewhere. That features do not move when later data is deleted is shown by
computing them twice, beside the training view itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.contract.arrays import Floats
from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.errors import FeatureError
from mlops_assets.contract.features import Feature
from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.lineage import EXAMPLES, attached_columns, columns_read, yielded_by
from mlops_assets.features.requests import request_schema
from mlops_assets.features.training_view import HIDDEN
from mlops_assets.judge.families import Grouped, Rows, roc_auc
from mlops_assets.judge.influences import delong_influences
from mlops_assets.judge.intervals import area_bounds

REQUEST_ONLY = "request_sql_reads_what_a_request_has"
NOT_TOO_GOOD = "no_feature_alone_tells_the_label"
MOST_ROWS = 40_000
"""How many rows, evenly spaced, single features are judged on: their interval says what that leaves unsure."""


def audit_request_sql(use_case: UseCase) -> CheckResult:
    """``REQUEST_ONLY``: ``features.sql`` and the features taken as they stand read only what a request will have.

    That is the request's own columns, ``id``, ``event_time``, history and side data: never the label, when the outcome
    became known, or another column that only past examples have. Found by parsing.
    """
    served = {"id", "event_time", *request_schema(use_case.request).names, *attached_columns(use_case)} - set(HIDDEN)
    try:
        read = columns_read(use_case.features_sql, relation=EXAMPLES, columns=served)
    except FeatureError as error:
        return CheckResult(name=REQUEST_ONLY, passed=False, reasons=(str(error),))
    computed = {name.lower() for name in yielded_by(use_case.features_sql)}
    taken = {feature.name.lower() for feature in use_case.features} - computed
    wrong = sorted((read | taken) - {name.lower() for name in served})
    reader = f"'{use_case.features_sql.name}' reads"
    reasons = tuple(
        f"{reader if name in read else 'The declared features take'} '{name}', {_why(name, use_case=use_case)}."
        for name in wrong
    )
    return CheckResult(
        name=REQUEST_ONLY, passed=not wrong, figures={"columns_read": len(read | taken)}, reasons=reasons
    )


def audit_single_features(view: pa.Table, *, labels: Floats, features: Sequence[Feature], limit: float) -> CheckResult:
    """``NOT_TOO_GOOD``: no feature's own area under the ROC curve, whichever way round, is surely above ``limit``.

    Surely: the lower end of its 95 % interval (DeLong) is. ``labels`` are 0 and 1, one per row of ``view``; where they
    are all the same nothing can be judged, and the check fails.
    """
    every = max(-(-len(labels) // MOST_ROWS), 1)
    view, labels = view.take(np.arange(0, len(labels), every)), labels[::every]
    if not 0 < labels.sum() < len(labels):
        return CheckResult(name=NOT_TOO_GOOD, passed=False, reasons=("There is one outcome only: nothing to judge.",))
    ranked = [(feature.name, *ranked_by(view, feature=feature, labels=labels)) for feature in features]
    ranked.sort(key=lambda each: (-each[1], each[0]))
    suspects = [(name, area, _lower_bound(values, labels=labels)) for name, area, values in ranked if area > limit]
    found = [suspect for suspect in suspects if suspect[2] > limit]
    strongest, best, _ = ranked[0]
    return CheckResult(
        name=NOT_TOO_GOOD,
        passed=not found,
        figures={
            "limit": limit,
            "rows": len(labels),
            "features": len(ranked),
            "strongest": strongest,
            "strongest_roc_auc": best,
        },
        reasons=tuple(
            f"'{name}' alone ranks the label with a ROC AUC of {area:.4f} (at least {lower:.4f}, up to {limit:g} is "
            "allowed): is it known at the moment of prediction?"
            for name, area, lower in found
        ),
    )


def ranked_by(view: pa.Table, *, feature: Feature, labels: Floats) -> tuple[float, Floats]:
    """The area under the ROC curve of one feature alone, at least 0.5, and the values that rank the rows so.

    Missing values rank together, below or above all others, and the order is turned round, as it separates the outcomes
    best. Categories rank by their share of positives among the other half of the rows, so that rare ones do not look
    telling by chance.
    """
    if feature.kind == "categorical":
        values = _shares_elsewhere(view.column(feature.name), labels=labels)
    else:
        values = np.asarray(pc.cast(view.column(feature.name), pa.float64()).to_numpy(), dtype=np.float64)
    missing, positive = np.isnan(values), labels == 1
    beaten = _pairs_won(values[~missing & positive], over=values[~missing & ~positive])
    positives, negatives = positive.sum(), (~positive).sum()
    lost_positives, lost_negatives = (missing & positive).sum(), (missing & ~positive).sum()
    ties = lost_positives * lost_negatives / 2
    below = (beaten + (positives - lost_positives) * lost_negatives + ties) / (positives * negatives)
    above = (beaten + lost_positives * (negatives - lost_negatives) + ties) / (positives * negatives)
    area, sign, fill = max((below, 1, -np.inf), (1 - below, -1, -np.inf), (above, 1, np.inf), (1 - above, -1, np.inf))
    return float(area), sign * np.where(missing, fill, values)


def _pairs_won(positives: Floats, *, over: Floats) -> float:
    """Pairs in which the positive is larger, ties counted half (Mann & Whitney 1947)."""
    negatives, wanted = np.sort(over), np.sort(positives)
    smaller = np.searchsorted(negatives, wanted, side="left").sum()
    return float(smaller + np.searchsorted(negatives, wanted, side="right").sum()) / 2


def _shares_elsewhere(column: pa.ChunkedArray, *, labels: Floats) -> Floats:
    """Per row the share of positives of its category in the other half of the rows; even and odd rows are the halves.

    NaN for categories that the other half does not have. A missing value is a category too.
    """
    coded = pc.dictionary_encode(column.combine_chunks(), null_encoding="encode")
    codes = np.asarray(coded.indices, dtype=np.int64)
    shares = np.empty(len(codes))
    for half in (0, 1):
        known, seen = codes[1 - half :: 2], labels[1 - half :: 2]
        count = np.bincount(known, minlength=len(coded.dictionary))
        with np.errstate(invalid="ignore"):
            share = np.bincount(known, weights=seen, minlength=len(coded.dictionary)) / count
        shares[half::2] = share[codes[half::2]]
    return shares


def _lower_bound(values: Floats, *, labels: Floats) -> float:
    """The lower end of the 95 % interval of the area under the ROC curve that ``values`` give."""
    order = np.argsort(values, kind="stable")
    ones = np.ones(len(order))
    rows = Rows(labels=labels[order], scores=values[order], weights=ones, units=np.arange(len(order)))
    grouped = Grouped(rows, codes=np.zeros(len(order), dtype=np.int32), segments=1)
    area = roc_auc(grouped)
    fewer = np.minimum(grouped.positive_counts, grouped.counts - grouped.positive_counts)
    moves = delong_influences(grouped, components=grouped.beaten, area=area)
    return float(area_bounds(area, moves=moves, cases=fewer, method="DeLong").lower[0])


def _why(name: str, *, use_case: UseCase) -> str:
    if name in HIDDEN:
        return "which is known after the moment of prediction"
    of_examples = {each.lower() for each in yielded_by(use_case.examples_sql)}
    return "which no request has" if name in of_examples else "which neither a request nor history nor side data has"

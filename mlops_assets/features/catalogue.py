"""What there is to know of every feature: its declaration, where it comes from, what its values look like, its weight.

Here belong the profile of a training view's columns and putting a catalogue together from what others read. Reading it
from the lake is in ``stores/models/feature_catalogue.py``, the page in ``reports/feature_catalogue.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from mlops_assets.contract.features import Feature
from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.lineage import SourceColumn, attached_columns, feature_lineage

LEARNT = "training rows"
BINS = 24
TOP_CATEGORIES = 8
MOST_ROWS = 50_000
"""How many rows, evenly spaced, a distribution is drawn from. Missing shares are of all rows."""


class FeatureProfile(BaseModel):
    """The values of one feature in a training view.

    ``shares`` are of the values that are not missing: per bin between ``edges`` (one more than bins, from the 1st to
    the 99th percentile; what lies beyond counts in the outer bins; few whole numbers have a bin each), or per category
    of ``categories``, the most frequent first, of ``distinct`` in all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    missing_share: float
    shares: tuple[float, ...] = ()
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    distinct: int | None = None


class ViewProfile(BaseModel):
    """All features of one training view: how many ``rows`` it has and ``through`` which batch it goes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int
    through: str
    features: dict[str, FeatureProfile]


class Entry(BaseModel):
    """One feature as a reader wants to know it.

    ``made_by`` is the history or as-of view that gives it, ``request``, or ``LEARNT`` for statistics frozen with the
    model version; ``known_through`` the last batch that can have moved it, if it is of a view. ``importance`` is its
    share of the total gain of the champion's splits. ``lineage`` names source columns as ``source.column``.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    kind: Literal["numeric", "categorical"]
    description: str
    owner: str
    default: float | str | None
    made_by: str
    known_through: str | None
    importance: float | None
    profile: FeatureProfile | None
    lineage: tuple[str, ...]


class Catalogue(BaseModel):
    """Every feature of a use case, in the order of declaration. ``champion`` is the version of the importances."""

    model_config = ConfigDict(frozen=True)

    use_case: str
    title: str
    commit: str
    rows: int | None
    through: str | None
    champion: str | None
    entries: tuple[Entry, ...]


def profile_view(view: pa.Table, *, features: Sequence[Feature], through: str) -> ViewProfile:
    """The distribution of every declared feature in ``view``."""
    return ViewProfile(rows=view.num_rows, through=through, features=profile_features(view, features=features))


def profile_features(rows: pa.Table, *, features: Sequence[Feature]) -> dict[str, FeatureProfile]:
    """The distribution of each of ``features``, columns of ``rows``."""
    sample = evenly_spaced(rows)
    profiles = {}
    for feature in features:
        missing = rows.column(feature.name).null_count / max(rows.num_rows, 1)
        make = _categories if feature.kind == "categorical" else _histogram
        profiles[feature.name] = make(sample.column(feature.name), missing_share=missing)
    return profiles


def evenly_spaced(rows: pa.Table) -> pa.Table:
    """``MOST_ROWS`` of ``rows`` at most."""
    every = max(-(-rows.num_rows // MOST_ROWS), 1)
    return rows.take(np.arange(0, rows.num_rows, every))


def catalogue(
    use_case: UseCase,
    *,
    commit: str,
    profile: ViewProfile | None,
    champion: str | None,
    gains: Mapping[str, float],
    known_through: Mapping[str, str],
    learnt_profiles: Mapping[str, FeatureProfile],
) -> Catalogue:
    """The catalogue from what was read: ``gains`` are the champion's by feature, ``known_through`` by view.

    ``profile`` is of the declared features, ``learnt_profiles`` are of those that the champion learnt.
    """
    lineage = feature_lineage(use_case)
    learnt = use_case.learning.features if use_case.learning else ()
    profiles = {**(profile.features if profile else {}), **learnt_profiles}
    total = sum(gains.values())
    entries = tuple(
        _entry(
            feature,
            made_by=made_by,
            known_through=known_through.get(made_by),
            importance=gains.get(feature.name, 0.0) / total if total else None,
            profile=profiles.get(feature.name),
            lineage=lineage.get(feature.name, ()),
        )
        for feature, made_by in [
            *zip(use_case.features, _makers(use_case), strict=True),
            *((feature, LEARNT) for feature in learnt),
        ]
    )
    return Catalogue(
        use_case=use_case.name,
        title=use_case.title,
        commit=commit,
        rows=profile.rows if profile else None,
        through=profile.through if profile else None,
        champion=champion,
        entries=entries,
    )


def _makers(use_case: UseCase) -> list[str]:
    """For every feature the view whose column it is, or ``request``."""
    attached = set(attached_columns(use_case))
    return [feature.name.split("__", 1)[0] if feature.name in attached else "request" for feature in use_case.features]


def _entry(
    feature: Feature,
    *,
    made_by: str,
    known_through: str | None,
    importance: float | None,
    profile: FeatureProfile | None,
    lineage: Sequence[SourceColumn],
) -> Entry:
    return Entry(
        name=feature.name,
        kind=feature.kind,
        description=feature.description,
        owner=feature.owner,
        default=feature.unknown,
        made_by=made_by,
        known_through=known_through,
        importance=importance,
        profile=profile,
        lineage=tuple(f"{origin.source}.{origin.column}" for origin in lineage),
    )


def _histogram(column: pa.ChunkedArray, *, missing_share: float) -> FeatureProfile:
    values = np.asarray(pc.cast(column.drop_null(), pa.float64()).to_numpy(), dtype=np.float64)
    if not len(values):
        return FeatureProfile(missing_share=missing_share)
    lowest, highest = np.quantile(values, (0.01, 0.99)).tolist()
    if pa.types.is_integer(column.type) and highest - lowest < BINS:
        edges = np.arange(math.floor(lowest), math.ceil(highest) + 2, dtype=np.float64)  # a bin per whole number
    else:
        edges = np.linspace(lowest, highest, BINS + 1) if highest > lowest else np.array([lowest, lowest])
    counts = np.bincount(np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2))
    shares = np.zeros(len(edges) - 1)
    shares[: len(counts)] = counts / len(values)
    return FeatureProfile(
        missing_share=missing_share,
        shares=tuple(round(share, 6) for share in shares.tolist()),
        edges=tuple(float(f"{edge:.6g}") for edge in edges.tolist()),
    )


def _categories(column: pa.ChunkedArray, *, missing_share: float) -> FeatureProfile:
    counted = pc.value_counts(pc.cast(column.drop_null(), pa.string())).to_pylist()
    counted.sort(key=lambda each: (-each["counts"], each["values"]))
    present, top = len(column) - column.null_count, counted[:TOP_CATEGORIES]
    return FeatureProfile(
        missing_share=missing_share,
        categories=tuple(each["values"] for each in top),
        shares=tuple(round(each["counts"] / present, 6) for each in top),
        distinct=len(counted),
    )

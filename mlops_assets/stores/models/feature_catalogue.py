"""The catalogue of a use case's features, read from one lake commit: profile, champion's importances, freshness."""

from __future__ import annotations

from collections.abc import Mapping

from mlops_assets.contract.errors import FeatureError
from mlops_assets.contract.features import AsOfView
from mlops_assets.contract.paths import batch_of, folder_of, history_path, training_view_path, validated_path
from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.catalogue import (
    Catalogue,
    FeatureProfile,
    ViewProfile,
    catalogue,
    evenly_spaced,
    profile_features,
)
from mlops_assets.features.lineage import view_sources
from mlops_assets.features.matrix import Vocabulary
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import read_parquet
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.registry import load_version
from mlops_assets.training.booster import load
from mlops_assets.training.scoring import MODEL, VOCABULARY

PROFILE = "features.json"


def read_catalogue(snapshot: Snapshot, *, use_case: UseCase, profile: ViewProfile | None = None) -> Catalogue:
    """Everything known of the features at ``snapshot``; ``profile`` where a newer one than the lake's is at hand.

    Without a training view there are no distributions, without a champion no importances.
    """
    serving = champion(snapshot, use_case=use_case.name)
    files = load_version(snapshot, use_case=use_case.name, version=serving.version).files if serving else {}
    return catalogue(
        use_case,
        commit=snapshot.commit,
        profile=profile or read_profile(snapshot, use_case=use_case),
        champion=serving.version if serving else None,
        gains=_gains(files) if files else {},
        known_through=_known_through(snapshot, use_case=use_case),
        learnt_profiles=_learnt_profiles(snapshot, files, use_case=use_case) if files else {},
    )


def read_profile(snapshot: Snapshot, *, use_case: UseCase) -> ViewProfile | None:
    """What the training view at ``snapshot`` looks like, ``None`` where it does not say."""
    path = training_view_path(use_case.name, name=PROFILE)
    if not snapshot.exists(path):
        return None
    try:
        return ViewProfile.model_validate_json(snapshot.read(path))
    except ValueError as error:
        raise FeatureError(f"'{path}' is no profile of features: materialise {use_case.name}/training_view.") from error


def _gains(files: Mapping[str, bytes]) -> dict[str, float]:
    """By feature, the gain of all the champion's splits on it; features without a split are not there."""
    booster = load(files[MODEL])
    return {name: float(gain) for name, gain in booster.get_score(importance_type="total_gain").items()}  # type: ignore[arg-type]


def _learnt_profiles(snapshot: Snapshot, files: Mapping[str, bytes], *, use_case: UseCase) -> dict[str, FeatureProfile]:
    """What the champion's learnt features look like in the training view."""
    learnt, path = Vocabulary.from_json(files[VOCABULARY]).learnt, training_view_path(use_case.name)
    if learnt is None or not snapshot.exists(path):
        return {}
    rows = evenly_spaced(read_parquet(snapshot.local(path)))
    seen = [feature.name for feature in use_case.features]
    return profile_features(learnt.columns(rows.select(["id", *seen])), features=learnt.features)


def _known_through(snapshot: Snapshot, *, use_case: UseCase) -> dict[str, str]:
    """By view, the last batch of what it is made of."""
    found = {}
    if use_case.history:
        last = _last_batch(snapshot, example=history_path(use_case.name, batch=""))
        found = {view.name: last for view in use_case.history}
    for view in use_case.asof:
        found[view.name] = _side_data_through(snapshot, view, use_case=use_case)
    return {name: last for name, last in found.items() if last}


def _side_data_through(snapshot: Snapshot, view: AsOfView, *, use_case: UseCase) -> str:
    names = view_sources(view.sql, use_case=use_case)
    batches = [_last_batch(snapshot, example=validated_path(use_case.name, source=name, batch="")) for name in names]
    return min(batches, default="")


def _last_batch(snapshot: Snapshot, *, example: str) -> str:
    return max((batch_of(info.path) for info in snapshot.paths(folder_of(example))), default="")

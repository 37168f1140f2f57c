"""Everything that a model card tells of one version, read from the lake.

What the page looks like is in ``reports/model_card.py``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.contract.arrays import Floats
from mlops_assets.contract.errors import EvaluationError, FeatureError, LakeError, PlatformError, RegistryError
from mlops_assets.contract.paths import evaluation_path, training_view_path
from mlops_assets.contract.tasks import Binary
from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.catalogue import ViewProfile
from mlops_assets.judge.curves import Curves, curves
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import read_parquet
from mlops_assets.stores.models.champion import Pointer, events, reign
from mlops_assets.stores.models.explanation import why_believed
from mlops_assets.stores.models.feature_catalogue import read_profile
from mlops_assets.stores.models.listing import Status, status_of
from mlops_assets.stores.models.recipe import read_view
from mlops_assets.stores.models.record import LEARNING_CURVE, PREDICTIONS, ModelRecord
from mlops_assets.stores.models.registry import Evaluation, ModelVersion, load_evaluation, load_version, open_candidate
from mlops_assets.stores.models.view_warnings import ViewWarnings, read_view_warnings
from mlops_assets.training.attribution import Attribution, attributions
from mlops_assets.training.fit import clusters_of, weights_of
from mlops_assets.training.scoring import Scorer
from mlops_assets.training.tuning import TunedRecipe

EXPLAINED_ROWS = 1_000
"""How many test rows, evenly spaced, contributions are computed on."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What is drawn from the test rows themselves: curves of two outcomes, those of the champion it was judged against
    (``opponent``) if it can still answer, and each feature's part in ``explained`` of the answers.
    """

    curves: Curves | None
    opponent: Curves | None
    attributions: tuple[Attribution, ...]
    explained: int


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """One version as it is shown at lake commit ``commit``.

    ``tuned`` is the search that its hyperparameters came from, ``None`` without one or if it cannot be read any more.
    ``reign`` is the promotion by which it serves, if it does; ``moves`` are those of the champion's pointer to it and
    away from it. ``shown`` is ``None`` where the version was not evaluated or its rows are gone: ``lacking`` says so.
    ``believed`` is why figures that are too good to be true are right, if somebody said so; ``warned`` what the
    training view warned of.
    """

    use_case: UseCase
    record: ModelRecord
    status: Status
    commit: str
    reign: Pointer | None
    moves: tuple[Pointer, ...]
    evaluation: Evaluation | None
    learning_curve: Mapping[str, Sequence[float]]
    tuned: TunedRecipe | None
    view_checksum: str | None
    profile: ViewProfile | None
    shown: Shown | None
    lacking: str = ""
    believed: str = ""
    warned: ViewWarnings = field(default_factory=ViewWarnings)


def read_card(lake: Lake, *, use_case: UseCase, version: str) -> ModelCard:
    """Raises RegistryError when there is no such version, or a file of it is damaged; an evaluation that is damaged
    is none, and ``lacking`` says so.
    """
    head, name = lake.at(), use_case.name
    model = load_version(head, use_case=name, version=version)
    evaluation, shown, lacking = None, None, "It has not been evaluated yet: materialise its evaluation."
    try:
        evaluation = load_evaluation(head, use_case=name, version=version)
    except (RegistryError, EvaluationError) as error:
        lacking = str(error)
    in_force = reign(head, use_case=name)
    view_checksum, profile = _view(lake, model.record, use_case=use_case)
    if evaluation is not None:
        try:
            trained_on, champion = lake.at(model.record.data_commit), evaluation.record.champion
            shown, lacking = _shown(head, trained_on, model, use_case=use_case, champion=champion), ""
        except (LakeError, FeatureError) as error:
            lacking = f"The rows it was judged on cannot be read any more. {error}"
    return ModelCard(
        use_case=use_case,
        record=model.record,
        status=status_of(head, use_case=name, version=version),
        commit=head.commit,
        reign=in_force if in_force and in_force.version == version else None,
        moves=_moves(events(head, use_case=name), version=version),
        evaluation=evaluation,
        learning_curve=json.loads(model.files.get(LEARNING_CURVE, b"{}")),
        tuned=_tuned(lake, model.record),
        view_checksum=view_checksum,
        profile=profile,
        shown=shown,
        lacking=lacking,
        warned=_warned(lake, model.record, use_case=use_case),
        believed=why_believed(head, use_case=use_case, version=version),
    )


def _moves(every: tuple[Pointer, ...], *, version: str) -> tuple[Pointer, ...]:
    """The moves to a version, and each that ended its turn."""
    before = (None, *(move.version for move in every))
    return tuple(move for move, was in zip(every, before, strict=False) if version in (move.version, was))


def _view(lake: Lake, record: ModelRecord, *, use_case: UseCase) -> tuple[str | None, ViewProfile | None]:
    """The checksum and the profile of the training view it was trained on, as far as it can be read."""
    try:
        trained_on = lake.at(record.data_commit)
        checksum = trained_on.info(training_view_path(use_case.name)).checksum
        return checksum, read_profile(trained_on, use_case=use_case)
    except LakeError:
        return None, None


def _warned(lake: Lake, record: ModelRecord, *, use_case: UseCase) -> ViewWarnings:
    """What the training view that it was trained on warned of, as far as it can be read."""
    try:
        return read_view_warnings(lake.at(record.data_commit), use_case=use_case)
    except LakeError:
        return ViewWarnings()


def _tuned(lake: Lake, record: ModelRecord) -> TunedRecipe | None:
    """The search on record, as it stood when the version was trained."""
    if record.tuning is None:
        return None
    try:
        return TunedRecipe.from_json(lake.at(record.tuning.commit).read(record.tuning.path))
    except LakeError:
        return None


def _shown(
    head: Snapshot, trained_on: Snapshot, model: ModelVersion, *, use_case: UseCase, champion: str | None
) -> Shown:
    path = evaluation_path(use_case.name, version=model.record.version, name=PREDICTIONS)
    predictions = read_parquet(head.local(path)).select(["id", "score", "label"])
    rows = _judged_rows(head, trained_on, predictions, use_case=use_case)
    scorer = Scorer.open(model.files, threads=use_case.recipe.threads)
    vocabulary = scorer.vocabulary
    sample = rows.take(pa.array(range(0, rows.num_rows, max(-(-rows.num_rows // EXPLAINED_ROWS), 1))))
    return Shown(
        curves=_curves(rows, rows.column("score").to_numpy(), model.record.threshold, use_case=use_case),
        opponent=_champion_curves(head, rows, use_case=use_case, champion=champion),
        attributions=attributions(
            scorer.booster, vocabulary.encode(sample, features=scorer.features), categories=vocabulary.categories
        ),
        explained=sample.num_rows,
    )


def _curves(rows: pa.Table, scores: Floats, threshold: float, *, use_case: UseCase) -> Curves | None:
    if not isinstance(use_case.task, Binary):
        return None
    return curves(
        rows.column("label").to_numpy(),
        scores,
        threshold=threshold,
        clusters=clusters_of(rows, use_case=use_case),
        weights=weights_of(rows, use_case=use_case),
    )


def _champion_curves(head: Snapshot, rows: pa.Table, *, use_case: UseCase, champion: str | None) -> Curves | None:
    """The curves of the champion on the same rows; none if it is gone, or needs columns that these do not have."""
    if champion is None:
        return None
    try:
        found = open_candidate(head, use_case=use_case, version=champion)
        scores = found.scorer.scores(rows)
    except PlatformError:
        return None
    return _curves(rows, scores, found.threshold, use_case=use_case)


def _judged_rows(head: Snapshot, trained_on: Snapshot, predictions: pa.Table, *, use_case: UseCase) -> pa.Table:
    """The rows that were judged, with their scores and all columns of the training view that holds them all."""
    ids = pc.unique(predictions.column("id"))
    for snapshot in (trained_on, head):
        view = read_view(snapshot, use_case=use_case)
        rows = view.filter(pc.is_in(view.column("id"), value_set=ids))
        if rows.num_rows == predictions.num_rows:
            places = pc.index_in(rows.column("id"), value_set=predictions.column("id").combine_chunks())
            scored = predictions.take(places)
            rows = rows.drop_columns(["label"]).append_column("label", scored.column("label"))
            return rows.append_column("score", scored.column("score"))
    raise FeatureError("They are neither in the training view it was trained on nor in today's.")

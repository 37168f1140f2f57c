"""Which batches of the lake a model version has not learnt from: what scoring and retraining go by."""

from __future__ import annotations

from mlops_assets.contract.paths import batch_of
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.stores.landing.progress import history_inputs
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.record import ModelRecord
from mlops_assets.stores.models.registry import load_record


def unlearnt_batches(lake: Lake, *, use_case: UseCase, record: ModelRecord) -> tuple[str, ...]:
    """The batches with all of their validated files that landed, or were corrected, after the version's data was read.

    Of batches of time also those beyond the last one it was trained on, whenever they landed.
    """
    before = history_inputs(lake.at(record.data_commit), use_case=use_case)
    whole = history_inputs(lake.at(), use_case=use_case)
    return tuple(
        sorted(
            batch
            for batch, digest in whole.items()
            if before.get(batch) != digest or (use_case.batches.period and batch > record.last_batch)
        )
    )


def unscored_batches(lake: Lake, *, use_case: UseCase) -> tuple[str, ...]:
    """The batches that the champion has not learnt from and that have no predictions yet; none without a champion."""
    snapshot = lake.at()
    serving = champion(snapshot, use_case=use_case.name)
    if serving is None:
        return ()
    record = load_record(snapshot, use_case=use_case.name, version=serving.version)
    scored = {batch_of(info.path) for info in snapshot.paths(f"{use_case.name}/predictions/")}
    return tuple(batch for batch in unlearnt_batches(lake, use_case=use_case, record=record) if batch not in scored)

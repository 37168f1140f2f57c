"""Batches of a use case as Dagster partitions: days, or names that are added as they land."""

from datetime import timedelta

import dagster as dg

from mlops_assets.contract.paths import WHOLE
from mlops_assets.contract.source import Cadence, Source
from mlops_assets.contract.use_case import DailyBatches, UseCase


def batch_partitions(use_case: UseCase) -> dg.PartitionsDefinition:
    """The partitions of everything that arrives in batches."""
    if isinstance(use_case.batches, DailyBatches):
        last = use_case.batches.last
        return dg.DailyPartitionsDefinition(
            start_date=use_case.batches.first.isoformat(),
            end_date=(last + timedelta(days=1)).isoformat() if last else None,
        )
    return dg.DynamicPartitionsDefinition(name=f"{use_case.name}__batches")


def source_partitions(use_case: UseCase, *, source: Source) -> dg.PartitionsDefinition | None:
    """The partitions of one source; ``None`` for a static one, which is replaced as a whole."""
    return None if source.cadence is Cadence.STATIC else batch_partitions(use_case)


def served_days(use_case: UseCase) -> dg.PartitionsDefinition:
    """The days on which the service answered: those of the batches, or days that are added as they are watched."""
    if isinstance(use_case.batches, DailyBatches):
        return batch_partitions(use_case)
    return dg.DynamicPartitionsDefinition(name=f"{use_case.name}__served_days")


def batches_of(context: dg.AssetExecutionContext) -> tuple[str, ...]:
    """The batches that this run is to make: its partition keys, or the one batch of an unpartitioned asset."""
    return tuple(context.partition_keys) if is_batched(context) else (WHOLE,)


def is_batched(context: dg.AssetExecutionContext) -> bool:
    """Whether the asset that runs has batches, one or many of which are asked for."""
    return context.assets_def.partitions_def is not None

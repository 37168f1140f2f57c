"""Batches of a use case as Dagster partitions: days, or names that are added as they land."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import dagster as dg

from mlops_assets.contract.periods import stretches
from mlops_assets.contract.paths import WHOLE
from mlops_assets.contract.source import Source
from mlops_assets.contract.use_case import DailyBatches, UseCase

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


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
    return batch_partitions(use_case) if source.arrives else None


def served_days(use_case: UseCase) -> dg.DynamicPartitionsDefinition:
    """The days that are watched, added as they are: today is one, which no batch is yet."""
    return dg.DynamicPartitionsDefinition(name=f"{use_case.name}__served_days")


def add_served_days(use_case: UseCase, days: Sequence[str], *, instance: dg.DagsterInstance) -> None:
    """Makes sure that the days are partitions."""
    instance.add_dynamic_partitions(str(served_days(use_case).name), list(days))


def batches_of(context: dg.AssetExecutionContext) -> tuple[str, ...]:
    """The batches that this run is to make: its partition keys, or the one batch of an unpartitioned asset."""
    return tuple(context.partition_keys) if is_batched(context) else (WHOLE,)


def is_batched(context: dg.AssetExecutionContext) -> bool:
    """Whether the asset that runs has batches, one or many of which are asked for."""
    return context.assets_def.partitions_def is not None


@dataclass(frozen=True, kw_only=True)
class OverBatches:
    """How a run is told its batches: the key of one, or the tags of a contiguous range."""

    partition_key: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


def over_batches(batches: Sequence[str]) -> OverBatches:
    """For no batch, one, or a contiguous range of them in order."""
    if len(batches) > 1:
        return OverBatches(tags={RANGE_START: batches[0], RANGE_END: batches[-1]})
    return OverBatches(partition_key=batches[0] if batches else None)


def contiguous(use_case: UseCase, batches: set[str]) -> Iterator[list[str]]:
    """``batches`` in order, cut where a day is missing; batches with names go one by one."""
    if isinstance(use_case.batches, DailyBatches):
        yield from stretches(batches)
    else:
        yield from ([batch] for batch in sorted(batches))

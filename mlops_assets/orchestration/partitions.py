"""Batches of a use case as Dagster partitions: days of a calendar, or names that are added as they land."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import dagster as dg
import numpy as np

from mlops_assets.contract.paths import WHOLE, in_order
from mlops_assets.contract.periods import stretches
from mlops_assets.contract.source import Source
from mlops_assets.contract.use_case import DailyBatches, UseCase

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
BYTES_AT_ONCE = 1024**3
"""How many bytes of landed files go into one run, or one batch if that has more: a run's rows lie in memory together.
"""
ADDED_AT_ONCE = 500
"""Partitions that are added together: SQLite binds no more than some thousand values at once."""


def batch_partitions(use_case: UseCase) -> dg.PartitionsDefinition:
    """The partitions of everything that arrives in batches."""
    if isinstance(use_case.batches, DailyBatches) and use_case.batches.first:
        last = use_case.batches.last
        return dg.DailyPartitionsDefinition(
            start_date=use_case.batches.first.isoformat(),
            end_date=(last + timedelta(days=1)).isoformat() if last else None,
            end_offset=int(use_case.batches.within_the_day),  # the running day, too
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


def new_batches(use_case: UseCase, batches: Collection[str], *, instance: dg.DagsterInstance) -> list[str]:
    """Those of ``batches`` that are no partitions yet, in order; none of a calendar's."""
    partitions = batch_partitions(use_case)
    if not isinstance(partitions, dg.DynamicPartitionsDefinition):
        return []
    known = partitions.get_partition_keys(dynamic_partitions_store=instance)
    return sorted(set(batches).difference(known), key=in_order)


def add_batches(use_case: UseCase, batches: Collection[str], *, instance: dg.DagsterInstance) -> None:
    """Makes sure that the batches are partitions."""
    new = new_batches(use_case, batches, instance=instance)
    for first in range(0, len(new), ADDED_AT_ONCE):
        instance.add_dynamic_partitions(str(batch_partitions(use_case).name), new[first : first + ADDED_AT_ONCE])


def contiguous(use_case: UseCase, batches: Collection[str], *, instance: dg.DagsterInstance) -> list[list[str]]:
    """``batches`` in order, cut where one run cannot go over them: where a day of the calendar is missing, or where
    Dagster has other partitions between them, which keep the order in which they were added.
    """
    partitions = batch_partitions(use_case)
    if not isinstance(partitions, dg.DynamicPartitionsDefinition):
        return stretches(batches)
    known = partitions.get_partition_keys(dynamic_partitions_store=instance)
    wanted, cut = set(batches), [list[str]()]
    for batch in (*known, *new_batches(use_case, batches, instance=instance)):
        if batch in wanted:
            cut[-1].append(batch)
        elif cut[-1]:
            cut.append([])
    return [stretch for stretch in cut if stretch]


def runs_over(use_case: UseCase, sizes: Mapping[str, int], *, instance: dg.DagsterInstance) -> list[list[str]]:
    """The batches of these sizes as few runs: contiguous ones together, as far as ``BYTES_AT_ONCE`` goes."""
    runs: list[list[str]] = []
    for stretch in contiguous(use_case, sizes, instance=instance):
        held = np.cumsum([sizes[batch] for batch in stretch]) // BYTES_AT_ONCE
        runs += [[batch for batch, at in zip(stretch, held, strict=True) if at == part] for part in np.unique(held)]
    return runs

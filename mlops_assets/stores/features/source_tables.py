"""What the lake holds of a use case as DuckDB relations: its validated sources and its history, at one commit."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import duckdb

from mlops_assets.contract.errors import LakeError
from mlops_assets.contract.paths import history_path, validated_path
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.batches import EVERY_BATCH, PathOf, Wanted, batch_files
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import create_batches_view


def create_source_views(
    connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, *, use_case: UseCase, wanted: Wanted = EVERY_BATCH
) -> dict[str, tuple[str, ...]]:
    """Every validated source as a view under its name, with a column ``batch``; static sources are read whole.

    Answers the batches found per source. A source without any wanted batch is a ``LakeError`` that says what to run.
    """
    found = {}
    for source in use_case.sources:
        of_source = wanted if source.arrives else EVERY_BATCH
        path = partial(validated_path, use_case.name, source=source.name)
        chosen = files_by_batch(snapshot, path=path, wanted=of_source)
        if not chosen:
            raise LakeError(
                f"No validated batch of {use_case.name}/{source.name} in the lake at {snapshot.commit[:12]}: "
                f"land its files and materialise validated_{source.name} first."
            )
        create_batches_view(connection, source.name, files=chosen)
        found[source.name] = tuple(chosen)
    return found


def create_history_view(
    connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, *, use_case: UseCase, wanted: Wanted = EVERY_BATCH
) -> tuple[str, ...]:
    """The per-batch history files as the view ``history``; answers the batches found, none without history views."""
    if not use_case.history:
        return ()
    chosen = files_by_batch(snapshot, path=partial(history_path, use_case.name), wanted=wanted)
    if not chosen:
        raise LakeError(
            f"No history of {use_case.name} in the lake at {snapshot.commit[:12]}: materialise {use_case.name}/history."
        )
    create_batches_view(connection, "history", files=chosen)
    return tuple(chosen)


def files_by_batch(snapshot: Snapshot, *, path: PathOf, wanted: Wanted) -> dict[str, Path]:
    """The wanted files of a folder of batches as local paths, by batch, in order. No others are fetched."""
    found = batch_files(snapshot, path=path, wanted=wanted)
    local = snapshot.local_files(list(found.values()))
    return {batch: local[info.path] for batch, info in found.items()}

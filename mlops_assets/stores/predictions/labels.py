"""What turned out to be true of what was served: by sources that landed, and by what callers told the service."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.contract.paths import validated_path
from mlops_assets.contract.tasks import Multiclass
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.batches import EVERY_BATCH, Wanted
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import Connect, read_parquet
from mlops_assets.stores.features.offline import examples_of
from mlops_assets.stores.features.source_tables import create_source_views
from mlops_assets.stores.predictions.records import OUTCOMES

LABELS = pa.schema([("id", pa.string()), ("label", pa.float64())])


def landed_labels(head: Snapshot, *, use_case: UseCase, days: Iterable[date], connect: Connect) -> pa.Table:
    """``LABELS`` of the examples of the landed batches that these days are in; of all batches with names."""
    wanted, period = EVERY_BATCH, use_case.batches.period
    if period:
        landed = [
            batch for batch in dict.fromkeys(map(period.name_of, days)) if _has_landed(head, use_case, batch=batch)
        ]
        if not landed:
            return LABELS.empty_table()
        wanted = Wanted.these(landed)
    with connect() as connection:
        create_source_views(connection, head, use_case=use_case, wanted=wanted)
        outcomes = examples_of(connection, use_case=use_case)
    return outcomes.filter(pc.is_valid(outcomes["label"])).select(LABELS.names).cast(LABELS)


def told_labels(head: Snapshot, paths: Iterable[str], *, use_case: UseCase) -> tuple[pa.Table, pa.Table]:
    """What the files of outcomes at ``paths`` say: ``LABELS`` by prediction, and by example; of several about the same
    one the last.
    """
    files = head.local_files([head.info(path) for path in paths]).values()
    told = pa.concat_tables([OUTCOMES.empty_table(), *map(read_parquet, files)]).sort_by("recorded_at")
    labels = told["label"]
    if isinstance(use_case.task, Multiclass):
        classes = pa.array(use_case.task.classes)
        labels = pc.cast(pc.index_in(told["label_class"], value_set=classes), pa.float64())
    by_prediction, by_example = (_last(told[name], labels) for name in ("prediction_id", "example_id"))
    return by_prediction, by_example


def with_labels(
    answers: pa.Table, *, head: Snapshot, use_case: UseCase, days: Iterable[date], told: Iterable[str], connect: Connect
) -> pa.Table:
    """The ``answers`` (with ``prediction_id`` and ``example_id``) whose outcome is known, with their ``label``: of what
    has landed, else of what was told in the files ``told``.
    """
    landed = landed_labels(head, use_case=use_case, days=days, connect=connect)
    by_prediction, by_example = told_labels(head, told, use_case=use_case)
    found = [
        _looked_up(answers[name], labels)
        for name, labels in (("example_id", landed), ("prediction_id", by_prediction), ("example_id", by_example))
    ]
    labelled = answers.append_column("label", pc.coalesce(*found))
    return labelled.filter(pc.is_valid(labelled["label"]))


def _has_landed(head: Snapshot, use_case: UseCase, *, batch: str) -> bool:
    paths = [validated_path(use_case.name, source=source.name, batch=batch) for source in use_case.arriving]
    return all(map(head.exists, paths))


def _last(ids: pa.ChunkedArray, labels: pa.ChunkedArray) -> pa.Table:
    rows = pa.table({"id": ids, "label": labels, "row": pa.array(range(len(ids)), pa.int64())})
    rows = rows.filter(pc.and_(pc.is_valid(rows["id"]), pc.is_valid(rows["label"])))
    kept = rows.group_by("id").aggregate([("row", "max")])["row_max"]
    return rows.filter(pc.is_in(rows["row"], value_set=kept)).select(LABELS.names)


def _looked_up(ids: pa.ChunkedArray, labels: pa.Table) -> pa.ChunkedArray:
    return labels["label"].take(pc.index_in(ids, value_set=labels["id"].combine_chunks()))

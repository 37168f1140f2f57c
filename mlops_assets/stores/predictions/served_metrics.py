"""``served_metrics`` in the lake: the figures of every collected file beside it, and what is read of them.

What the figures are is in ``watch/served/figures.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mlops_assets.contract.paths import (
    evaluation_path,
    folder_of,
    model_path,
    prediction_log_folder,
    served_metrics_folder,
    served_truth_path,
)
from mlops_assets.contract.slices import OVERALL
from mlops_assets.contract.tasks import Binary
from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.matrix import Vocabulary
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import count_rows, parquet_bytes, read_parquet
from mlops_assets.stores.models.record import PREDICTIONS
from mlops_assets.stores.models.registry import load_record
from mlops_assets.stores.predictions.collected_files import CollectedFile, collected_files
from mlops_assets.stores.predictions.records import SCHEMA
from mlops_assets.stores.predictions.service_figures import service_files
from mlops_assets.training.scoring import VOCABULARY
from mlops_assets.watch.served.figures import READ, Categories, figures_of_answers, figures_of_held_out
from mlops_assets.watch.served.table import ANSWERED, METRICS

CAUGHT_UP = 1_000_000
"""How many records that an earlier version collected get their figures in one collection; a second's work or two."""
_KEYS = ["use_case", "version", "hour", "scope", "metric"]


def figures_path(path: str, *, use_case: str) -> str:
    """Where the figures of a collected file belong."""
    return served_metrics_folder(use_case) + path.removeprefix(prediction_log_folder(use_case))


def figures_of_file(head: Snapshot, source: Path, *, use_case: UseCase) -> bytes:
    """The figures of a file of collected records as a file; what their versions have learnt is read from ``head``."""
    read = SCHEMA.empty_table().select(list(READ))
    there = set(pq.read_schema(source).names)
    held = read_parquet(source, columns=[name for name in READ if name in there])
    records = pa.concat_tables([read, held], promote_options="default")
    versions = records["model_version"].unique().to_pylist()
    known = {version: _categories(head, use_case=use_case.name, version=version) for version in versions}
    return parquet_bytes(figures_of_answers(records, use_case=use_case, vocabularies=known))


def without_figures(head: Snapshot, held: Mapping[str, CollectedFile], *, use_case: str) -> list[str]:
    """The collected files that an earlier version left without figures, those of the last days first: some of them,
    ``CAUGHT_UP`` records together.
    """
    there = {info.path for info in head.paths(served_metrics_folder(use_case))}
    lacking = [path for path in held if figures_path(path, use_case=use_case) not in there]
    taken: list[str] = []
    rows = 0
    for path in sorted(lacking, key=lambda each: (held[each].day, each), reverse=True):
        rows += held[path].rows
        if taken and rows > CAUGHT_UP:
            break
        taken.append(path)
    return taken


def are_of_all_rows(snapshot: Snapshot, path: str, *, use_case: str) -> bool:
    """Whether the figures of a collected file speak of as many answers as it has rows."""
    figures = read_parquet(snapshot.local(figures_path(path, use_case=use_case)), rows=_ALL_ANSWERS)
    told: int = pc.sum(figures["n"]).as_py() or 0
    return told == count_rows(snapshot.local(path))


def served_metrics(snapshot: Snapshot, *, use_case: str, first: date, last: date) -> pa.Table:
    """``METRICS`` of the events of ``first`` to ``last``, both included, each key once, in order of the keys.

    Of answers, of outcomes that are known, and of what the service says of itself. Files are opened only if their names
    say that they hold these days.
    """
    folder = served_metrics_folder(use_case)
    answers = [path for path, file in collected_files(snapshot, folder=folder).items() if _touches(file, first, last)]
    truth = snapshot.between(
        folder_of(served_truth_path(use_case, batch="")),
        first=served_truth_path(use_case, batch=first.isoformat()),
        last=served_truth_path(use_case, batch=last.isoformat()),
    )
    service = service_files(snapshot, use_case=use_case, first=first, last=last)
    inside = _inside(first, last)
    paths = [*answers, *(info.path for info in truth), *service]
    return added(read_parquet(snapshot.local(path), rows=inside) for path in paths)


def held_out_metrics(snapshot: Snapshot, *, use_case: UseCase, version: str) -> pa.Table:
    """``METRICS`` of the rows that a version was judged on: what it is compared with until enough was served."""
    predictions = read_parquet(snapshot.local(evaluation_path(use_case.name, version=version, name=PREDICTIONS)))
    priors = priors_of(snapshot, use_case=use_case, versions=[version])
    return figures_of_held_out(predictions, use_case=use_case, version=version, priors=priors)


def priors_of(snapshot: Snapshot, *, use_case: UseCase, versions: Iterable[str]) -> dict[str, float]:
    """The share of positives that each version has learnt from; none for other tasks, whose records do not tell it."""
    if not isinstance(use_case.task, Binary):
        return {}
    records = {each: load_record(snapshot, use_case=use_case.name, version=each) for each in versions}
    return {each: record.split["train"].positives / record.split["train"].rows for each, record in records.items()}


def added(tables: Iterable[pa.Table]) -> pa.Table:
    """``METRICS`` of all tables together: each key once, in order."""
    together = pa.concat_tables([METRICS.empty_table(), *(table.select(METRICS.names) for table in tables)])
    summed = together.group_by(_KEYS, use_threads=False).aggregate([("value", "sum"), ("n", "sum")])
    named = summed.rename_columns({"value_sum": "value", "n_sum": "n"}).select(METRICS.names)
    return named.sort_by([(name, "ascending") for name in ("hour", "scope", "metric", "version")])


def _touches(file: CollectedFile, first: date, last: date) -> bool:
    return file.events is not None and file.events[0] <= last and first <= file.events[1]


def _inside(first: date, last: date) -> pc.Expression:
    begin, end = (pa.scalar(datetime.combine(day, time()), pa.timestamp("us")) for day in (first, last + timedelta(1)))
    return (pc.field("hour") >= begin) & (pc.field("hour") < end)


def _categories(head: Snapshot, *, use_case: str, version: str) -> Categories:
    """What a version has learnt of each categorical feature; nothing if it is not in the lake."""
    path = model_path(use_case, version=version, name=VOCABULARY)
    return Vocabulary.from_json(head.read(path)).categories if head.exists(path) else {}


_ALL_ANSWERS = (pc.field("metric") == ANSWERED) & (pc.field("scope") == OVERALL)

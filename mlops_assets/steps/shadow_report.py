"""Shadow report: how far a challenger agrees with the champion on what was served, and who was right once it is known.

Agreement is of all pairs; by slice of those whose predictions were collected, since what was asked is on record there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.contract.paths import prediction_log_folder
from mlops_assets.contract.slices import OVERALL, Slice
from mlops_assets.contract.tasks import Multiclass
from mlops_assets.contract.use_case import UseCase
from mlops_assets.judge.few_days import compare_few_days
from mlops_assets.judge.significance import Comparison, compare
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import Connect, read_parquet
from mlops_assets.stores.models.registry import load_record
from mlops_assets.stores.predictions.labels import landed_labels
from mlops_assets.stores.predictions.pairs import read_pairs
from mlops_assets.stores.serving_orders import ServingOrders
from mlops_assets.training.fit import clusters_of


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How alike both answered in one segment: the share of equal decisions (None of numbers), the mean of the
    challenger's score minus the champion's, and the mean of its size.
    """

    segment: str
    pairs: int
    same_decision: float | None
    mean_difference: float
    mean_size: float


@dataclass(frozen=True, kw_only=True)
class ShadowReport:
    """``champion`` is the one that answered most of the pairs; others' are left out. ``collected`` of them are in the
    lake, ``labelled`` have an outcome, of ``days`` days. ``comparison`` is paired, on these; without one, ``lacking``
    says why. ``overall`` is what so few days tell where the rows of a day depend on each other, else the same.
    ``judged`` are the labelled pairs: id, event_time, label, both scores, and what is watched of the request.
    """

    challenger: str
    champion: str
    agreement: tuple[Agreement, ...]
    collected: int
    labelled: int
    days: int
    comparison: Comparison | None
    overall: Comparison | None
    judged: pa.Table
    lacking: str = ""


def shadow_report(
    head: Snapshot, *, use_case: UseCase, version: str, folder: Path, connect: Connect
) -> ShadowReport | None:
    """What the pairs of ``version`` in this deployment (``folder``) say; None where there are none yet."""
    pairs = read_pairs(ServingOrders(folder, use_case=use_case.name).pairs(version))
    pairs = pairs.filter(pc.not_equal(pairs["champion"], version))
    if not pairs.num_rows:
        return None
    counts = pairs.group_by("champion").aggregate([([], "count_all")]).sort_by([("count_all", "descending")])
    champion: str = counts["champion"][0].as_py()
    pairs = pairs.filter(pc.equal(pairs["champion"], champion))
    asked = _asked(head, use_case=use_case, pairs=pairs)
    judged = _with_labels(head, asked, use_case=use_case, connect=connect)
    lacking = _lacking(judged, use_case=use_case)
    thresholds = [load_record(head, use_case=use_case.name, version=each).threshold for each in (version, champion)]
    return ShadowReport(
        challenger=version,
        champion=champion,
        agreement=(_agreement(pairs, segment=OVERALL), *_by_slice(asked, use_case=use_case)),
        collected=asked.num_rows,
        labelled=judged.num_rows,
        days=pc.count_distinct(_days(judged)).as_py(),
        comparison=None if lacking else _compared(judged, use_case=use_case, champion=champion, thresholds=thresholds),
        overall=None if lacking else _overall(judged, use_case=use_case, champion=champion, thresholds=thresholds),
        judged=judged,
        lacking=lacking,
    )


def _agreement(pairs: pa.Table, *, segment: str) -> Agreement:
    apart = pc.subtract(pairs["challenger_score"], pairs["champion_score"])
    same = pc.mean(pc.equal(pairs["challenger_decided"], pairs["champion_decided"])).as_py()
    return Agreement(
        segment=segment,
        pairs=pairs.num_rows,
        same_decision=same,
        mean_difference=pc.mean(apart).as_py(),
        mean_size=pc.mean(pc.abs(apart)).as_py(),
    )


def _by_slice(asked: pa.Table, *, use_case: UseCase) -> Iterator[Agreement]:
    for name in use_case.watched_slices:
        for value in sorted(asked[name].drop_null().unique().to_pylist()):
            yield _agreement(asked.filter(pc.equal(asked[name], value)), segment=f"{name}={value}")


def _asked(head: Snapshot, *, use_case: UseCase, pairs: pa.Table) -> pa.Table:
    """The pairs whose predictions the lake holds, with ``id``, ``event_time`` and what was asked that is sliced by."""
    columns = ["prediction_id", "event_time", "inputs"]
    files = head.local_many(prediction_log_folder(use_case.name)).values()
    tables = [read_parquet(path, columns=columns) for path in files]
    ids = pairs["prediction_id"].combine_chunks()
    kept = [table.filter(pc.is_in(table["prediction_id"], value_set=ids)) for table in tables]
    nothing = pa.schema([("prediction_id", pa.string()), ("event_time", pa.timestamp("us")), ("inputs", pa.string())])
    records = pa.concat_tables([nothing.empty_table(), *kept])
    inputs = [json.loads(text) for text in records["inputs"].to_pylist()]
    wanted = dict.fromkeys([*use_case.watched_slices, *([use_case.clusters] if use_case.clusters else [])])
    for name in wanted:
        if name != "day":
            values = [None if row.get(name) is None else str(row[name]) for row in inputs]
            records = records.append_column(name, pa.array(values, pa.string()))
    joined = pairs.join(records.drop_columns(["inputs"]), keys="prediction_id", join_type="inner")
    return joined.rename_columns({"example_id": "id"})


def _with_labels(head: Snapshot, asked: pa.Table, *, use_case: UseCase, connect: Connect) -> pa.Table:
    days = _days(asked).unique().to_pylist()
    labels = landed_labels(head, use_case=use_case, days=days, connect=connect)
    return asked.join(labels, keys="id", join_type="inner").sort_by("prediction_id")


def _lacking(judged: pa.Table, *, use_case: UseCase) -> str:
    """Why nothing can be said about who was right; empty if it can."""
    if isinstance(use_case.task, Multiclass):
        return "pairs hold the most probable class alone, which does not suffice to judge classes"
    if not judged.num_rows:
        return "no outcome of a collected prediction has landed yet"
    if use_case.clusters not in (None, "day") and judged[use_case.clusters].null_count:
        return f"requests do not say '{use_case.clusters}', by which rows depend on each other"
    return ""


def _overall(judged: pa.Table, *, use_case: UseCase, champion: str, thresholds: list[float]) -> Comparison:
    return compare_few_days(
        np.asarray(judged["label"].to_numpy(), dtype=np.float64),
        judged["challenger_score"].to_numpy(),
        champion=judged["champion_score"].to_numpy(),
        opponent=champion,
        days=_days(judged).to_numpy(),
        clusters=clusters_of(judged, use_case=use_case),
        by_day=use_case.clusters == "day",
        task=use_case.task,
        thresholds=(thresholds[0], thresholds[1]),
    )


def _days(judged: pa.Table) -> pa.ChunkedArray:
    return pc.cast(judged["event_time"], pa.date32(), safe=False)


def _compared(judged: pa.Table, *, use_case: UseCase, champion: str, thresholds: list[float]) -> Comparison:
    told: Any = {"clusters": clusters_of(judged, use_case=use_case)}
    return compare(
        np.asarray(judged["label"].to_numpy(), dtype=np.float64),
        judged["challenger_score"].to_numpy(),
        champion=judged["champion_score"].to_numpy(),
        opponent=champion,
        slice_columns=judged,
        slices=[Slice(name=name, columns=(name,)) for name in use_case.watched_slices],
        task=use_case.task,
        thresholds=(thresholds[0], thresholds[1]),
        **told,
    )

"""View: history and side data joined point-in-time to labelled examples; the model's matrix, and is it honest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.contract.arrays import Floats
from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.paths import training_view_path, validated_path
from mlops_assets.contract.periods import Period
from mlops_assets.contract.tasks import two_outcomes
from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.catalogue import ViewProfile, profile_view
from mlops_assets.judge.label_shift import LabelByTime, audit_label_by_time, label_by_time, periods_of
from mlops_assets.judge.leakage import audit_request_sql
from mlops_assets.judge.single_features import audit_single_features
from mlops_assets.lake.batches import EVERY_BATCH, Wanted
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import Connect, parquet_bytes, read_parquet
from mlops_assets.steps.step import Step
from mlops_assets.stores.features.offline import (
    FeatureRows,
    Reach,
    compute_features,
    examples_of,
    open_views,
    reach_of_batch,
)
from mlops_assets.stores.landing.progress import judge_completeness
from mlops_assets.stores.models.feature_catalogue import PROFILE
from mlops_assets.stores.models.view_warnings import LABEL_BY_TIME, WARNINGS, as_warnings
from mlops_assets.training.fit import counted, labels_of

MOST_DROPS = 100
"""How many drops, the last ones, the label is told by where rows have no time."""
BOTH_OUTCOMES, ONE_ROW = "has_both_outcomes", "one_row_per_example"
NOTHING_LATER = "nothing_known_later_is_used"


@dataclass(frozen=True, kw_only=True)
class View:
    """The matrix, which batches and how many rows it is made of, and what its columns look like."""

    table: pa.Table
    manifest: Mapping[str, str | int]
    profile: ViewProfile


def view(head: Snapshot, *, use_case: UseCase, connect: Connect, through: str | None = None) -> Step[View]:
    """Every labelled example of the batches up to ``through`` (all there are by default), as of its own moment."""
    rows = _labelled(head, use_case=use_case, connect=connect, through=through)
    first, last = rows.batches[0], rows.batches[-1]
    manifest = {"first": first, "last": last, "batches": len(rows.batches), "rows": rows.table.num_rows}
    profile = profile_view(rows.table, features=use_case.features, through=last)
    counting = counted(rows.table, use_case=use_case)
    alone = audit_single_features(
        counting,
        labels=labels_of(counting),
        features=use_case.features,
        task=use_case.task,
        limit=use_case.suspicious_roc_auc,
    )
    by_time = _label_by_time(head, rows, use_case=use_case, connect=connect)
    told = (alone[1], audit_label_by_time(by_time, task=use_case.task))
    return Step(
        files={
            training_view_path(use_case.name): parquet_bytes(rows.table),
            training_view_path(use_case.name, name="manifest.json"): json.dumps(manifest, indent=1).encode(),
            training_view_path(use_case.name, name=PROFILE): profile.model_dump_json(indent=1).encode(),
            training_view_path(use_case.name, name=LABEL_BY_TIME): by_time.to_json(),
            training_view_path(use_case.name, name=WARNINGS): as_warnings(told),
        },
        audit=lambda staged: [alone[0], *_audit(staged, read_from=head, use_case=use_case, connect=connect)],
        checks=[*told, judge_completeness(head, use_case=use_case, through=through)],
        outcome=View(table=rows.table, manifest=manifest, profile=profile),
    )


def _labelled(head: Snapshot, *, use_case: UseCase, connect: Connect, through: str | None) -> FeatureRows:
    wanted = EVERY_BATCH if through is None else Wanted(last=through)
    with connect() as connection:
        return compute_features(
            connection,
            head,
            use_case=use_case,
            reach=Reach(history=wanted, sources=wanted),
            rows=lambda examples: examples.filter(pc.is_valid(examples.column("label"))),
            beside=use_case.columns_beside,
        )


def _label_by_time(head: Snapshot, rows: FeatureRows, *, use_case: UseCase, connect: Connect) -> LabelByTime:
    """The label by months, weeks or days; by drops where rows have no time."""
    labels = labels_of(rows.table)
    if "event_time" in rows.table.column_names:
        by, codes, names = periods_of(rows.table.column("event_time").to_numpy())
        return label_by_time(labels, codes=codes, names=names, by=by, task=use_case.task)
    drops = [_labels_of_drop(head, batch, use_case=use_case, connect=connect) for batch in rows.batches[-MOST_DROPS:]]
    known = [(batch, drop) for batch, drop in zip(rows.batches[-MOST_DROPS:], drops, strict=True) if len(drop)]
    return label_by_time(
        np.concatenate([np.zeros(0), *(drop for _, drop in known)]),
        codes=np.repeat(np.arange(len(known)), np.array([len(drop) for _, drop in known], dtype=np.int64)),
        names=[batch for batch, _ in known],
        by="drop",
        task=use_case.task,
    )


def _labels_of_drop(head: Snapshot, batch: str, *, use_case: UseCase, connect: Connect) -> Floats:
    """None of a drop that does not have every source: it makes no examples by itself."""
    needed = (validated_path(use_case.name, source=source.name, batch=batch) for source in use_case.arriving)
    if not all(map(head.exists, needed)):
        return np.zeros(0)
    with connect() as connection:
        open_views(connection, head, use_case=use_case, reach=reach_of_batch(use_case, batch=batch))
        return labels_of(examples_of(connection, use_case=use_case).filter(pc.is_valid(pc.field("label"))))


def _audit(staged: Snapshot, *, read_from: Snapshot, use_case: UseCase, connect: Connect) -> tuple[CheckResult, ...]:
    table = read_parquet(staged.local(training_view_path(use_case.name)))
    counting = counted(table, use_case=use_case)
    outcomes = two_outcomes(labels_of(counting), task=use_case.task)
    positives = int(outcomes.sum())
    repeated = table.num_rows - pc.count_distinct(table.column("id")).as_py()
    return (
        CheckResult(
            name=BOTH_OUTCOMES,
            passed=0 < positives < len(outcomes),
            figures={"rows": len(outcomes), "positives": positives},
            reasons=() if 0 < positives < len(outcomes) else (_one_outcome(counting, use_case=use_case),),
        ),
        CheckResult(
            name=ONE_ROW,
            passed=not repeated,
            figures={"repeated": repeated},
            reasons=(f"{repeated} rows repeat an example.",) if repeated else (),
        ),
        audit_request_sql(use_case),
        *(
            [_moved_by_the_future(table, read_from, use_case=use_case, period=use_case.batches.period, connect=connect)]
            if use_case.batches.period
            else []
        ),
    )


def _one_outcome(table: pa.Table, *, use_case: UseCase) -> str:
    """Why there is nothing to learn, and what a person does about it."""
    if not table.num_rows:
        return "No row has a label: land rows whose outcome is known."
    mend = "land rows with another outcome, or predict another column"
    if use_case.positive is not None:
        mend = f"land rows with another outcome, or mend positive={use_case.positive!r}"
    same = table.column("label")[0].as_py()
    return f"All {table.num_rows} rows have the same label, {same}: a model has nothing to tell apart. So {mend}."


def _moved_by_the_future(
    table: pa.Table, head: Snapshot, *, use_case: UseCase, period: Period, connect: Connect
) -> CheckResult:
    """The middle day of the view once more, from a lake in which no later batch than its own was ever landed."""
    days = sorted(pc.unique(_days(table)).to_pylist())
    day = days[len(days) // 2]
    kept = table.filter(pc.equal(_days(table), day))
    again = _labelled(head, use_case=use_case, connect=connect, through=period.name_of(date.fromisoformat(day))).table
    again = again.filter(pc.equal(_days(again), day))
    moved = [name for name in kept.column_names if not kept[name].combine_chunks().equals(again[name].combine_chunks())]
    return CheckResult(
        name=NOTHING_LATER,
        passed=not moved,
        figures={"day": day, "rows": kept.num_rows, "columns": kept.num_columns},
        reasons=(f"On {day} these columns depend on later data: {', '.join(moved)}.",) if moved else (),
    )


def _days(table: pa.Table) -> pa.ChunkedArray:
    return pc.strftime(table.column("event_time"), "%Y-%m-%d")

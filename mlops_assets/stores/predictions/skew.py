"""Skew between training and serving, on what the lake holds: a day's served features and the version's training rows.

How the two are compared is in ``watch/validation/skew.py``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
from duckdb import DuckDBPyConnection

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.errors import PlatformError
from mlops_assets.contract.features import Feature
from mlops_assets.contract.paths import training_view_path
from mlops_assets.contract.severity import Severity
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.tables import read_parquet
from mlops_assets.stores.models.record import ModelRecord
from mlops_assets.stores.models.registry import load_record
from mlops_assets.watch.validation.skew import SERVED_AS_TRAINED, judge_skew


def audit_skew(
    records: pa.Table, *, use_case: UseCase, version: str, batch: str, lake: Lake, connection: DuckDBPyConnection
) -> CheckResult:
    """``SERVED_AS_TRAINED`` of the ``records`` that ``version`` answered; a WARN that says why if nothing is known."""
    try:
        record = load_record(lake.at(), use_case=use_case.name, version=version)
        view = _training_view(record, use_case=use_case, lake=lake)
    except PlatformError as error:
        reason = f"What {version} was trained on cannot be read any more: {error}"
        severity = Severity.WARN
        return CheckResult(name=SERVED_AS_TRAINED, passed=False, severity=severity, batch=batch, reasons=(reason,))
    features = [each for each in use_case.features if each.name not in use_case.logged]
    told = judge_skew(
        _served(records, features=features),
        trained=_trained_on(view, record),
        recent=view,
        features=features,
        batch=batch,
        connection=connection,
    )
    return replace(told, figures={"model_version": version, **told.figures})


def _training_view(record: ModelRecord, *, use_case: UseCase, lake: Lake) -> pa.Table:
    path = lake.at(record.data_commit).local(training_view_path(use_case.name))
    timed = ["event_time"] if record.split["train"].first else []
    return read_parquet(path, columns=[*timed, *(each.name for each in use_case.features)])


def _trained_on(view: pa.Table, record: ModelRecord) -> pa.Table:
    """The rows of the training part's days; all rows where examples have no time."""
    part = record.split["train"]
    if part.first is None or part.last is None:
        return view
    day = pc.cast(view["event_time"], pa.date32())
    return view.filter(pc.and_(pc.greater_equal(day, pa.scalar(part.first)), pc.less_equal(day, pa.scalar(part.last))))


def _served(records: pa.Table, *, features: Sequence[Feature]) -> pa.Table:
    """The logged features; one that an answer lacks is missing."""
    logged = [json.loads(told) for told in records["features"].to_pylist()]
    return pa.table({each.name: pa.array([row.get(each.name) for row in logged]) for each in features})

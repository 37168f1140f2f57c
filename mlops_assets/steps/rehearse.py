"""Rehearse: the exact Bento of a version, started in a process of its own and asked before anybody depends on it.

It works in a folder that is thrown away: its log of answers reaches nobody, and what it looks up was filled for this.
What it must answer is computed beside it on the offline road, from the version as the lake has it.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, ValidationError

from mlops_assets.contract.checks import CheckResult, at_most
from mlops_assets.contract.defaults import label_source
from mlops_assets.contract.errors import ServingError
from mlops_assets.contract.paths import WHOLE, prediction_log_folder, validated_path
from mlops_assets.contract.severity import Severity
from mlops_assets.contract.tasks import answers
from mlops_assets.contract.use_case import DailyBatches, UseCase
from mlops_assets.features.requests import request_table
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import Connect, read_parquet
from mlops_assets.stores.features.online import open_online_store
from mlops_assets.stores.features.online_refresh import next_day, refresh_online_store
from mlops_assets.stores.features.reading import point_in_time_features
from mlops_assets.stores.models.bento_store import BuiltBento, serve_environment
from mlops_assets.stores.models.record import ModelRecord
from mlops_assets.stores.models.registry import load_version
from mlops_assets.stores.models.running_service import RunningService, refusal
from mlops_assets.training.scoring import Scorer

STARTS, SAME, FAST, SMALL, REFUSES = CHECKS = (
    "starts_by_itself",
    "answers_as_recorded",
    "answers_in_time",
    "fits_its_memory",
    "refuses_malformed_requests",
)
EXAMPLES = 200
ROWS_PER_REQUEST = 50
TIMED_REQUESTS = 30
NAMED_DIFFERENCES = 3
MALFORMED = (b'{"rows": [', b"[]", b'{"rows": 7}', b'{"rows": [[]]}', b'{"rows": [{"no such field": 1}]}')


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Requests on record, and what the version answers to them with what was known before ``as_of``.

    ``as_of`` is None for a use case that looks nothing up.
    """

    requests: Sequence[BaseModel]
    scores: Sequence[float]
    as_of: date | None


def rehearse(
    head: Snapshot, *, use_case: UseCase, built: BuiltBento, version: str, data_dir: Path, connect: Connect
) -> tuple[CheckResult, ...]:
    """The verdicts of ``CHECKS`` on the Bento ``built`` of ``version`` in the store below ``data_dir``."""
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder:
        scratch = Path(folder)
        examples = recorded_examples(head, use_case=use_case, version=version, connect=connect)
        if examples.as_of:
            _fill(scratch, head, use_case=use_case, as_of=examples.as_of, connect=connect)
        environment = _environment(data_dir, scratch=scratch)
        try:
            with RunningService.start(
                built.tag, data_dir=scratch, log=scratch / "service.log", environment=environment
            ) as service:
                return _asked(service, examples=examples, use_case=use_case)
        except ServingError as error:
            return tuple(CheckResult(name=name, passed=False, reasons=(str(error),)) for name in CHECKS)


def recorded_examples(head: Snapshot, *, use_case: UseCase, version: str, connect: Connect) -> Examples:
    """What was asked last, or where nothing was served yet what would have been asked of the last batch that judged."""
    model = load_version(head, use_case=use_case.name, version=version)
    asked = _served(head, use_case=use_case) or _judged(head, use_case=use_case, record=model.record)
    requests = _requests(asked, use_case=use_case)[:EXAMPLES]
    if not requests:
        return Examples(requests=(), scores=(), as_of=None)
    moments = _moments(requests, use_case=use_case)
    looks_up = bool(use_case.history or use_case.asof)
    as_of = min(max(moments).date(), next_day(head, use_case=use_case)) if looks_up else None
    rows = request_table(requests, model=use_case.request)
    rows = rows.drop_columns([name for name in rows.column_names if name == "event_time"])
    with connect() as connection:
        features = point_in_time_features(
            rows.append_column("event_time", pa.array(moments, pa.timestamp("us"))),
            use_case=use_case,
            snapshot=head,
            connection=connection,
            as_of=as_of,
        )
    scores = Scorer.open(model.files).scores(features)
    scored = answers(scores, task=use_case.task, threshold=model.record.threshold)["score"].to_pylist()
    return Examples(requests=requests, scores=scored, as_of=as_of)


def _served(head: Snapshot, *, use_case: UseCase) -> list[dict[str, Any]]:
    """What the newest collected file holds of its newest day."""
    files = sorted(info.path for info in head.paths(prediction_log_folder(use_case.name)))
    if not files:
        return []
    rows = read_parquet(head.local(files[-1]), columns=["event_time", "inputs"]).to_pylist()
    newest = max(row["event_time"] for row in rows).date()
    computed = set(use_case.request.model_computed_fields)
    inputs = [json.loads(row["inputs"]) for row in rows if row["event_time"].date() == newest]
    return [{name: value for name, value in row.items() if name not in computed} for row in inputs]


def _judged(head: Snapshot, *, use_case: UseCase, record: ModelRecord) -> list[dict[str, Any]]:
    """What would have been asked about the last batch that judged: the seed's requests, or its rows in the lake."""
    tested = record.split["test"].last if "test" in record.split else None
    daily = isinstance(use_case.batches, DailyBatches)
    batch = tested.isoformat() if tested and daily else record.last_batch
    if use_case.seed is not None:
        return [dict(row) for row in use_case.seed.requests(batch)]
    if use_case.label is None:
        return []
    source = label_source(use_case)
    path = validated_path(use_case.name, source=source.name, batch=batch if source.arrives else WHOLE)
    if not head.exists(path):
        return []
    table = read_parquet(head.local(path))
    rows: list[dict[str, Any]] = table.select(
        [name for name in table.column_names if name in use_case.request.model_fields]
    ).to_pylist()
    return rows


def _requests(asked: Sequence[dict[str, Any]], *, use_case: UseCase) -> list[BaseModel]:
    """Those that are requests of the use case as it is now, spread over all there are."""
    step = max(1, len(asked) // EXAMPLES)
    requests = []
    for row in asked[::step]:
        try:
            requests.append(use_case.request.model_validate(row))
        except ValidationError:
            continue  # of an older form, which the service refuses too
    return requests


def _moments(requests: Sequence[BaseModel], *, use_case: UseCase) -> list[datetime]:
    """When each happens; without a time axis one moment is as good as another."""
    return [getattr(request, "event_time", datetime(2000, 1, 1)) for request in requests]


def _fill(scratch: Path, head: Snapshot, *, use_case: UseCase, as_of: date, connect: Connect) -> None:
    """An online store of that day, in a file whatever this deployment uses."""
    online = open_online_store(use_case.name, data=scratch, environment={})
    try:
        with connect() as connection:
            refresh_online_store(online, snapshot=head, use_case=use_case, connection=connection, as_of=as_of)
    finally:
        online.close()


def _environment(data_dir: Path, *, scratch: Path) -> dict[str, str]:
    """That of this process without its settings of ours and its modules: the Bento must do with what is in it."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("MLOPS_") and name != "PYTHONPATH"}
    return serve_environment(data_dir, environ=own) | {"MLOPS_DATA_DIR": str(scratch)}


def _asked(service: RunningService, *, examples: Examples, use_case: UseCase) -> tuple[CheckResult, ...]:
    budget = use_case.budget
    sent = [request.model_dump(mode="json", include=set(type(request).model_fields)) for request in examples.requests]
    return (
        CheckResult(name=STARTS, passed=True),
        *(_answered(service, sent=sent, scores=examples.scores, limit=budget.milliseconds) if sent else _unasked()),
        at_most(SMALL, service.megabytes(), limit=budget.megabytes, of="The service's memory in MB"),
        _refuses(service),
    )


def _answered(
    service: RunningService, *, sent: Sequence[dict[str, Any]], scores: Sequence[float], limit: float
) -> tuple[CheckResult, ...]:
    """That every example is answered with the version's own score, to the bit, and how long one takes."""
    answered: list[dict[str, Any]] = []
    for start in range(0, len(sent), ROWS_PER_REQUEST):
        answered += service.predict(sent[start : start + ROWS_PER_REQUEST])
    differing = [
        f"{json.dumps(row)} was answered {answer['score']!r}, the version's own score is {score!r}."
        for row, answer, score in zip(sent, answered, scores, strict=True)
        if answer["score"] != score
    ]
    alike = CheckResult(
        name=SAME,
        passed=not differing,
        figures={"examples": len(sent), "differing": len(differing)},
        reasons=tuple(differing[:NAMED_DIFFERENCES]),
    )
    return alike, at_most(FAST, _milliseconds(service, sent=sent), limit=limit, of="The median time of an answer in ms")


def _unasked() -> tuple[CheckResult, ...]:
    reason = "No request is on record that could be asked: serve and collect some, or give the seed its requests."
    return tuple(
        CheckResult(name=name, passed=False, severity=Severity.WARN, reasons=(reason,)) for name in (SAME, FAST)
    )


def _milliseconds(service: RunningService, *, sent: Sequence[dict[str, Any]]) -> float:
    """The median over requests of one row each: one slow answer on a busy machine says nothing of the version."""
    seconds = []
    for row in sent[:TIMED_REQUESTS]:
        began = time.perf_counter()
        service.predict([row])
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds) * 1000


def _refuses(service: RunningService) -> CheckResult:
    reasons = []
    for body in MALFORMED:
        status, answer = service.post("/predict", body)
        if status >= 500 or refusal(status, answer) is None:
            reasons.append(f"{body.decode()} was answered {status}: a request that means nothing is refused with 4xx.")
    return CheckResult(name=REFUSES, passed=not reasons, figures={"asked": len(MALFORMED)}, reasons=tuple(reasons))

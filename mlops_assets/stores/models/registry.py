"""Model versions in the lake: what a version is written as, and how it is read back with every checksum
verified.

Nothing here publishes: callers hand the files to ``Lake.publish``. Which version serves is in
``champion.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
import pyarrow as pa

from mlops_assets.contract.errors import PlatformError, RegistryError
from mlops_assets.contract.gates import Gate
from mlops_assets.contract.paths import evaluation_path, model_path
from mlops_assets.contract.use_case import UseCase
from mlops_assets.judge.gate_decision import GateDecision, decide
from mlops_assets.judge.judgement import Candidate
from mlops_assets.judge.live import live_gates
from mlops_assets.judge.report import EvaluationReport
from mlops_assets.judge.significance import Comparison
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.stores.models.record import (
    BESIDE,
    COMPARISON,
    DECISION,
    PREDICTIONS,
    RECORD,
    REPORT,
    DecisionRecord,
    ModelRecord,
    as_declared,
    digest,
    read_document,
)
from mlops_assets.training.scoring import MODEL, Scorer


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    """A version as it was read: its record, and its other files by name, each with the checksum its record
    says.
    """

    record: ModelRecord
    files: Mapping[str, bytes]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What a version was judged by: the decision, and the report and comparison it was taken from.

    ``beside`` is what the champion reached on the same rows; None without one, and in evaluations of earlier releases.
    """

    record: DecisionRecord
    report: EvaluationReport
    comparison: Comparison | None
    beside: EvaluationReport | None = None


def version_files(record: ModelRecord, *, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Every file of a version by its path in the lake; the checksums of ``files`` are written into its
    record.

    Raises RegistryError when the model itself is not among ``files``.
    """
    if MODEL not in files or RECORD in files:
        raise RegistryError(f"Version {record.version} needs {MODEL} among its files, and {RECORD} is not one of them.")
    complete = record.model_copy(update={"files": {name: digest(files[name]) for name in sorted(files)}})
    contents = {**files, RECORD: complete.to_json()}
    return {
        model_path(record.use_case, version=record.version, name=name): content for name, content in contents.items()
    }


def evaluation_files(
    decision: GateDecision,
    *,
    use_case: str,
    version: str,
    champion: str | None,
    decided_at: datetime,
    report: EvaluationReport,
    predictions: bytes,
    comparison: Comparison | None,
    beside: EvaluationReport | None = None,
    record: bytes | None = None,
    gates: Sequence[Gate] | None = None,
    judged_on: Literal["test", "shadow"] = "test",
) -> dict[str, bytes]:
    """Every file of an evaluation by its path in the lake. ``champion`` is the version it was compared with,
    if any, and ``beside`` what that reached on the same rows; ``record`` the content of the version's record,
    ``gates`` what was declared.
    """
    contents = {REPORT: report.to_json(), PREDICTIONS: predictions}
    if comparison is not None:
        contents[COMPARISON] = comparison.to_json()
    if beside is not None:
        contents[BESIDE] = beside.to_json()
    decided = DecisionRecord(
        use_case=use_case,
        version=version,
        decided_at=decided_at,
        champion=champion,
        files={name: digest(content) for name, content in contents.items()},
        decision=decision,
        record=None if record is None else digest(record),
        gates=None if gates is None else as_declared(gates),
        judged_on=judged_on,
    )
    contents[DECISION] = decided.to_json()
    return {evaluation_path(use_case, version=version, name=name): content for name, content in contents.items()}


def load_record(snapshot: Snapshot, *, use_case: str, version: str) -> ModelRecord:
    """The record of a version. Raises RegistryError listing the known versions when there is no such one."""
    path = model_path(use_case, version=version, name=RECORD)
    if not snapshot.exists(path):
        known = ", ".join(version_ids(snapshot, use_case=use_case)) or "none yet"
        raise RegistryError(f"Unknown version '{version}' of {use_case}. Versions: {known}.")
    record = read_document(ModelRecord, snapshot.read(path), path=path)
    if (record.use_case, record.version) != (use_case, version):
        raise RegistryError(f"'{path}' is the record of {record.use_case} {record.version}.")
    return record


def load_version(snapshot: Snapshot, *, use_case: str, version: str) -> ModelVersion:
    """A version with all its files. Raises RegistryError naming the file whose bytes are not the recorded
    ones; of the record itself, those that the decision on the version says.
    """
    record = load_record(snapshot, use_case=use_case, version=version)
    try:
        judged = load_decision(snapshot, use_case=use_case, version=version)
    except RegistryError:
        judged = None  # what a damaged decision says of the record counts for nothing; promoting meets it
    if judged is not None:
        _verify_record(snapshot, judged)
    paths = {name: model_path(use_case, version=version, name=name) for name in record.files}
    return ModelVersion(record=record, files=_verified(snapshot, paths=paths, checksums=record.files))


def load_evaluation(snapshot: Snapshot, *, use_case: str, version: str) -> Evaluation | None:
    """The evaluation of a version with its checksums verified, ``None`` if it was not evaluated.

    Raises RegistryError or EvaluationError naming what is damaged.
    """
    record = load_decision(snapshot, use_case=use_case, version=version)
    if record is None:
        return None
    _verify_record(snapshot, record)
    paths = {name: evaluation_path(use_case, version=version, name=name) for name in record.files}
    files = _verified(snapshot, paths=paths, checksums=record.files)
    return Evaluation(
        record=record,
        report=EvaluationReport.from_json(files[REPORT]),
        comparison=Comparison.from_json(files[COMPARISON]) if COMPARISON in files else None,
        beside=EvaluationReport.from_json(files[BESIDE]) if BESIDE in files else None,
    )


def load_decision(snapshot: Snapshot, *, use_case: str, version: str) -> DecisionRecord | None:
    """The decision on a version, ``None`` if it was not evaluated. Raises RegistryError when it cannot be read."""
    path = evaluation_path(use_case, version=version, name=DECISION)
    if not snapshot.exists(path):
        return None
    record = read_document(DecisionRecord, snapshot.read(path), path=path)
    if (record.use_case, record.version) != (use_case, version):
        raise RegistryError(f"'{path}' is the decision on {record.use_case} {record.version}.")
    return record


def report_of(snapshot: Snapshot, *, use_case: str, version: str | None) -> EvaluationReport | None:
    """The report on a version, ``None`` without a version or if it was not evaluated."""
    found = load_evaluation(snapshot, use_case=use_case, version=version) if version else None
    return found.report if found else None


def decided_again(snapshot: Snapshot, evaluation: Evaluation, *, use_case: UseCase) -> GateDecision:
    """What today's gates say to figures that are on record, beside those of the champion they were compared with."""
    if evaluation.record.judged_on == "shadow":
        gates = live_gates(use_case.gates, task=use_case.task)
        return decide(evaluation.report, gates, comparison=evaluation.comparison)
    before = report_of(snapshot, use_case=use_case.name, version=evaluation.record.champion)
    return decide(
        evaluation.report,
        use_case.gates,
        comparison=evaluation.comparison,
        previous=before,
        beside=evaluation.beside,
    )


def stored_files(snapshot: Snapshot, *, prefix: str) -> dict[str, bytes]:
    """Every file below ``prefix`` as it is, by its path."""
    return {info.path: snapshot.read(info.path) for info in snapshot.paths(prefix)}


def open_candidate(snapshot: Snapshot, *, use_case: UseCase, version: str) -> Candidate:
    """A version ready to be judged. Raises RegistryError when there is no such one, or it is damaged."""
    model = load_version(snapshot, use_case=use_case.name, version=version)
    scorer = Scorer.open(model.files, threads=use_case.recipe.threads)
    return Candidate(version=version, scorer=scorer, threshold=model.record.threshold)


def version_ids(snapshot: Snapshot, *, use_case: str) -> tuple[str, ...]:
    """The ids of all versions, in order."""
    prefix, end = f"{use_case}/models/", f"/{RECORD}"
    paths = (info.path for info in snapshot.paths(prefix))
    return tuple(sorted(path.removeprefix(prefix).removesuffix(end) for path in paths if path.endswith(end)))


def verify_answers(model: ModelVersion) -> None:
    """Lets the whole version score one row of missing values, through its vocabulary and calibration. Raises
    RegistryError when it does not load or answer a number.
    """
    try:
        scorer = Scorer.open(model.files)
        kinds = {feature.name: feature.kind for feature in scorer.features}
        unknown = {
            name: pa.nulls(1, pa.string() if kind == "categorical" else pa.int64()) for name, kind in kinds.items()
        }
        answer = scorer.scores(pa.table({"id": [""], **unknown}))
    except (PlatformError, ValueError, TypeError, KeyError, AttributeError) as error:
        told = f"{type(error).__name__}: {error}"
        raise RegistryError(f"Version {model.record.version} does not load and answer. {told}") from error
    if not bool(np.isfinite(answer).all()):
        raise RegistryError(f"Version {model.record.version} loads but answers {answer.tolist()}.")


def _verify_record(snapshot: Snapshot, judged: DecisionRecord) -> None:
    path = model_path(judged.use_case, version=judged.version, name=RECORD)
    if judged.record is not None and snapshot.exists(path) and digest(snapshot.read(path)) != judged.record:
        raise RegistryError(
            f"'{path}' is damaged: its bytes do not have the SHA-256 that it was judged with. Restore it from an "
            f"earlier commit of the lake, or train the version anew."
        )


def _verified(snapshot: Snapshot, *, paths: Mapping[str, str], checksums: Mapping[str, str]) -> dict[str, bytes]:
    files = {}
    for name, path in paths.items():
        if not snapshot.exists(path):
            raise RegistryError(f"'{path}' is recorded but not in the lake at commit {snapshot.commit[:12]}.")
        files[name] = snapshot.read(path)
        if digest(files[name]) != checksums[name]:
            again = (
                f"materialise {path.split('/')[0]}/evaluation of it again" if "/evaluations/" in path else "train anew"
            )
            raise RegistryError(
                f"'{path}' is damaged: its bytes do not have the SHA-256 in its record. Restore it, or {again}."
            )
    return files

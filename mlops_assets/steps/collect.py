"""Collect: what the service answered and what became of it, into the lake exactly once, with its hourly figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.errors import ServingError
from mlops_assets.contract.paths import prediction_log_folder, served_outcomes_folder
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import read_parquet
from mlops_assets.steps.step import Step
from mlops_assets.stores.predictions.collected_files import CollectedFile, collected_files, collected_upto
from mlops_assets.stores.predictions.collection import Pending, Piece, cut, join, runs
from mlops_assets.stores.predictions.prediction_log import PredictionLog
from mlops_assets.stores.predictions.served_metrics import (
    are_of_all_rows,
    figures_of_file,
    figures_path,
    without_figures,
)
from mlops_assets.stores.predictions.service_figures import Services, service_file

COLLECTED_ONCE = "every_record_collected_once"


@dataclass(frozen=True, kw_only=True)
class Collected:
    """What of the log the lake did not hold yet, how many files of it the lake held, and how many of them are
    ``joined`` now; ``pruned`` records were dropped from the log. Once published, the lake holds the log ``upto`` this
    number. ``caught_up`` files of an earlier version got their figures. ``service`` says which are not told of.
    """

    pieces: tuple[Piece, ...]
    outcomes: int
    files_before: int
    joined: int
    pruned: int
    upto: int
    caught_up: int = 0
    service: str = ""

    @property
    def rows(self) -> int:
        """How many answers were collected."""
        return sum(piece.file.rows for piece in self.pieces)

    @property
    def event_days(self) -> str:
        """The days of their events, for people."""
        spans = sorted(piece.file.events for piece in self.pieces if piece.file.events)
        return ", ".join(dict.fromkeys(str(a) if a == b else f"{a} to {b}" for a, b in spans)) or "none"


@dataclass(frozen=True, kw_only=True)
class _Made:
    """The files of one folder: what is ``new``, what is written in all, and what it replaces."""

    new: list[Piece]
    written: list[Piece]
    replaced: list[str]


def collect(
    head: Snapshot,
    *,
    use_case: UseCase,
    log: PredictionLog,
    now: datetime,
    into: Path,
    kept: timedelta,
    services: Services | None = None,
) -> Step[Collected]:
    """Hold ``log.collecting()`` from before ``head`` is read until the step is published.

    Where collecting goes on is read off ``head``. Its files are written below the empty folder ``into``, and must be
    there until they are published. What ``head`` holds and is older than ``kept`` is dropped from the log.
    ``services`` are asked what they have counted.
    """
    held = collected_files(head, folder=prediction_log_folder(use_case.name))
    upto = _upto(held.values(), log=log)
    pending = Pending(
        read=log.read_after,
        after=upto,
        folder=prediction_log_folder(use_case.name),
        log_id=log.log_id,
        moment="answered_at",
        place=log.place,
    )
    answers = _made(head, held, pending=pending, now=now, into=into)
    outcomes = _outcomes(head, use_case=use_case, log=log, now=now, into=into)
    written = [*answers.written, *outcomes.written]
    late = [path for path in without_figures(head, held, use_case=use_case.name) if path not in answers.replaced]
    told_of = {piece.file.path: piece.source for piece in answers.written} | {path: head.local(path) for path in late}
    counted, unheard = services.ask(use_case=use_case.name, now=now) if services else ({}, "")
    service = service_file(head, counted, use_case=use_case.name, now=now)
    return Step(
        files={
            **{piece.file.path: piece.source for piece in written},
            **_figures(head, told_of, use_case=use_case),
            **dict([service] if service else []),
        },
        deletes=[
            *answers.replaced,
            *outcomes.replaced,
            *(figures_path(path, use_case=use_case.name) for path in answers.replaced),
        ],
        audit=lambda staged: [_collected(staged, written, use_case=use_case, log_id=log.log_id, told_of=told_of)],
        outcome=Collected(
            pieces=tuple(answers.new),
            outcomes=sum(piece.file.rows for piece in outcomes.new),
            files_before=len(held),
            joined=len(answers.replaced),
            pruned=log.prune(upto=upto, before=now - kept),
            upto=upto + sum(piece.file.rows for piece in answers.new),
            caught_up=len(late),
            service=unheard,
        ),
    )


def _figures(head: Snapshot, told_of: Mapping[str, Path], *, use_case: UseCase) -> dict[str, bytes]:
    """The figures of files of answers (by their paths in the lake) as files."""
    return {
        figures_path(path, use_case=use_case.name): figures_of_file(head, source, use_case=use_case)
        for path, source in told_of.items()
    }


def _upto(held: Iterable[CollectedFile], *, log: PredictionLog) -> int:
    """The last number of the log that the lake holds; ServingError if the log has not come so far."""
    upto, last = collected_upto(held, log_id=log.log_id), log.last_seq()
    if upto > last:
        raise ServingError(
            f"The lake holds predictions up to number {upto} of log {log.log_id}, but {log.place} ends at {last}: it "
            "was put back from an older copy. Move it away; the service starts a new one."
        )
    return upto


def _outcomes(head: Snapshot, *, use_case: UseCase, log: PredictionLog, now: datetime, into: Path) -> _Made:
    folder = served_outcomes_folder(use_case.name)
    held = collected_files(head, folder=folder)
    pending = Pending(
        read=log.outcomes_after,
        after=collected_upto(held.values(), log_id=log.log_id),
        folder=folder,
        log_id=log.log_id,
        moment="recorded_at",
        place=log.place,
    )
    return _made(head, held, pending=pending, now=now, into=into)


def _made(head: Snapshot, held: Mapping[str, CollectedFile], *, pending: Pending, now: datetime, into: Path) -> _Made:
    """What is pending, cut; and what the lake holds of a day that is over, joined with it."""
    new = cut(pending, into=into)
    sources = {id(piece.file): piece.source for piece in new}
    paths = {id(file): path for path, file in held.items() if file.log_id == pending.log_id}
    made = _Made(new=new, written=[], replaced=[])
    ours = [file for file in held.values() if id(file) in paths]
    for run in runs([*ours, *(piece.file for piece in new)], before=now.date()):
        if len(run) == 1 and id(run[0]) in paths:
            continue
        parts = [Piece(file=file, source=sources.get(id(file)) or head.local(paths[id(file)])) for file in run]
        made.written.append(join(parts, into=into) if len(parts) > 1 else parts[0])
        made.replaced.extend(paths[id(file)] for file in run if id(file) in paths)
    return made


def _collected(
    staged: Snapshot, written: Sequence[Piece], *, use_case: UseCase, log_id: str, told_of: Iterable[str]
) -> CheckResult:
    wrong = [piece.file.path for piece in written if not _holds_all(staged, piece.file)]
    reasons = [f"These files do not hold the log's records: {', '.join(wrong)}."] if wrong else []
    lacking = [path for path in told_of if not are_of_all_rows(staged, path, use_case=use_case.name)]
    reasons += [f"The figures of these files are not of all their answers: {', '.join(lacking)}."] if lacking else []
    for folder in (prediction_log_folder(use_case.name), served_outcomes_folder(use_case.name)):
        reasons += _overlaps(collected_files(staged, folder=folder), log_id=log_id)
    return CheckResult(
        name=COLLECTED_ONCE,
        passed=not reasons,
        figures={"records": sum(piece.file.rows for piece in written), "files": len(written)},
        reasons=tuple(reasons),
    )


def _holds_all(staged: Snapshot, file: CollectedFile) -> bool:
    """Whether a file has the numbers that its name says, each once and in order."""
    numbers = read_parquet(staged.local(file.path), columns=["seq"])["seq"].to_numpy()
    return np.array_equal(numbers, np.arange(file.first, file.last + 1))


def _overlaps(files: Mapping[str, CollectedFile], *, log_id: str) -> list[str]:
    """Files that hold what another one holds: of two collections at once, or of joining that left its parts."""
    ours = sorted((file.first, file.last, path) for path, file in files.items() if file.log_id == log_id)
    return [
        f"{path} holds records that {other} holds too: collect again."
        for (_, last, other), (first, _, path) in pairwise(ours)
        if first <= last
    ]

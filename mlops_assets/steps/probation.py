"""Probation: the champion that a retraining made beside the one before it, on the batches that came since.

Both score the same labelled examples, which neither has learnt from nor was judged on. From the third batch on each new
one is looked at, until there are fourteen; a champion that is worse than its gates allow goes back by itself.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.use_case import UseCase
from mlops_assets.judge.few_days import FEWEST, compare_few_days
from mlops_assets.judge.live import LiveVerdict, live_verdicts
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.write import Write
from mlops_assets.steps.move_champion import Moves
from mlops_assets.steps.score import rows_of_batch
from mlops_assets.stores.landing.progress import history_inputs
from mlops_assets.stores.models.champion import Pointer, champion, commit_of_last_move
from mlops_assets.stores.models.eligibility import why_not_answered
from mlops_assets.stores.models.record import Document, read_document
from mlops_assets.stores.models.registry import load_record, open_candidate
from mlops_assets.training.fit import clusters_of, counted, labels_of, weights_of

LONGEST = 14
"""Batches after which a promotion stands."""
LEVEL = 0.01
"""Of each look; there are up to a dozen, on rows that are mostly the same."""


class ProbationRecord(Document):
    """What the last look said: of the promotion ``sequence``, on so many ``batches``."""

    schema_version: Literal[1] = 1
    use_case: str
    version: str
    sequence: int
    batches: int
    verdict: Literal["holds", "cannot be judged", "rolled back"]
    told: str


def on_probation(lake: Lake, *, use_case: UseCase) -> Pointer | None:
    """The promotion that may still go back by itself; None if a person made it, or none came before."""
    pointer = champion(lake.at(), use_case=use_case.name)
    made = pointer is not None and pointer.action == "promoted" and pointer.retraining and pointer.previous
    return pointer if made else None


def batches_since(lake: Lake, *, use_case: UseCase) -> tuple[str, ...]:
    """The first batches, at most ``LONGEST``, that have all of their files since the champion serves, in order."""
    before = history_inputs(lake.at(commit_of_last_move(lake, use_case=use_case.name)), use_case=use_case)
    return tuple(sorted(history_inputs(lake.at(), use_case=use_case).keys() - before.keys())[:LONGEST])


def why_no_look(lake: Lake, *, use_case: UseCase) -> str:
    """Why there is nothing to look at now; empty if there is."""
    pointer = on_probation(lake, use_case=use_case)
    if pointer is None:
        return "No promotion by a retraining is on probation."
    there = len(batches_since(lake, use_case=use_case))
    if there < FEWEST:
        return f"{pointer.version} is on probation: {there} of the {FEWEST} batches that can tell have landed."
    last = last_look(lake.at(), use_case=use_case.name)
    if last and (last.sequence, last.batches) == (pointer.sequence, there):
        over = "Its probation is over." if there == LONGEST else "The next batch is looked at again."
        return f"{last.told} {over}"
    return ""


def look(moves: Moves) -> ProbationRecord | None:
    """Judges the promotion on what has landed since, and rolls it back where it is shown to be worse; None where there
    is nothing to look at.
    """
    lake, use_case = moves.lake, moves.use_case
    pointer = on_probation(lake, use_case=use_case)
    if pointer is None or pointer.previous is None or why_no_look(lake, use_case=use_case):
        return None
    batches = batches_since(lake, use_case=use_case)
    verdicts, lacking = _verdicts(moves, pointer, batches=batches)
    said = f"On {batches[0]} to {batches[-1]} beside {pointer.previous}: "
    said += lacking or "; ".join(verdict.told for verdict in verdicts)
    worse = any(verdict.worse for verdict in verdicts)
    if worse:
        moves.roll_back(pointer.version, why=f"bad outcomes. {said}")
    judged = "rolled back" if worse else "cannot be judged" if lacking or not _held(verdicts) else "holds"
    verb = {"rolled back": "was rolled back", "holds": "holds", "cannot be judged": "is not shown to be worse"}[judged]
    record = ProbationRecord(
        use_case=use_case.name,
        version=pointer.version,
        sequence=pointer.sequence,
        batches=len(batches),
        verdict=judged,  # type: ignore[arg-type]
        told=f"{pointer.version} {verb}. {said}.",
    )
    return _keep(moves, record)


def last_look(head: Snapshot, *, use_case: str) -> ProbationRecord | None:
    """What the last look said; None before the first."""
    path = _path(use_case)
    return read_document(ProbationRecord, head.read(path), path=path) if head.exists(path) else None


def _held(verdicts: tuple[LiveVerdict, ...]) -> bool:
    return all(verdict.held for verdict in verdicts)


def _verdicts(moves: Moves, pointer: Pointer, *, batches: tuple[str, ...]) -> tuple[tuple[LiveVerdict, ...], str]:
    """What the gates' metrics say, or why none can."""
    head, use_case = moves.lake.at(), moves.use_case
    rows = _labelled(moves, head, batches=batches)
    if not rows.num_rows:
        return (), "no outcome is known"
    ours, theirs = (
        open_candidate(head, use_case=use_case, version=version) for version in (pointer.version, str(pointer.previous))
    )
    record = load_record(head, use_case=use_case.name, version=theirs.version)
    if lacking := why_not_answered(record, theirs.scorer, columns=rows.column_names):
        return (), lacking
    told: Any = {"task": use_case.task, "thresholds": (ours.threshold, theirs.threshold)}
    comparison = compare_few_days(
        labels_of(rows),
        ours.scorer.scores(rows),
        champion=theirs.scorer.scores(rows),
        opponent=theirs.version,
        days=np.asarray(rows["batch"].to_pylist()),
        by_day=use_case.clusters == "day",
        clusters=clusters_of(rows, use_case=use_case),
        weights=weights_of(rows, use_case=use_case),
        **told,
    )
    return live_verdicts(comparison, gates=use_case.gates, task=use_case.task, level=LEVEL), ""


def _labelled(moves: Moves, head: Snapshot, *, batches: tuple[str, ...]) -> pa.Table:
    """The examples of the batches that count and whose outcomes are known, with their features and ``batch``."""
    with moves.connect() as connection:
        tables = [
            rows.append_column("batch", pa.array([batch] * rows.num_rows, pa.string()))
            for batch in batches
            for rows in [rows_of_batch(connection, head, moves.use_case, batch=batch)]
        ]
    together = pa.concat_tables(tables)
    return counted(together.filter(pc.is_valid(together["label"])), use_case=moves.use_case)


def _keep(moves: Moves, record: ProbationRecord) -> ProbationRecord:
    path = _path(record.use_case)

    def audit(staged: Snapshot) -> list[CheckResult]:
        same = last_look(staged, use_case=record.use_case) == record
        reasons = () if same else (f"'{path}' does not read back as it was written.",)
        return [CheckResult(name="look_reads_back", passed=same, reasons=reasons)]

    write = Write(use_case=record.use_case, asset="trial", run_id=moves.run_id, message=record.told)
    moves.lake.publish(write, files={path: record.to_json()}, audit=audit)
    return record


def _path(use_case: str) -> str:
    return f"{use_case}/probation.json"

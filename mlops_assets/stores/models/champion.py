"""The champion's pointer: which version serves, who moved it there and why, and every move before.

The pointer moves by one lake commit that holds the pointer and its event, and only if it still is what was
read: of two promotions at once one is refused. Whether a version deserves it is decided by ``decide`` in
``judge/gate_decision.py``; here that decision is verified by deciding again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.errors import RegistryError, VersionHeld
from mlops_assets.contract.paths import evaluation_path
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.write import Write
from mlops_assets.stores.models.eligibility import why_not_answered
from mlops_assets.stores.models.explanation import why_held
from mlops_assets.stores.models.record import (
    DECISION,
    Document,
    ModelRecord,
    as_declared,
    digest,
    read_document,
)
from mlops_assets.stores.models.registry import (
    ModelVersion,
    decided_again,
    load_decision,
    load_evaluation,
    load_version,
    verify_answers,
)
from mlops_assets.training.scoring import Scorer


class Pointer(Document):
    """Which version serves, and the event that made it so.

    ``sequence`` counts the events of a use case from 1. ``previous`` is where a rollback goes: the champion
    before this one. ``decision`` is the SHA-256 of the decision it was promoted on; ``overridden`` holds the
    reasons that were overruled. ``retraining`` is why the retraining was due that it came of; empty where a person
    trained it.
    """

    schema_version: Literal[1] = 1
    use_case: str
    sequence: int
    action: Literal["promoted", "rolled back"]
    version: str
    previous: str | None
    at: AwareDatetime
    by: str
    why: str
    decision: str | None = None
    overridden: tuple[str, ...] = ()
    retraining: str = ""


def champion(snapshot: Snapshot, *, use_case: str) -> Pointer | None:
    """The champion's pointer, ``None`` before the first promotion."""
    path = _pointer_path(use_case)
    return read_document(Pointer, snapshot.read(path), path=path) if snapshot.exists(path) else None


def require_champion(snapshot: Snapshot, *, use_case: str) -> Pointer:
    """The champion's pointer. Raises RegistryError saying what to do before the first promotion."""
    found = champion(snapshot, use_case=use_case)
    if found is None:
        raise RegistryError(f"{use_case} has no champion yet: materialise {use_case}/champion.")
    return found


def events(snapshot: Snapshot, *, use_case: str) -> tuple[Pointer, ...]:
    """Every move of the pointer, oldest first."""
    paths = (info.path for info in snapshot.paths(f"{use_case}/champion_events/"))
    return tuple(read_document(Pointer, snapshot.read(path), path=path) for path in paths)


def commit_of_last_move(lake: Lake, *, use_case: str) -> str:
    """The commit of the lake that made the present champion serve. Raises RegistryError before the first promotion."""
    require_champion(lake.at(), use_case=use_case)
    return lake.log(_pointer_path(use_case), limit=1)[0].id


def reign(snapshot: Snapshot, *, use_case: str) -> Pointer | None:
    """The promotion by which the present champion serves, ``None`` without one.

    After a rollback that is the promotion which the version was first made champion by, with whom and what it overrode.
    """
    in_force = _promotions_in_force(events(snapshot, use_case=use_case))
    return in_force[-1] if in_force else None


def promote(
    lake: Lake,
    *,
    use_case: UseCase,
    version: str,
    by: str,
    why: str,
    at: datetime,
    override: bool = False,
    retraining: str = "",
    run_id: str = "",
    make_ready: Callable[[str], object] | None = None,
) -> Pointer:
    """Makes ``version`` the champion, if its recorded decision says so, today's gates say the same to its verified
    report, and every checksum holds; the pointer as it is then.

    ``override`` overrules the decision (never a checksum, nor that there is none), and what it overruled is kept in the
    pointer. Promoting the champion again changes nothing. ``make_ready`` is called with the version once it may be
    promoted and before the pointer moves, so that whatever reads the pointer finds it ready. Raises RegistryError when
    the version was not evaluated, may not be promoted, or is by an override without a reason, VersionHeld when its
    figures are too good to be true and nobody said why they are right, and WriteRefused when the pointer was moved
    meanwhile.
    """
    snapshot, name = lake.at(), use_case.name
    current = champion(snapshot, use_case=name)
    model = _answering(snapshot, use_case=use_case, version=version)
    if current is not None and current.version == version:
        _pin(lake, record=model.record, commit=snapshot.commit)
        return current
    objections = _objections(snapshot, use_case=use_case, version=version, current=current)
    if objections and not override:
        raise _refusal(objections, use_case=name, version=version)
    held = why_held(snapshot, use_case=use_case, version=version)
    if held and not override:
        raise VersionHeld(held)
    objections = (*objections, held) if held else objections
    if objections and not why.strip():
        raise RegistryError(f"Overruling what speaks against {version} of {name} needs a reason.")
    pointer = Pointer(
        use_case=name,
        sequence=1 if current is None else current.sequence + 1,
        action="promoted",
        version=version,
        previous=None if current is None else current.version,
        at=at,
        by=by,
        why=why,
        decision=digest(snapshot.read(evaluation_path(name, version=version, name=DECISION))),
        overridden=objections,
        retraining=retraining,
    )
    if make_ready:
        make_ready(version)
    return _move(lake, pointer, current=current, record=model.record, run_id=run_id)


def verify_promotable(snapshot: Snapshot, *, use_case: UseCase, version: str) -> None:
    """Raises RegistryError with everything that ``promote`` would object to; the pointer stays where it is."""
    _answering(snapshot, use_case=use_case, version=version)
    current = champion(snapshot, use_case=use_case.name)
    if objections := _objections(snapshot, use_case=use_case, version=version, current=current):
        raise _refusal(objections, use_case=use_case.name, version=version)
    if held := why_held(snapshot, use_case=use_case, version=version):
        raise VersionHeld(held)


def rollback(
    lake: Lake,
    *,
    use_case: UseCase,
    by: str,
    why: str,
    at: datetime,
    of: str | None = None,
    run_id: str = "",
    make_ready: Callable[[str], object] | None = None,
) -> Pointer:
    """Makes the champion before the present one the champion again, after verifying that it loads and
    answers.

    Rolling back twice goes two champions back. With ``of`` only that version is rolled back: it is refused where
    another serves by now. ``make_ready`` is as for ``promote``. Raises RegistryError when there is none before, it is
    damaged or was never evaluated, or it needs columns that today's features do not give.
    """
    snapshot, name = lake.at(), use_case.name
    current = champion(snapshot, use_case=name)
    if current is None or current.previous is None:
        raise RegistryError(f"There is no champion of {name} before the present one to roll back to.")
    if of not in (None, current.version):
        raise RegistryError(f"{of} is not rolled back: {current.version} serves by now.")
    model = _answering(snapshot, use_case=use_case, version=current.previous)
    if load_decision(snapshot, use_case=name, version=current.previous) is None:
        raise _not_evaluated(current.previous, use_case=name)
    before = _promotions_in_force(events(snapshot, use_case=name))[-2]
    pointer = Pointer(
        use_case=name,
        sequence=current.sequence + 1,
        action="rolled back",
        version=before.version,
        previous=before.previous,
        at=at,
        by=by,
        why=why,
        decision=before.decision,
        overridden=before.overridden,
    )
    if make_ready:
        make_ready(pointer.version)
    return _move(lake, pointer, current=current, record=model.record, run_id=run_id)


def _answering(snapshot: Snapshot, *, use_case: UseCase, version: str) -> ModelVersion:
    """The version, if it answers and today's features give what it needs."""
    model = load_version(snapshot, use_case=use_case.name, version=version)
    verify_answers(model)
    columns = [feature.name for feature in use_case.features]
    if lacking := why_not_answered(model.record, Scorer.open(model.files), columns=columns):
        raise RegistryError(f"{lacking}.")
    return model


def _promotions_in_force(moves: tuple[Pointer, ...]) -> list[Pointer]:
    """The promotions that no rollback has undone, oldest first; the last one is of the present champion."""
    stack: list[Pointer] = []
    for move in moves:
        if move.action == "promoted":
            stack.append(move)
        else:
            stack.pop()
    return stack


def _objections(snapshot: Snapshot, *, use_case: UseCase, version: str, current: Pointer | None) -> tuple[str, ...]:
    """Why the recorded decision, or deciding again, does not allow this; checksums are verified on the way.

    Raises RegistryError when there is no decision: that nobody knows how good a version is cannot be overruled.
    """
    evaluation = load_evaluation(snapshot, use_case=use_case.name, version=version)
    if evaluation is None:
        raise _not_evaluated(version, use_case=use_case.name)
    record, serving = evaluation.record, None if current is None else current.version
    objections = [] if record.decision.passed else list(record.decision.reasons) or ["its gates failed"]
    again = decided_again(snapshot, evaluation, use_case=use_case)
    if record.decision.passed and not again.passed:
        objections.append(f"its {DECISION} says passed, but its figures fail the gates: {'; '.join(again.reasons)}")
    if record.gates not in (None, as_declared(use_case.gates)):
        objections.append(f"it was judged by other gates than {use_case.name} declares now")
    if record.champion != serving:
        objections.append(
            f"it was judged against {record.champion or 'no champion'}, but {serving or 'none'} serves now"
        )
    return tuple(objections)


def _refusal(objections: tuple[str, ...], *, use_case: str, version: str) -> RegistryError:
    return RegistryError(
        f"Version {version} of {use_case} may not be promoted: {'; '.join(objections)}."
        + _remedy(objections, use_case=use_case, version=version)
    )


def _remedy(objections: tuple[str, ...], *, use_case: str, version: str) -> str:
    """What to do where it is not the gates that object."""
    if not any(each.startswith(("it was judged", f"its {DECISION}")) for each in objections):
        return ""
    return _evaluate_first(version, use_case=use_case)


def _not_evaluated(version: str, *, use_case: str) -> RegistryError:
    return RegistryError(
        f"Version {version} of {use_case} cannot be champion, by no override either: it was not evaluated."
        + _evaluate_first(version, use_case=use_case)
    )


def _evaluate_first(version: str, *, use_case: str) -> str:
    return f" Materialise {use_case}/evaluation with `version: {version}` in its config, then promote again."


def _move(lake: Lake, pointer: Pointer, *, current: Pointer | None, record: ModelRecord, run_id: str) -> Pointer:
    """Publishes ``pointer`` with its event in one commit, unless the target's pointer is no longer
    ``current``.
    """

    def audit(staged: Snapshot) -> list[CheckResult]:
        now = champion(lake.at(), use_case=pointer.use_case)
        moved = now != current
        reason = f"{now.version if now else 'Nothing'} became champion meanwhile: look at it, then try again"
        verify_answers(load_version(staged, use_case=pointer.use_case, version=pointer.version))
        return [
            CheckResult(name="champion_is_as_read", passed=not moved, reasons=(reason,) if moved else ()),
            CheckResult(name="model_loads_and_answers", passed=True),
        ]

    content = pointer.to_json()
    event = f"{pointer.use_case}/champion_events/{pointer.sequence:06d}.json"
    write = Write(
        use_case=pointer.use_case,
        asset="champion",
        run_id=run_id,
        git_commit=record.git_commit,
        code_version=record.code_version,
        message=f"{pointer.use_case}: {pointer.version} {pointer.action} by {pointer.by}: {pointer.why}",
    )
    files = {_pointer_path(pointer.use_case): content, event: content}
    publication = lake.publish(write, files=files, audit=audit)
    _pin(lake, record=record, commit=publication.commit)
    return pointer


def _pin(lake: Lake, *, record: ModelRecord, commit: str) -> None:
    """Keeps a champion and the data it was trained on from garbage collection."""
    name = f"{record.use_case}-{record.version}"
    held = lake.pins()
    for pinned, at in ((name, commit), (f"{name}-data", record.data_commit)):
        if pinned not in held:
            lake.pin(pinned, commit=at)


def _pointer_path(use_case: str) -> str:
    return f"{use_case}/champion.json"

"""When a model is trained again by itself, what a challenger must go through then, and the decision from what is known.

Reading what is known is in ``stores/predictions/training_state.py``; starting a run in ``orchestration/``; trying a
challenger in ``steps/trial.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from mlops_assets.contract.declared_numbers import ONE_OR_MORE, refuse_numbers
from mlops_assets.contract.errors import DeclarationError

NAMED = 3
PERIOD = timedelta(days=30)
"""What ``at_most`` counts over."""


@dataclass(frozen=True, kw_only=True)
class Shadow:
    """A challenger scores what the champion answers, until the outcomes of ``days`` served days are known."""

    days: int = 7

    def __post_init__(self) -> None:
        refuse_numbers(self, days=ONE_OR_MORE)


@dataclass(frozen=True, kw_only=True)
class Canary:
    """A challenger answers ``steps``, rising shares of the rows, ``every`` at least for each."""

    steps: tuple[float, ...] = (0.01, 0.05, 0.25, 0.5)
    every: timedelta = timedelta(minutes=10)

    def __post_init__(self) -> None:
        rising = list(self.steps) == sorted(set(self.steps))
        if not self.steps or not rising or not 0 < self.steps[0] <= self.steps[-1] < 1:
            raise DeclarationError(f"A Canary's steps are {self.steps}: give shares that rise, above 0 and below 1.")
        _refuse_no_time("Canary", every=self.every)


@dataclass(frozen=True, kw_only=True)
class Retrain:
    """When the champion is due to be challenged by a model trained on everything that has landed since.

    It is due ``every`` so long after the champion's training; ``when_worse``, once its realised loss was worse than
    promised in two weeks running; ``after_drift`` after an input began to look otherwise for good. ``cooldown`` is the
    least time from one retraining, or rollback, to the next, ``at_most`` how many may begin within 30 days.

    A challenger that passes its gates is tried first where a ``trial`` is declared, and then becomes champion by itself
    or, with ``promotion="approval"``, waits for a person. With ``refit`` it is learnt once more from all labelled rows;
    no row is left to judge that by, so a shadow has to.
    """

    cooldown: timedelta
    every: timedelta | None = None
    when_worse: bool = False
    after_drift: timedelta | None = None
    at_most: int = 4
    promotion: Literal["automatic", "approval"] = "automatic"
    trial: Shadow | Canary | None = None
    refit: bool = False

    def __post_init__(self) -> None:
        if self.every is None and self.after_drift is None and not self.when_worse:
            raise DeclarationError(
                "A Retrain needs a reason to be due: every=timedelta(…), when_worse=True or after_drift=timedelta(…)."
            )
        _refuse_no_time("Retrain", cooldown=self.cooldown, every=self.every, after_drift=self.after_drift)
        refuse_numbers(self, at_most=ONE_OR_MORE)
        if self.promotion not in ("automatic", "approval"):
            raise DeclarationError(f'A Retrain\'s promotion is \'{self.promotion}\': give "automatic" or "approval".')
        if self.refit and not isinstance(self.trial, Shadow):
            raise DeclarationError(
                "A Retrain with refit=True needs trial=Shadow(days=…): it has learnt every row that could judge it."
            )


@dataclass(frozen=True, kw_only=True)
class Drift:
    """An input that looks otherwise for good: the alert's cause, when it began, and why it is taken to last."""

    cause: str
    began: datetime
    lasting: str


@dataclass(frozen=True, kw_only=True)
class TrainingState:
    """What is known of a use case's training at one moment; moments carry a zone.

    ``champion`` serves and was trained at ``trained_at``; None before the first promotion. ``worse`` says by how much
    its realised loss was worse than promised two weeks running; empty if it was not. ``drifts`` began since that
    training. ``open_alerts`` are causes that speak against learning from what lands now. ``unlearnt`` are the batches
    that the newest version, promoted or not, has not learnt from; ``immature`` says why a model trained now could not
    be judged. ``running`` is the run that trains now, ``tried`` the challenger that is tried now. ``started`` are the
    beginnings of the last retrainings, the newest first; ``rolled_back_at`` is the last rollback.
    """

    champion: str | None
    trained_at: datetime | None
    worse: str = ""
    drifts: tuple[Drift, ...] = ()
    open_alerts: tuple[str, ...] = ()
    unlearnt: tuple[str, ...] = ()
    immature: str = ""
    running: str | None = None
    tried: str | None = None
    started: tuple[datetime, ...] = ()
    rolled_back_at: datetime | None = None


def why_retrain(plan: Retrain, *, state: TrainingState, now: datetime) -> str | None:
    """Why the champion is due to be challenged, in one sentence; None while it is not."""
    if state.champion is None or state.trained_at is None:
        return None
    if plan.when_worse and state.worse:
        return f"The champion {state.champion} is worse than promised: {state.worse}."
    for drift in state.drifts:
        if plan.after_drift is not None and now - drift.began >= plan.after_drift:
            return f"{drift.cause} looks otherwise since {drift.began:%Y-%m-%d} and {drift.lasting}."
    age = now - state.trained_at
    if plan.every is not None and age >= plan.every:
        return f"The champion {state.champion} was trained {_span(age)} ago, due every {_span(plan.every)}."
    return None


def why_wait(plan: Retrain, *, state: TrainingState, now: datetime) -> str | None:
    """Why no retraining may start now, in one sentence; None if one is due and nothing holds it back."""
    if state.champion is None or state.trained_at is None:
        return "There is no champion to challenge: the first model is trained by hand."
    if state.running is not None:
        return f"A model is being trained by run {state.running[:8]}: never two at once."
    reason = why_retrain(plan, state=state, now=now)
    if reason is None:
        return f"Not due: {'; '.join(_not_due(plan, state=state, now=now))}."
    held = next(_holding(plan, state=state, now=now), None)
    return held and f"Due, but {held}. {reason}"


def _holding(plan: Retrain, *, state: TrainingState, now: datetime) -> Iterator[str]:
    """What holds a retraining back that is due, the gravest first."""
    if state.open_alerts:
        yield (
            f"an alert about inputs is open ({_named(state.open_alerts)}), and a fault must not be learnt: mend it, or "
            f"say with `mlops alerts silence` why it is usual from now on"
        )
    if state.tried is not None:
        yield f"the challenger {state.tried} is tried first"
    if state.started and (since := now - state.started[0]) < plan.cooldown:
        yield f"the last retraining began {_span(since)} ago, and {_span(plan.cooldown)} is the cooldown"
    if state.rolled_back_at and (since := now - state.rolled_back_at) < plan.cooldown:
        yield f"the last promotion was rolled back {_span(since)} ago, and {_span(plan.cooldown)} is the cooldown"
    lately = sum(now - moment < PERIOD for moment in state.started)
    if lately >= plan.at_most:
        yield f"{lately} retrainings began within {PERIOD.days} days, and {plan.at_most} are allowed"
    if not state.unlearnt:
        yield "nothing has landed that the newest model has not learnt from"
    if state.immature:
        yield state.immature


def _not_due(plan: Retrain, *, state: TrainingState, now: datetime) -> Iterator[str]:
    assert state.trained_at is not None
    told = f"the champion {state.champion} was trained {_span(now - state.trained_at)} ago"
    yield told + (f" and is due every {_span(plan.every)}" if plan.every is not None else "")
    if plan.when_worse:
        yield "its realised loss was not worse than promised two weeks running"
    if plan.after_drift is not None:
        waiting = [drift for drift in state.drifts if now - drift.began < plan.after_drift]
        yield (
            f"{waiting[0].cause} looks otherwise since {waiting[0].began:%Y-%m-%d}, "
            f"which is due {_span(plan.after_drift)} later"
            if waiting
            else "no input has changed for good since"
        )


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _refuse_no_time(kind: str, **spans: timedelta | None) -> None:
    for name, span in spans.items():
        if span is not None and span <= timedelta(0):
            raise DeclarationError(f"A {kind}'s {name} is {span}: a time above zero is needed.")


def _span(span: timedelta) -> str:
    """``5 days``, ``3 hours``, ``20 minutes``: the largest unit of which there are two."""
    seconds = max(span.total_seconds(), 0)
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= 2 * size or (seconds == size):
            count = int(seconds // size)
            return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return f"{int(seconds)} seconds"

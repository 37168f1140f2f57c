"""When a model is trained again by itself: what a use case declares, and the decision from what is known at one moment.

Reading what is known is in ``stores/predictions/training_state.py``; starting a run in ``orchestration/``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from mlops_assets.contract.errors import DeclarationError

NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Retrain:
    """When the champion is due to be challenged by a model trained on everything that has landed since.

    ``every`` counts from the champion's training; ``when_deviating`` makes it due once a day that was watched after its
    training deviates. ``cooldown`` is the least time from the start of one retraining to the next, whatever the reason.
    """

    cooldown: timedelta
    every: timedelta | None = None
    when_deviating: bool = False

    def __post_init__(self) -> None:
        if self.every is None and not self.when_deviating:
            raise DeclarationError(
                "A Retrain needs a reason to be due: every=timedelta(…), when_deviating=True or both."
            )
        for name, span in (("cooldown", self.cooldown), ("every", self.every)):
            if span is not None and span <= timedelta(0):
                raise DeclarationError(f"A Retrain's {name} is {span}: a time above zero is needed.")


@dataclass(frozen=True, kw_only=True)
class TrainingState:
    """What is known of a use case's training at one moment; moments carry a zone.

    ``champion`` serves and was trained at ``trained_at``; None before the first promotion. ``deviating`` are the days
    that deviate by reports younger than that. ``unlearnt`` are the batches that the newest version, promoted or not,
    has not learnt from. ``running`` is the run that trains now, ``last_started`` when the last retraining began.
    """

    champion: str | None
    trained_at: datetime | None
    deviating: tuple[str, ...] = ()
    unlearnt: tuple[str, ...] = ()
    running: str | None = None
    last_started: datetime | None = None


def why_retrain(plan: Retrain, *, state: TrainingState, now: datetime) -> str | None:
    """Why the champion is due to be challenged, in one sentence; None while it is not."""
    if state.champion is None or state.trained_at is None:
        return None
    if plan.when_deviating and state.deviating:
        return (
            f"What was served on {_named(state.deviating)} deviates from what is normal for the champion "
            f"{state.champion}, by reports younger than its training."
        )
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
        return f"Not due: {_not_due(plan, state=state, now=now)}."
    if state.last_started is not None and (since := now - state.last_started) < plan.cooldown:
        cooldown = f"the last retraining began {_span(since)} ago, and {_span(plan.cooldown)} is the cooldown"
        return f"Due, but {cooldown}. {reason}"
    if not state.unlearnt:
        return f"Due, but nothing has landed that the newest model has not learnt from. {reason}"
    return None


def _not_due(plan: Retrain, *, state: TrainingState, now: datetime) -> str:
    assert state.trained_at is not None
    told = f"the champion {state.champion} was trained {_span(now - state.trained_at)} ago"
    told += f" and is due every {_span(plan.every)}" if plan.every is not None else ""
    return told + (", and no day watched since then deviates" if plan.when_deviating else "")


def _named(days: tuple[str, ...]) -> str:
    more = f" and {len(days) - NAMED} days more" if len(days) > NAMED else ""
    return ", ".join(days[:NAMED]) + more


def _span(span: timedelta) -> str:
    """``5 days``, ``3 hours``, ``20 minutes``: the largest unit of which there are two."""
    seconds = max(span.total_seconds(), 0)
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= 2 * size or (seconds == size):
            count = int(seconds // size)
            return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return f"{int(seconds)} seconds"

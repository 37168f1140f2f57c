"""From what files show and what a person answers to what is declared; each guess becomes a declaration with its reason.

``interview`` asks what cannot be known, ``propose`` decides the rest.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, cast, get_args

import numpy as np
import pyarrow.compute as pc

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.examples import RESERVED
from mlops_assets.watch.drafting.columns import Look, column_findings, key_findings, weight_like
from mlops_assets.watch.drafting.findings import Finding, fine, look, said
from mlops_assets.watch.drafting.labels import (
    Label,
    TaskWord,
    Telling,
    guess_task,
    label_as,
    label_findings,
    refuse_label,
    telling_columns,
    telling_findings,
)

Every = Literal["day", "week", "month"]
YES, NO = "yes", "no"
ROWS_A_BATCH = 20
"""So many rows make a batch worth judging by itself."""
MOST_BATCHES = 500
"""More batches than these are too many for files that are there already."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a person has said: of ``None`` and of what is not named, nothing yet."""

    label: str
    time: str | None = None
    every: Every | None = None
    key: tuple[str, ...] = ()
    task: TaskWord | None = None
    positive: str | None = None
    weight: str | None = None
    leave_out: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Question:
    """Something that files do not say: the flag that answers it, what may be answered, and the guess without one."""

    flag: str
    text: str
    choices: tuple[str, ...]
    guess: str


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What is declared: ``left_out`` has the reason of each column that is no feature; ``kept`` are leaks that a person
    wants; ``every`` says how long a batch lasts that is cut by ``time``.
    """

    label: Label
    features: tuple[str, ...]
    left_out: Mapping[str, str]
    key: tuple[str, ...] = ()
    time: str | None = None
    every: Every | None = None
    weight: str | None = None
    kept: tuple[Telling, ...] = ()
    findings: tuple[Finding, ...] = field(default=(), repr=False)


def interview(seen: Look, answers: Answers) -> Generator[Question, str, Answers]:
    """Asks one question after the other and returns the answers; a guess is an answer too."""
    refuse_label(seen, column=answers.label)
    guess = guess_task(seen, column=answers.label) if answers.task is None else None
    if guess and not guess.sure:
        choices = tuple(get_args(TaskWord))[1:]
        text = f"'{answers.label}': {guess.why}. Which one is it?"
        task = yield Question(flag="--task", text=text, choices=choices, guess=guess.task)
        answers = replace(answers, task=cast(TaskWord, task))
    elif guess:
        answers = replace(answers, task=guess.task)
    label = label_as(seen, column=answers.label, task=answers.task or "binary", positive=answers.positive)
    if label.positive and answers.positive is None:
        text = f"Which value of '{label.column}' counts as 1, the outcome that is looked for?"
        positive = yield Question(flag="--positive", text=text, choices=label.classes, guess=label.positive)
        answers = replace(answers, positive=positive)
    answers = yield from _columns_asked(seen, answers)
    return (yield from _leaks_asked(seen, answers))


def _columns_asked(seen: Look, answers: Answers) -> Generator[Question, str, Answers]:
    """Which columns name a row, weigh it, or say when it happened."""
    free = [name for name in seen.columns if name not in (*_given(answers), *answers.leave_out, *answers.keep)]
    for name in [name for name in free if seen.is_name(name)] if not answers.key else []:
        text = f"'{name}' is different in each row. Does it name a row for good, in later files too?"
        if (yield _yes_or_no("--key", text)) == YES:
            answers = replace(answers, key=(name,))
            break
    for name in weight_like(seen, label=answers.label) if not answers.weight else ():
        text = f"Does '{name}' say how many cases a row stands for, so that rows are weighted by it?"
        if name in free and (yield _yes_or_no("--weight", text)) == YES:
            return replace(answers, weight=name)
    times = [name for name in free if seen.columns[name].kind in ("date", "datetime") and not seen.missing[name]]
    for name in times if not answers.time else []:
        text = f"Does '{name}' say when a row happened, so that models are judged on what came later?"
        if (yield _yes_or_no("--time", text)) == YES:
            return replace(answers, time=name)
    return answers


def _leaks_asked(seen: Look, answers: Answers) -> Generator[Question, str, Answers]:
    label = label_as(seen, column=answers.label, task=answers.task or "binary", positive=answers.positive)
    among = [name for name in _candidates(seen, answers) if name not in answers.keep]
    leaks = [each for each in telling_columns(seen, label=label, among=among) if each.is_leak]
    if not leaks:
        return answers
    shown = ", ".join(f"'{each.column}' ({each.figure:.3f})" for each in leaks)
    text = f"By itself it nearly tells '{answers.label}' (1 is all): {shown}. Is it known only later, to be left out?"
    names = tuple(each.column for each in leaks)
    if (yield Question(flag="--leave-out", text=text, choices=(YES, NO), guess=YES)) == YES:
        return answers
    return replace(answers, keep=(*answers.keep, *names))


def _yes_or_no(flag: str, text: str) -> Question:
    return Question(flag=flag, text=text, choices=(YES, NO), guess=NO)


def propose(seen: Look, answers: Answers) -> Proposal:
    """What is declared by these answers, with all that is to be said; DeclarationError for what cannot be."""
    refuse_label(seen, column=answers.label)
    _refuse_unknown(seen, answers)
    task = answers.task or guess_task(seen, column=answers.label).task
    label = label_as(seen, column=answers.label, task=task, positive=answers.positive)
    candidates = _candidates(seen, answers)
    tellings = telling_columns(seen, label=label, among=candidates)
    left_out = _left_out(seen, answers, leaks=[each for each in tellings if each.is_leak])
    features = tuple(name for name in candidates if name not in left_out)
    if not features:
        raise DeclarationError(
            f"No column is left to learn from: {_reasons(left_out)}. Say --keep for what is known when an answer is "
            "asked for."
        )
    every = answers.every or (_every(seen, time=answers.time) if answers.time else None)
    return Proposal(
        label=label,
        features=features,
        left_out=left_out,
        key=answers.key,
        time=answers.time,
        every=every,
        weight=answers.weight,
        kept=tuple(each for each in tellings if each.is_leak and each.column in features),
        findings=(
            fine(f"{seen.count:,} rows, {len(seen.columns)} columns."),
            *column_findings(seen, but=(*_given(answers), *answers.leave_out)),
            *key_findings(seen, key=answers.key),
            *_weight_findings(seen, weight=answers.weight),
            *label_findings(seen, label=label, time=answers.time),
            *telling_findings([each for each in tellings if each.column not in answers.keep]),
            fine(f"{len(features)} features: {said(features, most=8)}."),
        ),
    )


def _given(answers: Answers) -> tuple[str, ...]:
    """The columns that have another part than that of a feature."""
    return tuple(name for name in (answers.label, answers.time, answers.weight, *answers.key) if name)


def _candidates(seen: Look, answers: Answers) -> tuple[str, ...]:
    """The columns that may be features, as far as they say anything by themselves."""
    mute = _mute(seen)
    return tuple(
        name
        for name in seen.columns
        if name not in (*_given(answers), *answers.leave_out) and (name not in mute or name in answers.keep)
    )


def _mute(seen: Look) -> dict[str, str]:
    """The columns that nothing can be learnt from, each with the reason."""
    reasons = {}
    for name, drafted in seen.columns.items():
        if name in RESERVED:
            reasons[name] = "is called as examples call something else: rename it to learn from it"
        elif seen.is_empty(name):
            reasons[name] = "has no value"
        elif seen.is_constant(name):
            reasons[name] = "is the same in every row"
        elif drafted.kind in ("date", "datetime") or drafted.dates:
            reasons[name] = "a time, by itself no feature"
        elif seen.is_name(name):
            reasons[name] = "names a row"
        elif seen.is_prose(name):
            reasons[name] = "hardly ever says the same twice"
    return reasons


def _left_out(seen: Look, answers: Answers, *, leaks: Sequence[Telling]) -> dict[str, str]:
    """In the order of the columns."""
    told = {each.column: f"tells the label by itself ({each.figure:.3f} of 1): known only later?" for each in leaks}
    reasons = {**told, **_mute(seen)}
    reasons = {name: reason for name, reason in reasons.items() if name not in answers.keep}
    reasons |= dict.fromkeys(answers.leave_out, "as you said")
    return {name: reasons[name] for name in seen.columns if name in reasons and name not in _given(answers)}


def _reasons(left_out: Mapping[str, str]) -> str:
    return "; ".join(f"'{name}' {reason}" for name, reason in left_out.items())


def _refuse_unknown(seen: Look, answers: Answers) -> None:
    flags = {
        "--time": (answers.time,),
        "--weight": (answers.weight,),
        "--key": answers.key,
        "--leave-out": answers.leave_out,
        "--keep": answers.keep,
    }
    for flag, names in flags.items():
        for name in names:
            if name is not None and name not in seen.columns:
                raise DeclarationError(f"{flag}: there is no column '{name}'. Columns: {said(seen.columns, most=12)}.")
    if answers.time and seen.columns[answers.time].kind not in ("date", "datetime"):
        forms = seen.columns[answers.time].dates
        written = f"has dates as {' and '.join(forms)}" if forms else "has no dates"
        raise DeclarationError(f"--time: '{answers.time}' {written}; write them as 2024-01-31 or 2024-01-31 13:45.")
    if answers.time and seen.missing[answers.time]:
        rows = seen.missing[answers.time]
        raise DeclarationError(
            f"--time: '{answers.time}' is missing in {rows:,} rows: no batch could be told for them."
        )
    if answers.weight and seen.columns[answers.weight].kind not in ("int", "float"):
        raise DeclarationError(f"--weight: '{answers.weight}' has no numbers.")


def _weight_findings(seen: Look, *, weight: str | None) -> tuple[Finding, ...]:
    if weight is None:
        return ()
    numbers = seen.numbers(weight)
    below, zero, missing = int((numbers < 0).sum()), int((numbers == 0).sum()), int(np.isnan(numbers).sum())
    told = [
        f"{count:,} rows {what}"
        for count, what in ((below, "below 0"), (zero, "of 0"), (missing, "without one"))
        if count
    ]
    if not told:
        return ()
    return (
        look(
            f"Weight '{weight}' has {', '.join(told)}: a row counts as much as its weight, so these count for nothing."
        ),
    )


def _every(seen: Look, *, time: str) -> Every:
    """The shortest batches that have rows enough and are not too many."""
    days = pc.utf8_slice_codeunits(seen.landed.text[time], 0, 10).to_numpy(zero_copy_only=False)
    days = days.astype("datetime64[D]")
    periods = {"day": days, "week": days.astype("datetime64[W]"), "month": days.astype("datetime64[M]")}
    for every, starts in periods.items():
        count = len(np.unique(starts))
        if count <= MOST_BATCHES and seen.count >= ROWS_A_BATCH * count:
            return cast(Every, every)
    return "month"

"""What is asked for, as the label's column shows it: the task, classes, their shares by month, and what tells it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops_assets.contract.arrays import Floats, Ints
from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.features import Feature
from mlops_assets.contract.tasks import BINARY, Multiclass, Regression, Task
from mlops_assets.judge import single_features
from mlops_assets.watch.drafting.columns import Look
from mlops_assets.watch.drafting.findings import Finding, fine, look, percent, said

TaskWord = Literal["binary", "multiclass", "regression"]
FEW_CLASSES = 20
"""Whole numbers with at most so many values may be classes."""
MOST_CLASSES = 200
"""More classes than these are names of things."""
TO_LEARN = 10
"""Rows below which nothing can be learnt of a class."""
TO_JUDGE = 100
"""Rows below which little can be said of how well a class is told, as only a part of them is for testing."""
LEAK = 0.95
"""How well a single feature may tell the label, from where on training refuses it."""
MONTHLY_ROWS = 20
"""Rows of a month whose label is compared with other months."""
JUMP = 5.0
"""Standard errors between the labels of two neighbouring months from which that is no chance."""


@dataclass(frozen=True, kw_only=True)
class Guess:
    """What the label seems to ask for, and why; ``sure`` if no person needs to be asked."""

    task: TaskWord
    why: str
    sure: bool


@dataclass(frozen=True, kw_only=True)
class Label:
    """A label as it will be declared: ``classes`` in order, for two outcomes the one that counts as 1 last."""

    column: str
    task: TaskWord
    classes: tuple[str, ...] = ()

    @property
    def as_task(self) -> Task:
        """The task as it is declared."""
        if self.task == "multiclass":
            return Multiclass(classes=self.classes)
        return Regression() if self.task == "regression" else BINARY

    @property
    def positive(self) -> str | None:
        """Which of two values counts as 1; ``None`` where the values say it, or there are not two."""
        plain = ({"0", "1"}, {"true", "false"}, {"0.0", "1.0"})
        if self.task != "binary" or {value.lower() for value in self.classes} in plain:
            return None
        return self.classes[-1]


@dataclass(frozen=True, kw_only=True)
class Telling:
    """A column that alone ranks the label, or ``of`` it one class, and how well, from 0.5 to 1: a ROC AUC, of numbers
    the concordance. A leak is what training would refuse.
    """

    column: str
    figure: float
    of: str
    is_leak: bool


def refuse_label(seen: Look, *, column: str) -> None:
    """Raises DeclarationError for a label that is not there, or of which nothing can be learnt."""
    if column not in seen.columns:
        hint = " The files have no header: columns have numbers." if not seen.landed.format.form.header else ""
        raise DeclarationError(
            f"There is no column '{column}' to be the label. Columns: {said(seen.columns, most=12)}.{hint}"
        )
    present = seen.landed.present(column)
    if not len(present):
        raise DeclarationError(f"Label '{column}' is missing in every row: give files in which it is known.")
    if seen.distinct[column] == 1:
        raise DeclarationError(
            f"Label '{column}' is '{present[0].as_py()}' in all {len(present):,} rows: a model can learn nothing from "
            "one outcome. Give files that have the other outcome too, or say another column with --label."
        )


def guess_task(seen: Look, *, column: str) -> Guess:
    """What is asked for: one of two outcomes, a class, or a number."""
    different, kind = seen.distinct[column], seen.columns[column].kind
    if different == 2:
        return Guess(task="binary", why="it has two values", sure=True)
    if not seen.has_numbers(column):
        _refuse_names(seen, column=column)
        return Guess(task="multiclass", why=f"it has {different} texts", sure=True)
    values = seen.numbers(column)
    is_whole = kind == "int" or bool(np.all(np.mod(values[~np.isnan(values)], 1) == 0))
    if is_whole and different <= FEW_CLASSES:
        why = f"it has {different} whole numbers, which may be classes, or a number such as a count or a rating"
        return Guess(task="multiclass", why=why, sure=False)
    return Guess(task="regression", why=f"it is a number with {different:,} values", sure=True)


def label_as(seen: Look, *, column: str, task: TaskWord, positive: str | None = None) -> Label:
    """The label of a task; DeclarationError if it has not the values for it.

    Without a ``positive`` value 1, or true, or else the rarer one counts as 1.
    """
    if task == "regression":
        if not seen.has_numbers(column):
            raise DeclarationError(f"Label '{column}' is text: --task regression needs numbers.")
        return Label(column=column, task=task)
    counts = class_counts(seen, column=column)
    if task == "multiclass":
        if len(counts) < 3:
            raise DeclarationError(f"Label '{column}' has {len(counts)} values: that is --task binary.")
        _refuse_names(seen, column=column)
        return Label(column=column, task=task, classes=_in_order(seen, column, list(counts)))
    if len(counts) != 2:
        raise DeclarationError(f"Label '{column}' has {len(counts)} values: --task binary needs two.")
    if positive is None:
        true = [value for value in counts if value.lower() in ("1", "true", "1.0")]
        positive = (true or [min(counts, key=lambda value: (counts[value], value))])[0]
    if positive not in counts:
        raise DeclarationError(f"Label '{column}' is never '{positive}': --positive is one of {said(counts)}.")
    return Label(column=column, task=task, classes=(*(value for value in counts if value != positive), positive))


def class_counts(seen: Look, *, column: str) -> dict[str, int]:
    """How many rows each value of the label has, the most frequent first."""
    counted = pc.value_counts(seen.landed.present(column)).to_pylist()
    return {
        each["values"]: each["counts"] for each in sorted(counted, key=lambda each: (-each["counts"], each["values"]))
    }


def label_findings(seen: Look, *, label: Label, time: str | None) -> tuple[Finding, ...]:
    """What is to be said of the label: its values, rows without one, and how it goes over the months."""
    found = list(_values(seen, label=label))
    if missing := seen.missing[label.column]:
        found.append(look(f"{missing:,} of {seen.count:,} rows have no '{label.column}': nothing is learnt from them."))
    if time:
        found.extend(_by_month(seen, label=label, time=time))
    return tuple(found)


def telling_columns(seen: Look, *, label: Label, among: Sequence[str], limit: float = LEAK) -> tuple[Telling, ...]:
    """The columns that alone nearly tell the label, or one class, the most telling first; leaks are above ``limit``.

    As training looks at its features: all together, so that of many columns none is called a leak by chance.
    """
    if not among:
        return ()
    present = np.flatnonzero(seen.landed.is_present(label.column).to_numpy(zero_copy_only=False))
    labels = _coded(seen, label=label)[present]
    features = [
        Feature(name=name, kind="numeric" if seen.has_numbers(name) else "categorical", description="", owner="")
        for name in among
    ]
    values = pa.table({name: _feature_values(seen, name, rows=present) for name in among})
    looks = single_features.look_at(values, labels=labels, features=features, task=label.as_task).features
    found = (_telling(each, limit=limit) for each in looks)
    return tuple(sorted((each for each in found if each), key=lambda each: -each.figure))


def _feature_values(seen: Look, column: str, *, rows: Ints) -> pa.ChunkedArray:
    if seen.has_numbers(column):
        return pa.chunked_array([seen.numbers(column)[rows]])
    return seen.words(column).take(pa.array(rows))


def _telling(looks: Sequence[single_features.Alone], *, limit: float) -> Telling | None:
    """What is told of the label as a whole, if that is a leak, else of what is told best; nothing if that is little."""
    whole, best = looks[0], max(looks, key=lambda each: each.lower)
    chosen = whole if whole.lower > limit else best
    if chosen.lower <= single_features.WORTH_A_LOOK:
        return None
    return Telling(column=chosen.feature, figure=chosen.figure, of=chosen.of, is_leak=whole.lower > limit)


def _coded(seen: Look, *, label: Label) -> Floats:
    """The label as training has it: 0 and 1, the place of a class, or the number; NaN or 0 where it is missing."""
    if label.task == "regression":
        return seen.numbers(label.column)
    places = pc.index_in(seen.landed.text[label.column], value_set=pa.array(label.classes, pa.string()))
    return np.asarray(pc.fill_null(places, 0).to_numpy(zero_copy_only=False), dtype=np.float64)


def telling_findings(tellings: Sequence[Telling]) -> Iterator[Finding]:
    """What is to be said of columns that nearly tell the label: each with its figure."""
    leaks = [each for each in tellings if each.is_leak]
    if leaks:
        yield look(
            f"{said_figures(leaks)}: it nearly tells the label by itself (0.5 is chance, 1 all), so it may be known "
            "only after the outcome, or be another word for it; left out of the features. If it is known when an "
            "answer is asked for, say --keep."
        )
    if near := [each for each in tellings if not each.is_leak]:
        yield look(
            f"{said_figures(near)}: it tells much of the label by itself (0.5 is chance, 1 all); kept. If it is not "
            "known when an answer is asked for, say --leave-out."
        )


def said_figures(tellings: Sequence[Telling]) -> str:
    """``'paid' 0.991, 'hue' 0.942 of class '2'``."""
    return ", ".join(
        f"'{each.column}' {each.figure:.3f}{'' if each.of == single_features.LABEL else f' of {each.of}'}"
        for each in tellings
    )


def two_sides(seen: Look, *, label: Label) -> Floats:
    """The label as 0 and 1: the positive value, the most frequent class, a number above the median; missing is 0."""
    if label.task == "regression":
        numbers = seen.numbers(label.column)
        return np.asarray(numbers > np.nanmedian(numbers), dtype=np.float64)
    one = label.classes[-1] if label.task == "binary" else next(iter(class_counts(seen, column=label.column)))
    return np.asarray(pc.equal(seen.landed.text[label.column], one).to_numpy(zero_copy_only=False), dtype=np.float64)


def _refuse_names(seen: Look, *, column: str) -> None:
    if (different := seen.distinct[column]) > MOST_CLASSES:
        raise DeclarationError(
            f"Label '{column}' has {different:,} different values in {seen.count:,} rows: no model tells so many "
            f"classes (at most {MOST_CLASSES}). Say another column with --label."
        )


def _in_order(seen: Look, column: str, values: Sequence[str]) -> tuple[str, ...]:
    """Numbers as they count, texts by the alphabet."""
    return tuple(sorted(values, key=float) if seen.has_numbers(column) else sorted(values))


def _values(seen: Look, *, label: Label) -> Iterator[Finding]:
    if label.task == "regression":
        numbers = seen.numbers(label.column)
        low, middle, high = (f"{value:g}" for value in np.nanquantile(numbers, (0, 0.5, 1)))
        yield fine(f"Label '{label.column}' is a number from {low} to {high}, half of them below {middle}.")
        return
    counts = class_counts(seen, column=label.column)
    shown = ", ".join(f"{value} {count:,}" for value, count in counts.items())
    yield fine(f"Label '{label.column}' has {len(counts)} classes: {shown}.")
    if label.task == "binary":
        yield fine(
            f"'{label.classes[-1]}' counts as 1, in {percent(counts[label.classes[-1]] / sum(counts.values()))}."
        )
    tiny = {value: count for value, count in counts.items() if count < TO_LEARN}
    small = {value: count for value, count in counts.items() if TO_LEARN <= count < TO_JUDGE}
    if tiny:
        yield look(
            f"{_counted(tiny)}: too few rows to learn the class from (below {TO_LEARN}); collect more, or put it "
            "together with another class before landing."
        )
    if small:
        yield look(
            f"{_counted(small)}: few rows, so how well the class is told can hardly be judged (below {TO_JUDGE})."
        )


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"'{value}' has {count}" for value, count in counts.items())


def _by_month(seen: Look, *, label: Label, time: str) -> Iterator[Finding]:
    """The label's share or mean by month, and the largest jump, which may be a change in how rows were taken."""
    months = seen.months(time)
    values = seen.numbers(label.column) if label.task == "regression" else two_sides(seen, label=label)
    kept = seen.landed.is_present(label.column).to_numpy(zero_copy_only=False)
    names, means, errors = _monthly(months[kept], values[kept])
    if len(names) < 2:
        return
    form = (lambda mean: f"{mean:.4g}") if label.task == "regression" else percent
    of = "the mean" if label.task == "regression" else f"the share of '{label.classes[-1]}'"
    if label.task == "multiclass":
        of = f"the share of '{next(iter(class_counts(seen, column=label.column)))}'"
    low, high = int(means.argmin()), int(means.argmax())
    shown = f"{of} goes from {form(means[low])} ({names[low]}) to {form(means[high])} ({names[high]})"
    yield fine(f"Over {len(names)} months {shown}.")
    jumps = np.abs(np.diff(means)) / np.hypot(errors[1:], errors[:-1])
    if jumps.max() > JUMP and label.task != "regression":
        at = int(jumps.argmax())
        yield look(
            f"From {names[at]} to {names[at + 1]} {of} goes from {form(means[at])} to {form(means[at + 1])}: were "
            "rows taken in another way since? A model of both learns a mixture."
        )


def _monthly(months: NDArray[np.str_], values: Floats) -> tuple[NDArray[np.str_], Floats, Floats]:
    """Months with enough rows in order; mean and standard error of the values of each."""
    names, codes = np.unique(months.astype(str), return_inverse=True)
    counts = np.bincount(codes).astype(np.float64)
    means = np.bincount(codes, weights=values) / counts
    spread = np.bincount(codes, weights=(values - means[codes]) ** 2) / counts
    enough = (counts >= MONTHLY_ROWS) & (names != "")
    # a month that has one outcome only is as unsure as one that had half a row of the other
    errors = np.sqrt(np.maximum(spread, 0.5 / counts if set(np.unique(values)) <= {0.0, 1.0} else 1e-12) / counts)
    return names[enough], means[enough], errors[enough]

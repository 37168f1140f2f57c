"""The figures of what was served, as rows of ``served_metrics``: of answers, of answers whose outcomes are known, and
of the rows that a version was judged on.

Belongs here: what each metric is of one row. Adding up is in ``sums.py``, judging in this package's other modules.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import NoneType
from typing import TypeAlias, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.contract.arrays import Floats, Ints
from mlops_assets.contract.flags import KINDS, NO_HISTORY, OTHER_DAY, kinds_of
from mlops_assets.contract.tasks import Binary, Multiclass, Regression, Task
from mlops_assets.contract.use_case import LEFT_OUT, UseCase
from mlops_assets.judge.families import SMALLEST, Grouped, Rows, roc_auc
from mlops_assets.watch.served.requests import parse
from mlops_assets.watch.served.sums import Cells, Measure, added_up, cells_by, texts
from mlops_assets.watch.served.table import (
    ANSWERED,
    CLASS,
    DOUBLED,
    ESTIMATED,
    FLAGGED,
    HISTORY_AGE,
    LABELLED,
    MISSING,
    POSITIVES,
    PRIOR,
    RATE,
    REALISED,
    RESIDUAL,
    SCORE,
    SCORE_SQUARED,
    UNSEEN,
)

Measures: TypeAlias = Iterator[Measure]
Categories: TypeAlias = Mapping[str, Collection[str]]
"""The values of each categorical feature that a version has learnt from."""
Priors: TypeAlias = Mapping[str, float | Sequence[float]]
"""What a version would say without a model, by the version: the mean of what it learnt from, or each class's share."""

READ = (
    "example_id",
    "event_time",
    "model_version",
    "score",
    "predicted_positive",
    "predicted",
    "history_as_of",
    "inputs",
    "flags",
)
"""The columns of collected records that ``figures_of_answers`` reads."""
MOST_SEGMENTS, OTHERS = 200, "(other)"


def figures_of_answers(
    records: pa.Table, *, use_case: UseCase, vocabularies: Mapping[str, Categories] | None = None
) -> pa.Table:
    """``METRICS`` of collected records (at least ``READ``), by hour, overall and for each watched segment.

    ``vocabularies`` are by version; what a version that is not among them has not seen is not told. All rows add up
    with those of other records but one: an example asked again is ``doubled`` only where ``records`` hold the answer
    before, of the same version and hour. A repetition that was answered from memory (an idempotency key) is no record.
    Of a slice with more than ``MOST_SEGMENTS`` values in ``records`` the rarer ones are one segment, ``(other)``.
    """
    asked, flags = parse(records, columns=[*use_case.watched_slices, *_nullable(use_case), *_categories(use_case)])
    segments = pa.table({name: _told_apart(asked[name]) for name in use_case.watched_slices})
    cells = _cells(records, segments, use_case=use_case)

    def measures() -> Measures:
        yield Measure(metric=ANSWERED, values=np.ones(records.num_rows))
        yield Measure(metric=DOUBLED, values=_doubled(records, group=cells[0].of_row))
        yield from _of_scores(records, task=use_case.task)
        for name in _nullable(use_case):
            yield Measure(metric=f"{MISSING}{name}", values=_floats(pc.is_null(asked[name])))
        yield from _unseen(records, asked, vocabularies=vocabularies or {}, names=_categories(use_case))
        yield from _flagged(flags, use_case=use_case)
        if use_case.history or use_case.asof:
            yield Measure(metric=HISTORY_AGE, values=_history_age(records))

    return added_up(measures(), cells=cells)


def figures_of_truth(rows: pa.Table, *, use_case: UseCase, priors: Priors) -> pa.Table:
    """``METRICS`` of answers whose outcomes are known: how right they were, and how right the constant prior was.

    ``rows`` has ``model_version``, ``event_time`` (left out where events have no time: then ``hour`` is null),
    ``score``, ``label`` (0 or 1, a number, or a class's place in the task), the watched slices and, of classes,
    ``predicted``. Records hold only the answered class and its probability: of classes the accuracy is told, and by how
    much answers are right more often than they say (``residual``), but no log loss. The area under the curve is of a
    day, at its midnight, where the day has both outcomes.
    """
    rows = rows.filter(pc.is_valid(rows["label"]))
    labels, scores = _floats(rows["label"]), _floats(rows["score"])
    segments = texts(rows, names=use_case.watched_slices)
    prior = _prior_of_rows(rows["model_version"], priors=priors, task=use_case.task)

    def measures() -> Measures:
        yield Measure(metric=LABELLED, values=np.ones(len(labels)))
        if isinstance(use_case.task, Multiclass):
            yield from _right_classes(rows, labels, scores, task=use_case.task, prior=prior)
            return
        yield Measure(metric=RATE, values=labels)
        yield Measure(metric=RESIDUAL, values=labels - scores)
        for said, kind in ((scores, REALISED), (prior, PRIOR)):
            for name, losses in _losses(labels, said, task=use_case.task).items():
                yield Measure(metric=f"{kind}{name}", values=losses)

    found = added_up(measures(), cells=_cells(rows, segments, use_case=use_case))
    if not isinstance(use_case.task, Binary) or not rows.num_rows:
        return found
    days = _cells(rows, segments, use_case=use_case, unit="day")
    return pa.concat_tables([found, *(_areas(labels, scores, cells=day) for day in days)])


def figures_of_held_out(predictions: pa.Table, *, use_case: UseCase, version: str, priors: Priors) -> pa.Table:
    """``METRICS`` of the rows that a version was judged on (its evaluation's predictions), as if it had served them.

    What only requests have (missing, unseen, flagged, history's age) is not told. ``hour`` is null where the rows have
    no time.
    """
    rows = predictions.append_column("model_version", pa.repeat(version, predictions.num_rows))
    cells = _cells(rows, texts(rows, names=use_case.watched_slices), use_case=use_case)
    answered = Measure(metric=ANSWERED, values=np.ones(rows.num_rows))
    answers = added_up([answered, *_of_scores(rows, task=use_case.task)], cells=cells)
    return pa.concat_tables([answers, figures_of_truth(rows, use_case=use_case, priors=priors)])


def _of_scores(rows: pa.Table, *, task: Task) -> Measures:
    """What the answers by themselves say, and how right they expect to be."""
    scores = _floats(rows["score"])
    yield Measure(metric=SCORE, values=scores)
    yield Measure(metric=SCORE_SQUARED, values=np.square(scores))
    if isinstance(task, Binary):
        yield Measure(metric=POSITIVES, values=_floats(rows["predicted_positive"]))
        sure = np.clip(scores, SMALLEST, 1 - SMALLEST)
        expected = -sure * np.log(sure) - (1 - sure) * np.log1p(-sure)
        yield Measure(metric=f"{ESTIMATED}log_loss", values=expected)
        yield Measure(metric=f"{ESTIMATED}brier_loss", values=scores * (1 - scores))
    if isinstance(task, Multiclass):
        for name in task.classes:
            yield Measure(metric=f"{CLASS}{name}", values=_floats(pc.equal(rows["predicted"], name)))
        yield Measure(metric=f"{ESTIMATED}accuracy_score", values=scores)


def _told_apart(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The values of a slice, which callers choose: too many of them would be as many rows of figures."""
    counts = pc.value_counts(column.drop_null())
    if len(counts) <= MOST_SEGMENTS:
        return column
    kept = pc.sort_indices(counts.field("counts"), sort_keys=[("", "descending")])[:MOST_SEGMENTS]
    frequent = pc.is_in(column, value_set=counts.field("values").take(kept))
    return pc.if_else(pc.or_(frequent, pc.is_null(column)), column, OTHERS)


def _doubled(records: pa.Table, *, group: Ints) -> Floats:
    """1 for what was asked of the same version in the same hour before; NaN where a request names no example."""
    examples = records["example_id"].combine_chunks().dictionary_encode()
    codes = _floats(examples.indices)
    named = np.isfinite(codes)
    asked = group[named] * max(len(examples.dictionary), 1) + codes[named].astype(np.int64)
    again = np.ones(len(asked))
    again[np.unique(asked, return_index=True)[1]] = 0
    doubled = np.full(len(codes), np.nan)
    doubled[named] = again
    return doubled


def _unseen(
    records: pa.Table, asked: pa.Table, *, vocabularies: Mapping[str, Categories], names: Collection[str]
) -> Measures:
    """1 for a value that the row's version has not learnt from; NaN for none, or where that is not known."""
    for name in names:
        unseen = np.full(records.num_rows, np.nan)
        for version, categories in vocabularies.items():
            if name in categories:
                known = pa.array(categories[name], pa.string())
                new = _floats(pc.if_else(pc.is_valid(asked[name]), pc.invert(pc.is_in(asked[name], known)), None))
                unseen = np.where(pc.equal(records["model_version"], version), new, unseen)
        yield Measure(metric=f"{UNSEEN}{name}", values=unseen)


def _flagged(flags: pa.ListArray, *, use_case: UseCase) -> Measures:
    """1 for an answer with a flag of the kind, 0 for one without; kinds that the use case cannot have are not told."""
    kinds, rows = kinds_of(flags.flatten()), np.asarray(pc.list_parent_indices(flags))
    impossible = () if use_case.history or use_case.asof else (NO_HISTORY, OTHER_DAY)
    for kind in (each for each in KINDS if each not in impossible):
        flagged = np.zeros(len(flags))
        flagged[rows[np.asarray(pc.equal(kinds, kind))]] = 1
        yield Measure(metric=f"{FLAGGED}{kind}", values=flagged)


def _history_age(records: pa.Table) -> Floats:
    """Days from the day whose history was looked up to that of the event."""
    event, looked_up = (pc.cast(records[name], pa.date32(), safe=False) for name in ("event_time", "history_as_of"))
    return _floats(pc.days_between(looked_up, event))


def _right_classes(rows: pa.Table, labels: Floats, scores: Floats, *, task: Multiclass, prior: Floats) -> Measures:
    answered = _floats(pc.index_in(rows["predicted"], pa.array(task.classes)))
    right = (answered == labels).astype(np.float64)
    yield Measure(metric=RESIDUAL, values=right - scores)
    yield Measure(metric=f"{REALISED}accuracy_score", values=right)
    yield Measure(metric=f"{PRIOR}accuracy_score", values=np.where(np.isnan(prior), np.nan, prior == labels))


def _losses(labels: Floats, said: Floats, *, task: Task) -> dict[str, Floats]:
    """What each row loses, by the names of means; the root of the mean squared error is left to who reads it."""
    if isinstance(task, Regression):
        short = labels - said
        losses = {"mean_squared_error": np.square(short), "mean_absolute_error": np.abs(short)}
        if task.quantile is not None:
            losses["pinball_loss"] = np.maximum(task.quantile * short, (task.quantile - 1) * short)
        return losses
    log_losses, squares = _rows(labels, said).losses
    return {"log_loss": log_losses, "brier_loss": squares}


def _prior_of_rows(versions: pa.ChunkedArray, *, priors: Priors, task: Task) -> Floats:
    """What each row's version would say without a model, of classes the likeliest one; NaN where that is not known."""
    prior = np.full(len(versions), np.nan)
    for version, told in priors.items():
        constant = np.argmax(told) if isinstance(task, Multiclass) else told
        prior[np.asarray(pc.equal(versions, version))] = constant
    return prior


def _areas(labels: Floats, scores: Floats, *, cells: Cells) -> pa.Table:
    """The area under the ROC curve of each day and scope, times its rows; of days with one outcome there is none."""
    order = np.argsort(scores, kind="stable")
    codes = cells.of_row[order].astype(np.int32)
    family = Grouped(_rows(labels[order], scores[order]), codes=codes, segments=cells.words.num_rows)
    area = roc_auc(family)
    counted = np.where(np.isfinite(area), family.counts, 0)
    return cells.figures(f"{REALISED}roc_auc_score", value=np.nan_to_num(area) * counted, n=counted)


def _rows(labels: Floats, scores: Floats) -> Rows:
    return Rows(labels=labels, scores=scores, weights=np.ones(len(labels)), units=np.arange(len(labels)))


def _nullable(use_case: UseCase) -> list[str]:
    """What a request may leave empty and the log does not leave out."""
    fields = use_case.request.model_fields
    empty = [name for name, field in fields.items() if NoneType in get_args(field.annotation)]
    return [name for name in empty if use_case.logged.get(name) != LEFT_OUT]


def _categories(use_case: UseCase) -> list[str]:
    """The categorical features that a request has itself, and the log as they are."""
    names = [each.name for each in use_case.features if each.kind == "categorical"]
    return [name for name in names if name in use_case.request.model_fields and name not in use_case.logged]


def _cells(rows: pa.Table, segments: pa.Table, *, use_case: UseCase, unit: str = "hour") -> tuple[Cells, ...]:
    """By version, the hour or day of the event (null where rows have no time), and scope."""
    hours = pa.chunked_array([pa.nulls(rows.num_rows, pa.timestamp("us"))])
    if "event_time" in rows.column_names:
        hours = pc.floor_temporal(pc.cast(rows["event_time"], pa.timestamp("us")), unit=unit)
    return cells_by(use_case=use_case.name, versions=rows["model_version"], hours=hours, segments=segments)


def _floats(column: pa.ChunkedArray | pa.Array) -> Floats:
    """As float64 of shape (rows,), NaN for null."""
    kind = pa.int8() if pa.types.is_boolean(column.type) else column.type
    return np.asarray(pc.cast(pc.cast(column, kind), pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)

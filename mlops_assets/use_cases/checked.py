"""Whether a use case that was loaded hangs together with what it refers to: schemas, SQL, and the metrics there are.

What its own names can tell is checked when it is made (``contract/checked.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from mlops_assets.contract.checked import refuse_unknown
from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.gates import (
    BetterThanChampion,
    FairnessBound,
    Gate,
    MetricBound,
    NoSliceRegressed,
    NotWorseThanChampion,
    SliceBound,
    TrainTestGap,
)
from mlops_assets.contract.source import Source
from mlops_assets.contract.sql import Sql
from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.lineage import attached_names, example_columns
from mlops_assets.judge.fairness import RATES
from mlops_assets.judge.metrics import higher_is_better, metrics_of


def refuse_unfit(use_case: UseCase) -> None:
    """Raises DeclarationError for the first thing that a use case refers to and that is not there."""
    for source in use_case.sources:
        source.refuse_unfit_columns()
    for source in use_case.sources:
        _refuse_reference_columns(source, use_case=use_case)
    use_case.refuse_misfits()
    for field, sql in _sql_files(use_case):
        if isinstance(sql, Path) and not sql.is_file():
            raise DeclarationError(f"Use case '{use_case.name}', {field}: there is no file {sql}.")
    _refuse_columns(use_case)
    _refuse_watched(use_case)
    _refuse_unsaid_parity(use_case)
    for gate in use_case.gates:
        _refuse_gate(gate, use_case=use_case)


def _refuse_gate(gate: Gate, *, use_case: UseCase) -> None:
    field = f"gates, {type(gate).__name__}"
    if isinstance(gate, FairnessBound):
        refuse_unknown(gate.rate, known=RATES, use_case=use_case.name, field=f"{field}.rate", what="rate")
        return
    metrics = {each.name: each.compared for each in metrics_of(use_case.task)}
    field = f"{field}.metric"
    refuse_unknown(gate.metric, known=metrics, use_case=use_case.name, field=field, what="metric")
    if isinstance(gate, MetricBound | SliceBound):
        _refuse_direction(gate, use_case=use_case.name)
    elif isinstance(gate, TrainTestGap):
        directed = [name for name in metrics if higher_is_better(name) is not None]
        _refuse_use(gate.metric, known=directed, use_case=use_case.name, field=field, reason="has no better and worse")
    else:
        _refuse_comparison(gate, metrics=metrics, use_case=use_case.name, field=field)


def _refuse_comparison(
    gate: NotWorseThanChampion | BetterThanChampion | NoSliceRegressed,
    *,
    metrics: Mapping[str, bool],
    use_case: str,
    field: str,
) -> None:
    compared = [name for name, is_compared in metrics.items() if is_compared]
    _refuse_use(gate.metric, known=compared, use_case=use_case, field=field, reason="compares no two models")


def _refuse_use(metric: str, *, known: list[str], use_case: str, field: str, reason: str) -> None:
    if metric not in known:
        raise DeclarationError(f"Use case '{use_case}', {field}: '{metric}' {reason}. Metrics: {', '.join(known)}.")


def _refuse_direction(gate: MetricBound | SliceBound, *, use_case: str) -> None:
    """A bound on the good side alone lets every bad model pass; beside one on the other side it is a choice."""
    higher = higher_is_better(gate.metric)
    if higher is None:
        return
    given, needed = ("at_most", "at_least") if higher else ("at_least", "at_most")
    if getattr(gate, needed) is None:
        better = "higher" if higher else "lower"
        raise DeclarationError(
            f"Use case '{use_case}', gates, {type(gate).__name__}.{given}: '{gate.metric}' is better when {better}, "
            f"so {given}={getattr(gate, given)} lets bad models pass and stops good ones: give {needed}."
        )


def _refuse_reference_columns(source: Source, *, use_case: UseCase) -> None:
    field = f"source '{source.name}', references"
    for reference in source.references:
        other = use_case.source(reference.source)
        for owner, columns in ((source, reference.columns), (other, reference.found_in)):
            for name in columns:
                what = f"column of {owner.name}"
                refuse_unknown(name, known=owner.columns.names, use_case=use_case.name, field=field, what=what)


def _refuse_columns(use_case: UseCase) -> None:
    """What is kept beside the features must be a column of the examples, or one that is attached to them."""
    examples = example_columns(use_case)
    if examples is None:
        return
    known = dict.fromkeys((*examples, *attached_names(use_case), *(each.name for each in use_case.features)))
    spelt = {name.lower(): name for name in known}  # as SQL takes names
    for field, name in _columns_asked(use_case):
        spelling = spelt.get(name.lower(), name)
        refuse_unknown(spelling, known=known, use_case=use_case.name, field=field, what="column of the examples")


def _refuse_watched(use_case: UseCase) -> None:
    """Answers are compared with held-out rows, which have features and what is kept beside them."""
    kept = (*(each.name for each in use_case.features), *use_case.columns_beside)
    for name in use_case.watched_slices:
        what = "feature or slice column"
        refuse_unknown(name, known=kept, use_case=use_case.name, field="monitoring.slices", what=what)


def _refuse_unsaid_parity(use_case: UseCase) -> None:
    """What hides a column that an answer is computed from must say that answers cannot be computed once more."""
    hidden = sorted(_read_by_answers(use_case).intersection(use_case.logged))
    if hidden and use_case.parity:
        raise DeclarationError(
            f"Use case '{use_case.name}', logged: answers are computed from {', '.join(hidden)}, so that what the log "
            "holds cannot be compared with the offline path any more. If that is accepted, say parity=False."
        )
    if not hidden and not use_case.parity:
        raise DeclarationError(
            f"Use case '{use_case.name}', parity: no column is hidden that answers are computed from, so that they can "
            "be compared with the offline path. Leave parity=False out."
        )


def _read_by_answers(use_case: UseCase) -> set[str]:
    """The columns of a request that an answer may be computed from: keys, and whatever word the features' SQL has."""
    views = [*(view.keys for view in use_case.history), *(view.keys for view in use_case.asof)]
    names = {"event_time", *(each.name for each in use_case.features), *(key for keys in views for key in keys)}
    return names | set(re.findall(r"\w+", use_case.features_sql.read_text(encoding="utf-8")))


def _columns_asked(use_case: UseCase) -> Iterator[tuple[str, str]]:
    for declared in use_case.slices:
        yield from ((f"slices, '{declared.name}'", column) for column in declared.columns)
    for field, name in (
        ("clusters", None if use_case.clusters == "day" else use_case.clusters),
        ("weight", use_case.weight),
        ("split.key", getattr(use_case.split, "key", None)),
    ):
        if name is not None:
            yield field, name


def _sql_files(use_case: UseCase) -> Iterator[tuple[str, Sql]]:
    yield "examples_sql", use_case.examples_sql
    yield "features_sql", use_case.features_sql
    for field, declared in (("relations", use_case.relations), ("history", use_case.history), ("asof", use_case.asof)):
        yield from ((f"{field}, '{each.name}'", each.sql) for each in declared)
    if use_case.learning:
        yield "learning", use_case.learning.sql
        yield from ((f"learning, '{table.name}'", table.sql) for table in use_case.learning.tables)

"""Whether the parts of a use case fit together, as far as names alone can tell: slices, sources, request fields.

What needs schemas, SQL or the metrics there are is in ``use_cases/checked.py``. Every refusal names the use case, the
field, the value and the valid values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.gates import FairnessBound, NoSliceRegressed, SliceBound
from mlops_assets.contract.history import Recency
from mlops_assets.contract.periods import Period
from mlops_assets.contract.retraining import Shadow
from mlops_assets.contract.slices import OVERALL
from mlops_assets.contract.splits import HashSplit
from mlops_assets.contract.tasks import Multiclass

if TYPE_CHECKING:
    from pydantic import BaseModel

    from mlops_assets.contract.gates import Gate
    from mlops_assets.contract.history import HistoryView
    from mlops_assets.contract.monitoring import MonitoringPlan
    from mlops_assets.contract.retraining import Retrain
    from mlops_assets.contract.source import Source


def refuse_history(views: Iterable[HistoryView], *, over_before_they_come: bool, use_case: str) -> None:
    """Raises DeclarationError for a view that gives nothing, or windows of hours that nothing could be in.

    ``over_before_they_come`` says that batches are days which are taken once they are over.
    """
    for view in views:
        field = f"Use case '{use_case}', history: view '{view.name}'"
        if not any(view.columns()):
            raise DeclarationError(
                f"{field} has no features or windows, so it gives nothing: name at least one figure and one window."
            )
        if view.by_minute and over_before_they_come:
            raise DeclarationError(
                f"{field} has windows of hours, but days are taken when they are over, so that the service would never "
                "have the hours that training counts: say DailyBatches(within_the_day=True) if files of the running "
                "day arrive, or give it windows of days."
            )
        if days := [feature.name for _, feature, _ in view.hour_columns() if isinstance(feature, Recency)]:
            raise DeclarationError(f"{field}, feature '{days[0]}': Recency counts days, so give it windows of its own.")
        if view.delay < timedelta(0) or (view.delay and not view.by_minute):
            raise DeclarationError(
                f"{field} has a delay of {view.delay}: it is 0 or more, and for windows of hours; without them let the "
                "SQL say it in known_on."
            )


_BATCHES = {None: "Named", Period.DAY: "Daily", Period.WEEK: "Weekly", Period.MONTH: "Monthly"}


def refuse_cadences(sources: Iterable[Source], *, period: Period | None, use_case: str) -> None:
    """Raises DeclarationError for a source that arrives in other batches than its use case has."""
    for source in sources:
        if source.arrives and source.period is not period:
            batches = f"{_BATCHES[period]}Batches"
            raise DeclarationError(
                f"Use case '{use_case}', source '{source.name}': cadence '{source.cadence}' does not go with "
                f"{batches}: the batches of a use case are days, weeks, months, or drops with names, for all of its "
                "sources that arrive."
            )


def refuse_watched(plan: MonitoringPlan | None, *, request: type[BaseModel], use_case: str) -> None:
    """Raises DeclarationError for no plan, which earlier versions took, and for a slice that no request has."""
    if plan is None:
        raise DeclarationError(f"Use case '{use_case}' is watched as every other: leave monitoring=None out.")
    for name in plan.slices:
        known = request_fields(request)
        refuse_unknown(name, known=known, use_case=use_case, field="monitoring.slices", what="request field")


def refuse_hidden(
    logged: Mapping[str, str],
    *,
    words: Iterable[str],
    plan: MonitoringPlan,
    request: type[BaseModel],
    use_case: str,
) -> None:
    """Raises DeclarationError for a hidden column that no request has, or that monitoring slices by."""
    for name, word in logged.items():
        refuse_unknown(name, known=request_fields(request), use_case=use_case, field="logged", what="request field")
        refuse_unknown(word, known=words, use_case=use_case, field=f"logged, '{name}'", what="word")
        if name in plan.slices:
            raise DeclarationError(
                f"Use case '{use_case}', logged: monitoring watches slices of '{name}', which are read off the log: "
                "leave it out of monitoring.slices, or log it as it is."
            )


def refuse_gated(gates: Iterable[Gate], *, slices: Iterable[str], protected: Iterable[str], use_case: str) -> None:
    """Raises DeclarationError for a gate on a slice that is not declared, or not protected where it must be."""
    declared = [OVERALL, *slices]
    for gate in gates:
        if isinstance(gate, SliceBound | NoSliceRegressed):
            _refuse_slice(gate, known=declared, what="slice", use_case=use_case)
        if isinstance(gate, FairnessBound):
            _refuse_slice(gate, known=protected, what="protected slice", use_case=use_case)


def refuse_retrained(plan: Retrain | None, *, split: object, task: object, use_case: str) -> None:
    """Raises DeclarationError for a trial that could never be judged."""
    if plan is None:
        return
    if plan.refit and isinstance(split, HashSplit):
        raise DeclarationError(
            f"Use case '{use_case}', retrain: refit=True does not go with a HashSplit: a refit has learnt the rows "
            "that judge by their hash, and no later model could be compared with it."
        )
    if isinstance(plan.trial, Shadow) and isinstance(task, Multiclass):
        raise DeclarationError(
            f"Use case '{use_case}', retrain: a Shadow keeps the most probable class alone, which does not suffice to "
            "judge classes. Try challengers as a Canary."
        )


def refuse_references(sources: Sequence[Source], *, use_case: str) -> None:
    """Raises DeclarationError for a reference to a source that is not there, or by columns that do not pair."""
    known = [source.name for source in sources]
    for source in sources:
        field = f"source '{source.name}', references"
        for reference in source.references:
            refuse_unknown(reference.source, known=known, use_case=use_case, field=field, what="source")
            if len(reference.found_in) != len(reference.columns) or not reference.columns:
                raise DeclarationError(
                    f"Use case '{use_case}', {field}: columns {reference.columns} and to {reference.to} must be "
                    "as many, one at least."
                )


def refuse_unknown(value: str, *, known: Iterable[str], use_case: str, field: str, what: str) -> None:
    """Raises DeclarationError unless ``value`` is one of ``known``, naming the nearest of them."""
    valid = tuple(dict.fromkeys(known))
    if value in valid:
        return
    nearest = get_close_matches(value, valid, n=1)
    hint = f", did you mean '{nearest[0]}'?" if nearest else "."
    listed = ", ".join(valid) or "none"
    raise DeclarationError(f"Use case '{use_case}', {field}: unknown {what} '{value}'{hint} There is: {listed}.")


def request_fields(request: type[BaseModel]) -> tuple[str, ...]:
    """What a request has, sent or computed."""
    return (*request.model_fields, *request.model_computed_fields)


def _refuse_slice(
    gate: SliceBound | NoSliceRegressed | FairnessBound, *, known: Iterable[str], what: str, use_case: str
) -> None:
    field = f"gates, {type(gate).__name__}.slice"
    refuse_unknown(gate.slice, known=known, use_case=use_case, field=field, what=what)

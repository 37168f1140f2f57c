"""Whether the parts of a use case fit together, as far as names alone can tell: slices, sources, request fields.

What needs schemas, SQL or the metrics there are is in ``use_cases/checked.py``. Every refusal names the use case, the
field, the value and the valid values.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.gates import FairnessBound, NoSliceRegressed, SliceBound
from mlops_assets.contract.slices import OVERALL

if TYPE_CHECKING:
    from pydantic import BaseModel

    from mlops_assets.contract.source import Source
    from mlops_assets.contract.use_case import UseCase


def refuse_unfit(use_case: UseCase) -> None:
    """Raises DeclarationError for the first part that does not fit the others."""
    _refuse_slices(use_case)
    for source in use_case.sources:
        _refuse_references(source, use_case=use_case)
    for view in use_case.history:
        if not view.keys or not any(view.columns()):
            lacking = "keys" if not view.keys else "features or windows"
            raise DeclarationError(
                f"Use case '{use_case.name}', history: view '{view.name}' has no {lacking}, so there is nothing to "
                "aggregate by: name at least one key column, one figure and one window."
            )
    if use_case.monitoring:
        fields = request_fields(use_case.request)
        for name in use_case.monitoring.slices:
            refuse_unknown(name, known=fields, use_case=use_case.name, field="monitoring.slices", what="request field")


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


def _refuse_slices(use_case: UseCase) -> None:
    declared = [OVERALL, *(each.name for each in use_case.slices)]
    for gate in use_case.gates:
        if isinstance(gate, SliceBound | NoSliceRegressed):
            _refuse_slice(gate, known=declared, what="slice", use_case=use_case.name)
        if isinstance(gate, FairnessBound):
            _refuse_slice(gate, known=use_case.protected, what="protected slice", use_case=use_case.name)


def _refuse_slice(
    gate: SliceBound | NoSliceRegressed | FairnessBound, *, known: Iterable[str], what: str, use_case: str
) -> None:
    field = f"gates, {type(gate).__name__}.slice"
    refuse_unknown(gate.slice, known=known, use_case=use_case, field=field, what=what)


def _refuse_references(source: Source, *, use_case: UseCase) -> None:
    field = f"source '{source.name}', references"
    for reference in source.references:
        known = [other.name for other in use_case.sources]
        refuse_unknown(reference.source, known=known, use_case=use_case.name, field=field, what="source")
        if len(reference.found_in) != len(reference.columns) or not reference.columns:
            raise DeclarationError(
                f"Use case '{use_case.name}', {field}: columns {reference.columns} and to {reference.to} must be "
                "as many, one at least."
            )

"""A use case whose own names do not fit together is refused when it is made, naming field, value and valid values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.gates import FairnessBound, NoSliceRegressed, SliceBound
from mlops_assets.contract.monitoring import MonitoringPlan
from mlops_assets.contract.references import Reference
from mlops_assets.contract.slices import Slice
from mlops_assets_tests.orchestration.toy import HISTORY, PARCELS

SIZES = (Slice(name="depot", columns=("depot",)), Slice(name="size", columns=("weight",)))


def bound(name: str) -> SliceBound:
    return SliceBound(slice=name, metric="roc_auc_score", min_rows=10, at_least=0.5)


def referring(**reference: Any) -> dict[str, Any]:
    parcels, *others = PARCELS.sources
    referred = Reference(**{"columns": ("depot",), "source": "depots", **reference})
    return {"sources": (replace(parcels, references=(referred,)), *others)}


@pytest.mark.parametrize(
    ("fitting", "unfit", "reason"),
    [
        pytest.param(
            {"gates": (bound("depot"), bound("overall"))},
            {"gates": (bound("depto"),)},
            "gates, SliceBound.slice: unknown slice 'depto', did you mean 'depot'? There is: overall, depot, size.",
            id="bound on a slice",
        ),
        pytest.param(
            {"gates": (NoSliceRegressed(slice="size", metric="log_loss"),)},
            {"gates": (NoSliceRegressed(slice="sise", metric="log_loss"),)},
            "gates, NoSliceRegressed.slice: unknown slice 'sise', did you mean 'size'?",
            id="no slice regressed",
        ),
        pytest.param(
            {"gates": (FairnessBound(slice="depot", rate="selection_rate", largest_gap=0.5),)},
            {"gates": (FairnessBound(slice="size", rate="selection_rate", largest_gap=0.5),)},
            "gates, FairnessBound.slice: unknown protected slice 'size'. There is: depot.",
            id="fairness of a protected slice",
        ),
        pytest.param(
            referring(),
            referring(source="depot"),
            "source 'parcels', references: unknown source 'depot', did you mean 'depots'? There is: parcels, roads,",
            id="reference to a source",
        ),
        pytest.param(
            referring(columns=("depot",), to=("depot",)),
            referring(columns=("depot",), to=("depot", "staff")),
            "source 'parcels', references: columns ('depot',) and to ('depot', 'staff') must be as many",
            id="reference by as many columns",
        ),
        pytest.param(
            {"monitoring": MonitoringPlan(slices=("depot", "id"))},
            {"monitoring": MonitoringPlan(slices=("depott",))},
            "monitoring.slices: unknown request field 'depott', did you mean 'depot'? There is: number, depot,",
            id="watched request field",
        ),
        pytest.param(
            {"logged": {"number": "hashed", "weight": "left_out"}},
            {"logged": {"numbr": "hashed"}},
            "logged: unknown request field 'numbr', did you mean 'number'? There is: number, depot,",
            id="hidden request field",
        ),
        pytest.param(
            {"logged": {"number": "left_out"}},
            {"logged": {"number": "left out"}},
            "logged, 'number': unknown word 'left out', did you mean 'left_out'? There is: hashed, left_out",
            id="way of hiding",
        ),
        pytest.param(
            {"logged": {"depot": "hashed"}, "monitoring": MonitoringPlan(slices=())},
            {"logged": {"depot": "hashed"}, "monitoring": MonitoringPlan(slices=("depot",))},
            "logged: monitoring watches slices of 'depot', which are read off the log",
            id="hidden and watched",
        ),
        pytest.param(
            {"history": (replace(HISTORY, keys=()),)},
            {"history": (replace(HISTORY, windows=()),)},
            "history: view 'depot' has no features or windows",
            id="history with windows",
        ),
    ],
)
def test_what_fits_is_taken_and_what_does_not_is_refused(
    fitting: dict[str, Any], unfit: dict[str, Any], reason: str
) -> None:
    base = replace(PARCELS, slices=SIZES, protected=("depot",))
    assert replace(base, **fitting).name == "parcels"

    with pytest.raises(DeclarationError) as refused:
        replace(base, **unfit)

    assert str(refused.value).startswith("Use case 'parcels', ")
    assert reason in str(refused.value)

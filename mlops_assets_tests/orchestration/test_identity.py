"""What decides a model's bytes is known: nothing else of ours is entered on the way from validated rows to a model."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import FrameType

import duckdb

from mlops_assets.steps.aggregate import aggregate
from mlops_assets.steps.view import view
from mlops_assets.stores.code import PACKAGE
from mlops_assets.stores.models.identity import DECIDING
from mlops_assets.stores.models.recipe import fitted_files
from mlops_assets.training.fit import fit
from mlops_assets_tests.orchestration.deployment import Deployment

BESIDE = {
    "contract/by_default.py",  # what is not declared counts by its value
    "contract/checks.py",  # verdicts on the view
    "contract/periods.py",  # the periods that are missing, told beside the view
    "contract/paths.py",  # where files lie in the lake
    "contract/slices.py",  # columns kept beside the features for judging
    "contract/tasks.py",  # its objective is declared: it counts by its value
    "contract/use_case.py",  # counts by its values
    "contract/source.py",  # which sources arrive: what comes of them is the view, whose bytes count
    "features/catalogue.py",  # the view's profile, for people
}


def test_only_what_counts_is_entered_from_validated_rows_to_a_model(ingested: Deployment) -> None:
    entered: set[str] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(PACKAGE):
            entered.add(path.relative_to(PACKAGE).as_posix())

    head, parcels = ingested.lake.at(), ingested.use_case
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        aggregate(head, use_case=parcels, batches=["2024-03-01", "2024-03-02"], connect=duckdb.connect)
        made = view(head, use_case=parcels, connect=duckdb.connect).outcome
        fitted_files(fit(made.table, use_case=parcels))
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]

    assert {"training/fit.py", "features/roll_up.py"} <= entered
    others = ("lake/", "stores/", "steps/", "judge/")  # judge: verdicts on the view
    assert {name for name in entered if not name.startswith(others)} <= {*DECIDING, *BESIDE}

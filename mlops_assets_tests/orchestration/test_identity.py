"""What decides a model's bytes is known: nothing else of ours is entered on the way from validated rows to a model."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import FrameType

import duckdb

from mlops_assets.features.history import daily_aggregates, split_by_batch
from mlops_assets.lake.batches import EVERY_BATCH
from mlops_assets.orchestration.assets.training_view import compute_view
from mlops_assets.stores.code import PACKAGE
from mlops_assets.stores.features.source_tables import create_source_views
from mlops_assets.stores.models.identity import DECIDING
from mlops_assets.stores.models.recipe import fitted_files
from mlops_assets.training.fit import fit
from mlops_assets_tests.orchestration.deployment import Deployment

BESIDE = {
    "contract/paths.py",  # where files lie in the lake
    "contract/slices.py",  # columns kept beside the features for judging
    "contract/tasks.py",  # its objective is declared: it counts by its value
    "contract/use_case.py",  # counts by its values
    "orchestration/assets/training_view.py",  # what comes of it is the view, whose bytes count
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
        with duckdb.connect() as connection:
            found = create_source_views(connection, head, use_case=parcels)
            rows = daily_aggregates(connection, views=parcels.history, relations=parcels.relations)
            split_by_batch(rows, batches=found["parcels"])
        with duckdb.connect() as connection:
            view, _ = compute_view(connection, head, use_case=parcels, wanted=EVERY_BATCH)
        fitted_files(fit(view, use_case=parcels))
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]

    assert {"training/fit.py", "features/roll_up.py"} <= entered
    assert {name for name in entered if not name.startswith(("lake/", "stores/"))} <= {*DECIDING, *BESIDE}

"""What a notebook asks the platform for, by the use case's name and with pandas or Arrow tables."""

from __future__ import annotations

import duckdb
import pandas as pd
import pyarrow as pa

from mlops_assets.lake.lake import Lake
from mlops_assets.stores.features import reading as feature_reading
from mlops_assets.use_cases import registry


def point_in_time_features(use_case: str, entities: pd.DataFrame | pa.Table, *, at: str | None = None) -> pd.DataFrame:
    """Every feature of ``entities`` as it was known at each row's ``event_time``, in the order of the rows.

    ``entities`` are rows with ``event_time`` and the columns that features read, or requests as the service takes them.
    ``at`` is a lake commit, branch or tag: give a commit to get the same answer for ever; the target branch by default.
    Raises FeatureError saying which columns are missing.
    """
    rows = entities if isinstance(entities, pa.Table) else pa.Table.from_pandas(entities, preserve_index=False)
    with duckdb.connect() as connection:
        features = feature_reading.point_in_time_features(
            rows, use_case=registry.find(use_case), snapshot=Lake.connect().at(at), connection=connection
        )
    return features.to_pandas()

"""What was asked and flagged, from the JSON that collected records hold it in."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import numpy as np
import pyarrow as pa

_PARSED = (
    "SELECT json_extract_string(inputs, $paths) AS values, from_json(flags, '[\"VARCHAR\"]') AS flags FROM records"
)


def parse(records: pa.Table, *, columns: Sequence[str]) -> tuple[pa.Table, pa.ListArray]:
    """The ``columns`` of each row's ``inputs`` as texts, null where a request has none, and its flags."""
    names = list(dict.fromkeys(columns))
    told = records.select(["inputs", "flags"])
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("records", told)
        parsed = connection.sql(_PARSED, params={"paths": [f'$."{name}"' for name in names]}).to_arrow_table()
    lists = _whole(parsed["values"])
    places = np.arange(len(lists)) * len(names)
    texts = {name: lists.flatten().take(pa.array(places + place)) for place, name in enumerate(names)}
    return pa.table(texts), _whole(parsed["flags"])


def _whole(column: pa.ChunkedArray) -> pa.ListArray:
    return column.combine_chunks()

"""Features made of statistics learnt from the training rows: encodings of the label, means, vocabularies, bins.

A statistic is a table made by SQL from the training rows, once. It is frozen with the model version, together with the
SQL that joins it to rows, and only applied afterwards. Training rows themselves never meet a statistic that their own
label is part of: theirs is learnt from the other folds.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_assets.contract.errors import FeatureError
from mlops_assets.contract.features import Feature
from mlops_assets.contract.learning import Learning, LearntTable
from mlops_assets.features.sql import quoted, run_sql
from mlops_assets.features.training_view import choose_features, numbered

KEPT_TYPES = (pa.string(), pa.int64(), pa.float64())


@dataclass(frozen=True, kw_only=True)
class Learnt:
    """What was learnt: the tables, and the SQL (of the file ``name``) that makes ``features`` of them and of rows."""

    name: str
    sql: str
    features: tuple[Feature, ...]
    tables: Mapping[str, pa.Table]
    _of_thread: threading.local = field(default_factory=threading.local, compare=False, repr=False)

    def columns(self, rows: pa.Table) -> pa.Table:
        """The learnt features of ``rows`` (``id`` and the declared features), in order."""
        examples, ordinal = numbered(rows)
        connection = self._connection()
        connection.register("examples", examples)
        try:
            computed = connection.sql(self.sql).to_arrow_table()
        except duckdb.Error as error:
            raise FeatureError(f"'{self.name}' failed: {error}") from error
        finally:
            connection.unregister("examples")
        chosen = choose_features(rows, computed, expected=ordinal, features_sql=Path(self.name), features=self.features)
        return chosen.drop_columns(["id"])

    def to_plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "name": self.name,
            "sql": self.sql,
            "features": [asdict(feature) for feature in self.features],
            "tables": {
                name: {
                    "types": [str(kind) for kind in table.schema.types],
                    "columns": table.to_pydict(),
                }
                for name, table in self.tables.items()
            },
        }

    @classmethod
    def from_plain(cls, told: Mapping[str, Any]) -> Self:
        """What ``to_plain`` gave."""
        tables = {}
        for name, table in told["tables"].items():
            kinds = [pa.type_for_alias(kind) for kind in table["types"]]
            tables[name] = pa.table(table["columns"], schema=pa.schema(list(zip(table["columns"], kinds, strict=True))))
        features = tuple(Feature(**feature) for feature in told["features"])
        return cls(name=told["name"], sql=told["sql"], features=features, tables=tables)

    def _connection(self) -> duckdb.DuckDBPyConnection:
        """This thread's own, with the tables in it: no two requests share one."""
        found: duckdb.DuckDBPyConnection | None = getattr(self._of_thread, "connection", None)
        if found is None:
            found = duckdb.connect(config={"threads": 1})
            for name, table in self.tables.items():
                found.register("remembered", table)
                found.execute(f"CREATE TABLE {quoted(name)} AS FROM remembered")
                found.unregister("remembered")
            self._of_thread.connection = found
        return found


def learn(rows: pa.Table, *, labels: NDArray[np.float64], learning: Learning, features: Sequence[Feature]) -> Learnt:
    """The statistics of ``rows``, which must be training rows only, with their ``labels``."""
    training = _seen(rows, features=features).drop_columns(["id"]).append_column("label", pa.array(labels))
    with duckdb.connect(config={"threads": 1}) as connection:  # one thread: sums of floats in one order
        connection.register("training", training)
        tables = {declared.name: _remembered(connection, declared) for declared in learning.tables}
    return Learnt(
        name=learning.sql.name,
        sql=learning.sql.read_text(encoding="utf-8"),
        features=learning.features,
        tables=tables,
    )


def out_of_fold(
    rows: pa.Table, *, labels: NDArray[np.float64], learning: Learning, features: Sequence[Feature]
) -> pa.Table:
    """The learnt features of training ``rows``, each made of statistics of the rows in the other folds."""
    fold_of = np.array([zlib.crc32(name.encode()) % learning.folds for name in rows.column("id").to_pylist()])
    parts, places = [], []
    for fold in range(learning.folds):
        mine, others = np.flatnonzero(fold_of == fold), np.flatnonzero(fold_of != fold)
        learnt = learn(rows.take(others), labels=labels[others], learning=learning, features=features)
        parts.append(learnt.columns(_seen(rows, features=features).take(mine)))
        places.append(mine)
    return pa.concat_tables(parts).take(np.argsort(np.concatenate(places)))


def _seen(rows: pa.Table, *, features: Sequence[Feature]) -> pa.Table:
    """What statistics may read of rows: ``id`` and the declared features."""
    return rows.select(["id", *(feature.name for feature in features)])


def _remembered(connection: duckdb.DuckDBPyConnection, declared: LearntTable) -> pa.Table:
    table = run_sql(connection, declared.sql)
    for column in table.schema:
        if column.type not in KEPT_TYPES:
            raise FeatureError(
                f"'{declared.sql.name}' yields '{column.name}' as {column.type}. "
                "What is learnt is VARCHAR, BIGINT or DOUBLE: cast it."
            )
    return table.replace_schema_metadata(None)

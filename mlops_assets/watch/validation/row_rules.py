"""Which rows break which rule of a pandera model, for a whole table at once.

The rules are pandera's (built-in and a use case's own); this module evaluates them and says which rows fail:
in DuckDB where ``sql_rules.py`` has the check's exact meaning, else by pandera on pandas. It knows no files,
batches or shares: what follows from a breach is decided in ``validation.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa
from duckdb import ColumnExpression, DuckDBPyConnection, Expression, FunctionExpression
from numpy.typing import NDArray

from mlops_assets.contract.anomalies import Anomaly, Code, anomaly
from mlops_assets.contract.columns import SOURCE_ROW
from mlops_assets.contract.errors import ValidationError
from mlops_assets.contract.schema import Schema
from mlops_assets.watch.validation.sql_rules import is_broken, is_missing

_NULLABLE = {
    pa.int64(): pd.Int64Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.bool_(): pd.BooleanDtype(),
    pa.string(): pd.StringDtype(na_value=np.nan),
}

_COMPARED_AT_ONCE = 1_000_000

TableCheck = tuple[pandera.Check, str | None]
"""A check and the column it looks at; ``None`` if it looks across columns."""


@dataclass(frozen=True, kw_only=True)
class Breach:
    """One rule and the rows (positions in the frame) that break it; a rule across rows has no columns."""

    columns: tuple[str, ...]
    rule: str
    must: str
    rows: NDArray[np.int64]


def to_frame(table: pa.Table) -> pd.DataFrame:
    """The table as pandera's rules see it: nullable pandas types, missing floats NaN, positions as index."""
    return table.to_pandas(types_mapper=_NULLABLE.get, date_as_object=True)


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Breaches row by row, and the checks that speak of a whole table and are to be judged per batch."""

    breaches: tuple[Breach, ...]
    table_checks: tuple[TableCheck, ...]


def evaluate_rules(table: pa.Table, *, schema: Schema, connection: DuckDBPyConnection) -> Findings:
    """Evaluate nullability and every check on all rows; for unique keys see ``repeated_rows``."""
    rules = [*_nullability(schema), *_checked(schema)]
    conditions = [rule.condition for rule in rules if rule.condition is not None]
    in_sql = iter(_rows_where(table, conditions=conditions, connection=connection))
    frame = to_frame(table) if len(conditions) < len(rules) else pd.DataFrame()
    breaches, table_checks = [], []
    for rule in rules:
        failing = next(in_sql) if rule.check is None else _answer(rule.check, frame, schema=schema)
        if isinstance(failing, bool):
            table_checks.append(rule.check)
        elif failing.size:
            breaches.append(Breach(columns=rule.columns, rule=rule.name, must=rule.must, rows=failing))
    return Findings(breaches=tuple(breaches), table_checks=tuple(check for check in table_checks if check is not None))


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """One rule and who answers for it: a DuckDB ``condition`` that is true where it is broken, or pandera."""

    columns: tuple[str, ...]
    name: str
    must: str
    condition: Expression | None = None
    check: TableCheck | None = None


def _nullability(schema: Schema) -> Iterator[_Rule]:
    for column in schema.columns:
        if not column.nullable:
            must = "a value must be present"
            yield _Rule(columns=(column.name,), name="not_null", must=must, condition=is_missing(column))


def _checked(schema: Schema) -> Iterator[_Rule]:
    columns = {column.name: column for column in schema.columns}
    for check, name in _checks(schema):
        condition = None if name is None else is_broken(check, column=columns[name])
        yield _Rule(
            columns=() if name is None else (name,),
            name=_rule(check),
            must=_must(check),
            condition=condition,
            check=(check, name) if condition is None else None,
        )


def _rows_where(
    table: pa.Table, *, conditions: Sequence[Expression], connection: DuckDBPyConnection
) -> list[NDArray[np.int64]]:
    """For each condition the positions of the rows where it holds; all of them in one pass."""
    if not conditions:
        return []
    position = pa.array(np.arange(table.num_rows))
    names = [name for name in table.column_names if name != SOURCE_ROW]
    numbered = table.select(names).append_column(SOURCE_ROW, position)
    flags = [f"broken_{number}" for number in range(len(conditions))]
    flagged = [condition.alias(flag) for condition, flag in zip(conditions, flags, strict=True)]
    anywhere = reduce(or_, [ColumnExpression(flag) for flag in flags])
    found = connection.from_arrow(numbered).project(ColumnExpression(SOURCE_ROW), *flagged).filter(anywhere)
    rows = found.to_arrow_table()
    positions = rows[SOURCE_ROW].to_numpy()
    return [np.sort(positions[rows[flag].to_numpy()]) for flag in flags]


def repeated_rows(
    table: pa.Table,
    *,
    key: Sequence[str],
    within: NDArray[np.int64],
    connection: DuckDBPyConnection,
    among: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Rows whose ``key`` appeared before within the same group (``within`` numbers each row's group).

    Only the rows in ``among`` are looked at, if given. Of many rows those are compared whose hash is another's too, so
    many at a time.
    """
    keyed = table.select(list(key))
    rows = np.arange(table.num_rows) if among is None else among
    if rows.size <= _COMPARED_AT_ONCE:
        return rows[_repeated(keyed.take(rows), within=within[rows])]
    hashes = row_hashes(keyed, connection=connection)[rows]
    alike = _occurring_twice(hashes)
    rows, hashes = rows[alike], hashes[alike]
    share = hashes % np.uint64(rows.size // _COMPARED_AT_ONCE + 1)
    parts = [rows[share == number] for number in np.unique(share)]
    repeated = [part[_repeated(keyed.take(part), within=within[part])] for part in parts]
    return np.sort(np.concatenate([rows[:0], *repeated]))


def row_hashes(table: pa.Table, *, connection: DuckDBPyConnection) -> NDArray[np.uint64]:
    """A hash of each row: equal rows have equal ones."""
    columns = [ColumnExpression(name) for name in table.column_names]
    hashed = connection.from_arrow(table).project(FunctionExpression("hash", *columns).alias("hash"))
    found: NDArray[np.uint64] = hashed.to_arrow_table()["hash"].to_numpy()
    return found


def _occurring_twice(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The places of the values that are there more than once."""
    order = np.argsort(values, kind="stable")
    same = np.diff(values[order]) == 0
    places: NDArray[np.int64] = order[np.append(same, False) | np.insert(same, 0, False)]
    return np.sort(places)


def _repeated(keyed: pa.Table, *, within: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.flatnonzero(to_frame(keyed).assign(__within=within).duplicated(keep="first").to_numpy())


def table_faults(frame: pd.DataFrame, *, checks: Iterable[TableCheck], schema: Schema) -> tuple[Anomaly, ...]:
    """Which of the ``checks`` that speak of a whole table do not hold for this one."""
    faults = []
    for check, column in checks:
        if _answer((check, column), frame, schema=schema) is not True:
            of = f"Column '{column}'" if column else "The table"
            message = f"{of} breaks {_rule(check)}: {_must(check)}."
            told: dict[str, Any] = {"column": column, "rule": _rule(check), "expected": _must(check)}
            faults.append(anomaly(Code.TABLE_RULE_BROKEN, message, **told))
    return tuple(faults)


def _checks(schema: Schema) -> Iterator[TableCheck]:
    """The model's checks with the column they look at; ``None`` for checks across columns."""
    for name, column in schema.rules.columns.items():
        for check in column.checks:
            yield check, str(name)
    for check in schema.rules.checks:
        yield check, None


def _answer(check: TableCheck, frame: pd.DataFrame, *, schema: Schema) -> NDArray[np.int64] | bool:
    rule, column = check
    return _evaluate(rule, frame if column is None else frame[column], schema=schema)


def _evaluate(check: pandera.Check, data: pd.Series | pd.DataFrame, *, schema: Schema) -> NDArray[np.int64] | bool:
    """The failing positions, or one verdict if the check speaks of the whole table."""
    try:
        output = _apply(check, data)
    except Exception as error:
        raise ValidationError(
            f"Rule '{_rule(check)}' of {schema.name} raised {type(error).__name__}: {error}. Mend the rule."
        ) from error
    if isinstance(output, pd.DataFrame):
        output = output.all(axis=1)
    if not isinstance(output, pd.Series):
        return bool(output)
    holds = output.astype("boolean").fillna(bool(check.ignore_na)).to_numpy(dtype=bool)
    if check.ignore_na and isinstance(data, pd.DataFrame) and not holds.all():
        holds = holds | data.isna().all(axis=1).to_numpy()
    failing: NDArray[np.int64] = output.index.to_numpy(dtype=np.int64)[~holds]
    return failing


def _apply(check: pandera.Check, data: pd.Series | pd.DataFrame) -> Any:
    """``check(data)`` short of collecting failure cases: that part raises where an answer is missing."""
    backend = check.get_backend(data)
    name = getattr(check._check_fn, "__name__", None)
    if name is not None and check.is_builtin_check(name):
        check._check_fn = check.get_builtin_check_fn(name)  # now with the signatures for pandas
    evaluation: Any = backend(check)
    return evaluation.apply(evaluation.preprocess(data, None))


def _rule(check: pandera.Check) -> str:
    """A short stable name: pandera's text for built-in checks, the function's name for a use case's own."""
    return str(check.error or check.name or "check")


def _must(check: pandera.Check) -> str:
    """What must hold, in the model author's words where there are any."""
    return str(check.description or f"{_rule(check)} must hold")

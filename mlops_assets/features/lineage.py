"""Where every feature comes from: the columns of the sources that its value is made of, read off the SQL.

Only what is written counts: SQL files are parsed, never run. What a query selects is followed through declared
relations, history views and their roll-up, as-of views and ``features.sql`` down to the sources. Joins, filters and
windows decide which rows are taken; they are not lineage. What merely counts rows comes from the keys it counts by, or
from the moment they are known where it counts all rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa
from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node, lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import traverse_scope

from mlops_assets.contract.columns import SOURCE_ROW
from mlops_assets.contract.errors import FeatureError
from mlops_assets.contract.features import AsOfView
from mlops_assets.contract.history import HistoryFeature, HistoryView, Recency
from mlops_assets.contract.sql import Sql
from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.history import IDENTITY
from mlops_assets.features.requests import request_schema

DIALECT = "duckdb"
_PARTS = re.compile(r'"(?:[^"]|"")*"|[^."]+')
EXAMPLES = "examples"


@dataclass(frozen=True, kw_only=True, order=True)
class SourceColumn:
    """One column of one validated source."""

    source: str
    column: str


Origins = frozenset[SourceColumn]
Relations = Mapping[str, Mapping[str, Origins]]
"""The columns of every relation that a query may read, and where each comes from."""


def feature_lineage(use_case: UseCase) -> dict[str, tuple[SourceColumn, ...]]:
    """For every feature, declared or learnt, the source columns of its value, sorted.

    Raises FeatureError naming the SQL file that cannot be read.
    """
    relations = _relations(use_case)
    examples = {**_columns_of(use_case.examples_sql, relations=relations), **_attached(use_case, relations=relations)}
    computed = _columns_of(use_case.features_sql, relations={EXAMPLES: examples})
    found = {name.lower(): origins for name, origins in {**examples, **computed}.items()}
    declared = {feature.name: found.get(feature.name.lower(), frozenset()) for feature in use_case.features}
    learnt = _learnt(use_case, declared=declared, label=examples.get("label", frozenset()))
    return {name: tuple(sorted(origins)) for name, origins in {**declared, **learnt}.items()}


def history_lineage(use_case: UseCase) -> dict[str, tuple[SourceColumn, ...]]:
    """For every column of the per-batch history files (entity, known_on, measures) its source columns in any view."""
    relations = _relations(use_case)
    found: dict[str, Origins] = {}
    for view in use_case.history:
        columns = _columns_of(view.sql, relations=relations)
        keys = _keys_of(view, columns)
        known = columns[view.known]
        counted = keys or known
        mine = {name: origins or counted for name, origins in columns.items() if name not in (*IDENTITY, *view.keys)}
        for name, origins in {"entity": keys, "known_on": known, **mine}.items():
            found[name] = found.get(name, frozenset()) | origins
    return {name: tuple(sorted(origins)) for name, origins in found.items()}


def key_lineage(use_case: UseCase) -> dict[str, tuple[Origins, ...]]:
    """For every history view what each of its keys is made of."""
    relations = _relations(use_case) if use_case.history else {}
    found = {}
    for view in use_case.history:
        columns = _columns_of(view.sql, relations=relations)
        found[view.name] = tuple(columns.get(key, frozenset()) for key in view.keys)
    return found


def example_lineage(use_case: UseCase) -> dict[str, tuple[SourceColumn, ...]]:
    """For every column of ``examples.sql``, the label among them, its source columns."""
    columns = _columns_of(use_case.examples_sql, relations=_relations(use_case))
    return {name: tuple(sorted(origins)) for name, origins in columns.items()}


def request_lineage(use_case: UseCase) -> dict[str, tuple[str, ...]]:
    """For every column of a request the features that are made of it or looked up by it, in the order declared.

    What a model of requests computes in Python is a column by itself; ``event_time`` is of the one time that is asked.
    """
    schema = request_schema(use_case.request)
    times = [name for name in use_case.request.model_fields if pa.types.is_timestamp(schema.field(name).type)]
    asked = {name: _itself(name) for name in schema.names}
    asked["event_time"] = _itself(times[0]) if len(times) == 1 else asked.get("event_time", frozenset())
    keyed = [(name, view.keys) for view in use_case.history for name, _, _ in view.columns()]
    keyed += [(side.column(name), side.keys) for side in use_case.asof for name in yielded_by(side.sql)]
    attached = {name: _union(asked.get(key, frozenset()) for key in keys) for name, keys in keyed}
    examples = {"id": frozenset[SourceColumn](), **asked, **attached}
    found = {**examples, **_columns_of(use_case.features_sql, relations={EXAMPLES: examples})}
    known = {name.lower(): origins for name, origins in found.items()}
    return {
        column: tuple(
            each.name
            for each in use_case.features
            if SourceColumn(source=EXAMPLES, column=column) in known.get(each.name.lower(), ())
        )
        for column in use_case.request.model_fields
    }


def view_sources(sql: Sql, *, use_case: UseCase) -> tuple[str, ...]:
    """The sources that the columns of a view are made of, sorted."""
    columns = _columns_of(sql, relations=_relations(use_case))
    return tuple(sorted({origin.source for origins in columns.values() for origin in origins}))


def attached_columns(use_case: UseCase) -> tuple[str, ...]:
    """The columns of history and side data that the platform attaches to every example, offline and online."""
    return tuple(_attached(use_case, relations=_relations(use_case)))


def columns_read(sql: Sql, *, relation: str, columns: Iterable[str]) -> frozenset[str]:
    """The columns of ``relation`` that the query refers to anywhere, in lower case.

    ``columns`` are those that ``relation`` has: what a star stands for. A name that is neither one of them nor given by
    the query itself (an alias) counts as referred to.
    """
    query = _qualified(sql, schema={relation: dict.fromkeys(columns, "UNKNOWN")})
    resolved, unresolved = set(), set()
    for scope in traverse_scope(query):
        for column in scope.columns:
            source = scope.sources.get(column.table)
            if column.table == "":
                unresolved.add(column.name.lower())
            elif isinstance(source, exp.Table) and source.name.lower() == relation.lower():
                resolved.add(column.name.lower())
    return frozenset(resolved | (unresolved - _given(query)))


def columns_needed(use_case: UseCase) -> tuple[str, ...]:
    """What a row must have besides ``id`` and ``event_time`` for its features to be computed, sorted."""
    attached = set(attached_columns(use_case))
    asked = request_schema(use_case.request).names
    read = columns_read(use_case.features_sql, relation=EXAMPLES, columns={*asked, *attached, "id", "event_time"})
    computed = {name.lower() for name in yielded_by(use_case.features_sql)}
    taken = {feature.name for feature in use_case.features if feature.name.lower() not in computed}
    views = [*(view.keys for view in use_case.history), *(side.keys for side in use_case.asof)]
    keys = {key for names in views for key in names}
    wanted = {name.lower() for name in (read | taken | keys) - attached - {"id", "event_time"}}
    return tuple(sorted(name for name in {*asked, *taken, *keys} if name.lower() in wanted))


def yielded_by(sql: Sql) -> tuple[str, ...]:
    """The names of the columns that the query yields, stars left out."""
    return tuple(select.alias_or_name for select in _parsed(sql).selects if not select.is_star)


def example_columns(use_case: UseCase) -> tuple[str, ...] | None:
    """The columns of the examples as ``examples.sql`` says them; ``None`` where only running it tells."""
    selects = _parsed(use_case.examples_sql).selects
    if any(select.is_star for select in selects):
        relations = _relations(use_case)
        schema = {name: dict.fromkeys(columns, "UNKNOWN") for name, columns in relations.items()}
        query = _qualified(use_case.examples_sql, schema=schema)
        selects = query.selects if isinstance(query, exp.Query) else []
    if not selects or any(select.is_star or select.find(exp.Columns) for select in selects):
        return None
    return tuple(select.alias_or_name for select in selects)


def attached_names(use_case: UseCase) -> tuple[str, ...]:
    """The names of the columns of history and side data that are attached to examples, by declarations alone."""
    history = [name for view in use_case.history for name, _, _ in view.columns()]
    return (*history, *(view.column(name) for view in use_case.asof for name in yielded_by(view.sql)))


def _itself(column: str) -> Origins:
    return frozenset({SourceColumn(source=EXAMPLES, column=column)})


def _given(query: exp.Expr) -> set[str]:
    """The aliases of the query that stand for something else than a column of the same name."""
    return {
        alias.alias.lower()
        for alias in query.find_all(exp.Alias)
        if alias.alias.lower() not in {column.name.lower() for column in alias.find_all(exp.Column)}
    }


def _relations(use_case: UseCase) -> dict[str, Mapping[str, Origins]]:
    """The sources and the declared relations, each with what its columns are made of."""
    found: dict[str, Mapping[str, Origins]] = {}
    for source in use_case.sources:
        names = (*source.columns.names, SOURCE_ROW)
        found[source.name] = {
            **{name: frozenset({SourceColumn(source=source.name, column=name)}) for name in names},
            "batch": frozenset(),
        }
    for relation in use_case.relations:
        found[relation.name] = _columns_of(relation.sql, relations=found)
    return found


def _attached(use_case: UseCase, *, relations: Relations) -> dict[str, Origins]:
    found: dict[str, Origins] = {}
    for view in use_case.history:
        found |= _rolled_up(view, _columns_of(view.sql, relations=relations))
    for side in use_case.asof:
        found |= _side_columns(side, _columns_of(side.sql, relations=relations))
    return found


def _rolled_up(view: HistoryView, columns: Mapping[str, Origins]) -> dict[str, Origins]:
    counted = _keys_of(view, columns) or columns[view.known]
    found = {}
    for name, feature, _ in view.columns():
        found[name] = _union(columns.get(measure, frozenset()) for measure in _read_by(feature, view)) or counted
    return found


def _keys_of(view: HistoryView, columns: Mapping[str, Origins]) -> Origins:
    return _union(columns.get(key, frozenset()) for key in view.keys)


def _read_by(feature: HistoryFeature, view: HistoryView) -> list[str]:
    """The columns of the view that a figure over its past is worked out from."""
    if isinstance(feature, Recency):
        return [view.known]
    return list(feature.measures)


def _side_columns(view: AsOfView, columns: Mapping[str, Origins]) -> dict[str, Origins]:
    beside = (*view.keys, view.time_column)
    return {view.column(name): origins for name, origins in columns.items() if name not in beside}


def _learnt(use_case: UseCase, *, declared: Mapping[str, Origins], label: Origins) -> dict[str, Origins]:
    """The learnt features: made of the rows' own features and, through the learnt tables, of labels."""
    learning = use_case.learning
    if learning is None:
        return {}
    training = {"training": {**declared, "label": label}}
    tables = {table.name: _columns_of(table.sql, relations=training) for table in learning.tables}
    examples = {EXAMPLES: {"id": frozenset[SourceColumn](), **declared}}
    found = _columns_of(learning.sql, relations={**examples, **tables})
    return {feature.name: found.get(feature.name, frozenset()) for feature in learning.features}


def _columns_of(sql: Sql, *, relations: Relations) -> dict[str, Origins]:
    """The columns that a query yields, in order, each with the source columns it is made of."""
    plain = _columns_of_one_table(_parsed(sql), relations=relations)
    if plain is not None:
        return plain
    schema = {name: dict.fromkeys(columns, "UNKNOWN") for name, columns in relations.items()}
    try:
        nodes = lineage(None, sql.read_text(encoding="utf-8"), schema=schema, dialect=DIALECT, identify=False)
    except SqlglotError as error:
        raise FeatureError(f"'{sql.name}' cannot be read for lineage: {error}") from error
    known = {
        (name.lower(), column.lower()): origins
        for name, columns in relations.items()
        for column, origins in columns.items()
    }
    return {name: _union(known.get(leaf, frozenset()) for leaf in _leaves(node)) for name, node in nodes.items()}


def _columns_of_one_table(query: exp.Query, *, relations: Relations) -> dict[str, Origins] | None:
    """The same of a query that selects from one relation and nothing else, hundreds of columns in no time; ``None``
    where it does more, or names what the relation does not have, such as an alias of its own.
    """
    tables, selects = list(query.find_all(exp.Table)), query.selects
    if len(tables) != 1 or len(list(query.find_all(exp.Query))) != 1 or any(each.is_star for each in selects):
        return None
    relation = relations.get(tables[0].name, {})
    known = {name.lower(): origins for name, origins in relation.items()}
    read = {each.alias_or_name: {column.name.lower() for column in each.find_all(exp.Column)} for each in selects}
    if not all(names <= known.keys() for names in read.values()):
        return None
    return {name.lower(): _union(known[column] for column in names) for name, names in read.items()}


def _leaves(node: Node) -> set[tuple[str, str]]:
    """Relation and column, in lower case, of everything that a column is made of."""
    return {
        (each.source.name.lower(), _column_of(each).lower())
        for each in node.walk()
        if not each.downstream and isinstance(each.source, exp.Table)
    }


def _column_of(node: Node) -> str:
    """The column that a leaf stands for: the last part of its name, which may hold dots where it is quoted."""
    *_, last = _PARTS.findall(node.name)
    return str(last[1:-1].replace('""', '"') if last.startswith('"') else last)


def _qualified(sql: Sql, *, schema: Mapping[str, Mapping[str, str]]) -> exp.Expr:
    try:
        return qualify(
            _parsed(sql), dialect=DIALECT, schema=dict(schema), validate_qualify_columns=False, identify=False
        )
    except SqlglotError as error:
        raise FeatureError(f"The columns of '{sql.name}' cannot be told: {error}") from error


def _parsed(sql: Sql) -> exp.Query:
    try:
        query = parse_one(sql.read_text(encoding="utf-8"), dialect=DIALECT)
    except SqlglotError as error:
        raise FeatureError(f"'{sql.name}' cannot be parsed: {error}") from error
    if not isinstance(query, exp.Query):
        raise FeatureError(f"'{sql.name}' must be a query, one SELECT.")
    return query


def _union(parts: Iterable[Origins]) -> Origins:
    return frozenset().union(*parts)

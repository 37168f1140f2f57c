"""What a use case has that it does not declare: by its task, and by the columns of the source that has its label.

Each function takes the use case and answers one of its fields. The request is in ``derived_request.py``, the SQL of the
examples in ``examples.py``.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from mlops_assets.contract.by_default import declared, is_declared
from mlops_assets.contract.checked import refuse_unknown
from mlops_assets.contract.columns import Column, Columns
from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.features import Feature
from mlops_assets.contract.gates import Gate, NotWorseThanChampion
from mlops_assets.contract.serving import EventTimes
from mlops_assets.contract.slices import Slice
from mlops_assets.contract.source import Source
from mlops_assets.contract.splits import AnySplit, HashSplit, TimeShares
from mlops_assets.contract.sql import GeneratedSql
from mlops_assets.contract.tasks import Regression

if TYPE_CHECKING:
    from mlops_assets.contract.use_case import UseCase

OWNER = "team:unowned"
NOTHING_COMPUTED = GeneratedSql(name="the generated features.sql", text="SELECT id FROM examples")
MOST_SEGMENTS, MOST_SLICES = 12, 8
"""A column is a slice by default if its schema allows so few values; the first columns of that kind are."""
CENTURY = timedelta(days=36_500)


def title_of(use_case: UseCase) -> str:
    """``beans: Class``."""
    return f"{use_case.name}: {use_case.label}" if use_case.label else use_case.name


def description_of(use_case: UseCase) -> str:
    """What the first source says of itself, or what is predicted."""
    return use_case.sources[0].description or f"Predicts {use_case.label or 'a label'} of {use_case.name}."


def positive_word_of(use_case: UseCase) -> str:
    """The value that counts as 1."""
    return "positive" if use_case.positive is None else str(use_case.positive)


def label_source(use_case: UseCase) -> Source:
    """The one source that has the label; its rows are the examples."""
    label = _label(use_case)
    having = [source for source in use_case.sources if label in source.layout.names]
    if len(having) == 1:
        return having[0]
    if not having:
        known = [name for source in use_case.sources for name in source.layout.names]
        refuse_unknown(label, known=known, use_case=use_case.name, field="label", what="column")
    raise DeclarationError(
        f"Use case '{use_case.name}', label: '{label}' is a column of {' and '.join(each.name for each in having)}, so "
        "that nobody can tell whose rows the examples are: say so with examples_sql."
    )


def label_columns(use_case: UseCase) -> Columns:
    """The columns of the source that has the label."""
    return label_source(use_case).layout


def key_of(use_case: UseCase) -> tuple[str, ...]:
    """The schema's unique key; nothing where it has none, or one of numbers with a fraction, or nobody said a label."""
    if use_case.label is None:
        return ()
    layout = label_columns(use_case)
    usable = (key for key in layout.keys if all(_names_rows(layout.find(name)) for name in key))
    return next(usable, ())


def named_features(use_case: UseCase, given: tuple[Feature | str, ...]) -> tuple[Feature, ...]:
    """The features as they were declared, those by name as their columns are; with the use case's owner, if none."""
    features = (
        each if isinstance(each, Feature) else _feature(use_case, each, _column_named(use_case, each)) for each in given
    )
    return tuple(each if each.owner else replace(each, owner=use_case.owner) for each in features)


def features_of(use_case: UseCase) -> tuple[Feature, ...]:
    """Every number and every text of the examples' source that is nothing else: no label, key, time, weight, left out.

    Of a key that only the schema tells, its columns are features unless one column alone is the key.
    """
    taken = {use_case.label, use_case.time, use_case.weight, *use_case.left_out}
    if is_declared(use_case, "key") or len(use_case.key) == 1:
        taken |= {*use_case.key}
    columns = [each for each in label_columns(use_case).columns if each.name not in taken]
    features = tuple(_feature(use_case, each.name, each) for each in columns if not each.is_moment)
    if not features:
        raise DeclarationError(
            f"Use case '{use_case.name}' has no features: no number and no text is left beside label, key, time, "
            "weight and what is left out. Compute some in features_sql and name them in features."
        )
    return features


def split_of(use_case: UseCase) -> AnySplit:
    """By time where there is a time: the last fifth of the days judges. Else by a hash of the row's id: a quarter."""
    return TimeShares() if use_case.time else HashSplit(key="id", test_share=0.25, validation_share=0.15)


def gates_of(use_case: UseCase) -> tuple[Gate, ...]:
    """A first model is better than the constant prior beyond chance, a later one not worse than the champion.

    By figures that neither small classes nor units move: the log loss, of numbers the coefficient of determination. A
    quantile has no such figure, so that no loss of it is let pass.
    """
    if isinstance(use_case.task, Regression) and use_case.task.quantile is not None:
        return (NotWorseThanChampion(metric="pinball_loss", first="constant"),)
    metric = "r2_score" if isinstance(use_case.task, Regression) else "log_loss"
    return (NotWorseThanChampion(metric=metric, margin=0.05, first="constant"),)


def slices_of(use_case: UseCase) -> tuple[Slice, ...]:
    """The first columns whose schema allows a few values, each a slice by its name; none where nobody said a label."""
    if use_case.label is None:
        return ()
    taken = {use_case.label, use_case.time, use_case.weight, *use_case.left_out}
    columns = [each for each in label_columns(use_case).columns if each.name not in taken and _has_few_values(each)]
    return tuple(Slice(name=each.name, columns=(each.name,)) for each in columns[:MOST_SLICES])


def event_times_of(use_case: UseCase) -> EventTimes:
    """Without history any moment can be answered about as well as today."""
    looks_back = use_case.history or use_case.asof
    return EventTimes() if looks_back else EventTimes(max_age=CENTURY, max_ahead=CENTURY)


def refuse_unknown_columns(use_case: UseCase) -> None:
    """Raises DeclarationError for a column that is named and that the source of the examples does not have."""
    if use_case.label is None:
        return
    known = label_columns(use_case).names
    named = [("label", use_case.label), ("time", use_case.time), ("weight", use_case.weight)]
    named += [("key", name) for name in declared(use_case, "key") or ()]
    named += [("left_out", name) for name in use_case.left_out]
    for field, name in named:
        if name is not None:
            refuse_unknown(name, known=known, use_case=use_case.name, field=field, what="column")


def is_by_period(use_case: UseCase) -> bool:
    """Whether the examples' source lands a file a day, week or month, so that a key need only hold within one."""
    return label_source(use_case).period is not None


def _label(use_case: UseCase) -> str:
    if use_case.label is None:
        raise DeclarationError(
            f"Use case '{use_case.name}' has no label, so that features and request cannot be told from a source: "
            "declare label, or features and request beside examples_sql."
        )
    return use_case.label


def _column_named(use_case: UseCase, name: str) -> Column:
    """The column of a feature that is declared by its name: of the source of the label, then of any other; of side data
    by what comes after the name of its view.
    """
    sources = use_case.sources if use_case.label is None else (label_source(use_case), *use_case.sources)
    layouts = [source.layout for source in sources]
    for side in use_case.asof:
        if name.startswith(side.column("")):
            name = name.removeprefix(side.column(""))
    for layout in layouts:
        if (column := layout.find(name)) is not None:
            return column
    known = [each for layout in layouts for each in layout.names]
    refuse_unknown(name, known=known, use_case=use_case.name, field="features", what="column")
    raise AssertionError(name)


def _feature(use_case: UseCase, name: str, column: Column) -> Feature:
    if column.is_moment:
        raise DeclarationError(
            f"Use case '{use_case.name}', features: '{name}' is {column.kind}, which no model can learn from: compute "
            "a number of it in features_sql."
        )
    kind = "numeric" if column.is_number else "categorical"
    return Feature(name=name, kind=kind, description=column.description, owner=use_case.owner)  # type: ignore[arg-type]


def _names_rows(column: Column | None) -> bool:
    """Whether a row's name can be made of its values: a number with a fraction is written in more than one way."""
    return column is not None and not column.nullable and str(column.type) not in ("double", "bool")


def _has_few_values(column: Column) -> bool:
    return 2 <= len(column.allowed) <= MOST_SEGMENTS

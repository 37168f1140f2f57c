"""Which history views have nothing of a batch in which a column is missing: asked before the batch is published.

Read off the views' SQL, so that validation refuses what history would refuse after it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from mlops_assets.contract.source import Source
from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.lineage import Origins, SourceColumn, key_lineage


def history_keys(use_case: UseCase, *, source: Source) -> Callable[[str], tuple[str, ...]]:
    """Answers, for a column of ``source``, the history views one of whose keys is made of it alone."""

    @cache
    def keys() -> dict[str, tuple[Origins, ...]]:  # parsing SQL takes a tenth of a second: only if a column is lost
        return key_lineage(use_case)

    def views(column: str) -> tuple[str, ...]:
        lost = frozenset({SourceColumn(source=source.name, column=column)})
        return tuple(view for view, origins in keys().items() if lost in origins)

    return views

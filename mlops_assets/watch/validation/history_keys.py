"""Which history views have nothing of a batch in which a column is missing: asked before the batch is published.

Read off the views' SQL, so that validation refuses what history would refuse after it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from mlops_assets.contract.source import Source
from mlops_assets.contract.use_case import UseCase


def history_keys(use_case: UseCase, *, source: Source) -> Callable[[str], tuple[str, ...]]:
    """Answers, for a column of ``source``, the history views one of whose keys is made of it alone."""

    @cache
    def kept_by() -> dict[str, set[str]]:
        # loading a parser and reading SQL with it takes tenths of a second: only once a column is lost
        from mlops_assets.features.lineage import key_lineage

        alone = {
            view: [origins for origins in keys if len(origins) == 1] for view, keys in key_lineage(use_case).items()
        }
        return {
            view: {origin.column for origins in keys for origin in origins if origin.source == source.name}
            for view, keys in alone.items()
        }

    def views(column: str) -> tuple[str, ...]:
        return tuple(view for view, columns in kept_by().items() if column in columns)

    return views

"""How the assets of a use case hang together in the UI: a group for each stage, and an arrow to whatever reads first.

An asset is tied to what it reads, but not to what stands behind that already: so the lineage page is a way to follow,
not every asset tied to every source.
"""

from __future__ import annotations

from typing import Literal

from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.lineage import view_sources

Stage = Literal["data", "features", "model", "serving", "watching"]


def group_of(use_case: UseCase, stage: Stage) -> str:
    """``flights_model``: groups are named for their use case, because Dagster has one list of them."""
    return f"{use_case.name}_{stage}"


def read_by_history(use_case: UseCase) -> list[str]:
    """The validated sources that history is made of."""
    return _validated(use_case, _sources_of_history(use_case))


def read_beside_history(use_case: UseCase) -> list[str]:
    """History, if there is any, and the validated sources that are not behind it: what examples and features read."""
    behind = _with_references(use_case, _sources_of_history(use_case))
    others = {source.name for source in use_case.sources} - behind
    return [*(["history"] if use_case.history else []), *_validated(use_case, others)]


def looked_up(use_case: UseCase) -> list[str]:
    """History and the validated sources of side data: what the online store holds."""
    sources = {source for view in use_case.asof for source in view_sources(view.sql, use_case=use_case)}
    return [*(["history"] if use_case.history else []), *_validated(use_case, sources)]


def _sources_of_history(use_case: UseCase) -> set[str]:
    return {source for view in use_case.history for source in view_sources(view.sql, use_case=use_case)}


def _with_references(use_case: UseCase, sources: set[str]) -> set[str]:
    """``sources``, and those that their rows refer to, which are validated before them."""
    referred = {each.source for name in sources for each in use_case.source(name).references}
    return sources if referred <= sources else _with_references(use_case, sources | referred)


def _validated(use_case: UseCase, sources: set[str]) -> list[str]:
    return [f"validated_{source.name}" for source in use_case.sources if source.name in sources]

"""What a shell offers after TAB: use cases by where they are declared, none imported; versions by the lake's listing.

A shell shows no errors: where something is wrong nothing is offered, and nothing is ever made.
"""

from __future__ import annotations

from mlops_assets.contract.plugins import use_case_places
from mlops_assets.lake.settings import DEFAULT_BRANCH, LakeKind, LakeSettings


def use_case_names(incomplete: str) -> list[str]:
    """The names of use cases that begin so."""
    try:
        return [name for name in use_case_places() if name.startswith(incomplete)]
    except Exception:  # noqa: BLE001 - a broken distribution on the path must not break a person's prompt
        return []


def version_names(incomplete: str) -> list[str]:
    """The ids of versions, of all use cases, that begin so, the newest first."""
    try:
        return [version for version in _versions() if version.startswith(incomplete)]
    except Exception:  # noqa: BLE001 - a lake that does not answer must not break a person's prompt
        return []


def _versions() -> list[str]:
    settings = LakeSettings.from_environment()
    if settings.kind is LakeKind.EMBEDDED and not settings.root.exists():
        return []
    from mlops_assets.lake.connection import refuse_unknown_branch
    from mlops_assets.lake.lake import Lake
    from mlops_assets.stores.models.registry import version_ids

    if settings.branch != DEFAULT_BRANCH:
        refuse_unknown_branch(settings)
    head = Lake.connect(settings).at()
    return sorted((version for name in use_case_places() for version in version_ids(head, use_case=name)), reverse=True)

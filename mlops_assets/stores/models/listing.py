"""Every version of a use case with where it stands: what `mlops models` lists.

How the champion's pointer moves is in ``champion.py``. One damaged version hides no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mlops_assets.contract.errors import RegistryError
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.stores.models.champion import Pointer, champion, events
from mlops_assets.stores.models.record import DecisionRecord, ModelRecord
from mlops_assets.stores.models.registry import load_decision, load_record, version_ids


class Status(StrEnum):
    """Where a version stands."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"
    RETIRED = "retired"
    REJECTED = "rejected"
    UNEVALUATED = "unevaluated"


@dataclass(frozen=True, kw_only=True)
class ListedVersion:
    """A version as `mlops models` lists it. A decision that cannot be read is none."""

    record: ModelRecord
    status: Status
    decision: DecisionRecord | None


@dataclass(frozen=True, kw_only=True)
class Listing:
    """All versions, oldest id first; of those whose record cannot be read, why, by their ids."""

    versions: tuple[ListedVersion, ...]
    unreadable: dict[str, str]


def listed_versions(snapshot: Snapshot, *, use_case: str) -> Listing:
    """All versions with where they stand."""
    serving = champion(snapshot, use_case=use_case)
    served = {event.version for event in events(snapshot, use_case=use_case)}
    found, unreadable = [], {}
    for version in version_ids(snapshot, use_case=use_case):
        decision = _readable_decision(snapshot, use_case=use_case, version=version)
        status = _status(version, decision=decision, serving=serving, served=served)
        try:
            record = load_record(snapshot, use_case=use_case, version=version)
        except RegistryError as error:
            unreadable[version] = str(error)
        else:
            found.append(ListedVersion(record=record, status=status, decision=decision))
    return Listing(versions=tuple(found), unreadable=unreadable)


def status_of(snapshot: Snapshot, *, use_case: str, version: str) -> Status:
    """Where one version stands."""
    return _status(
        version,
        decision=_readable_decision(snapshot, use_case=use_case, version=version),
        serving=champion(snapshot, use_case=use_case),
        served={event.version for event in events(snapshot, use_case=use_case)},
    )


def _readable_decision(snapshot: Snapshot, *, use_case: str, version: str) -> DecisionRecord | None:
    try:
        return load_decision(snapshot, use_case=use_case, version=version)
    except RegistryError:
        return None


def _status(version: str, *, decision: DecisionRecord | None, serving: Pointer | None, served: set[str]) -> Status:
    if serving is not None and serving.version == version:
        return Status.CHAMPION
    if version in served:
        return Status.RETIRED
    if decision is None:
        return Status.UNEVALUATED
    return Status.CHALLENGER if decision.decision.passed else Status.REJECTED

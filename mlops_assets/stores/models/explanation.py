"""Why a figure that is too good to be true is right all the same: what a person said, and for which features.

A version whose own figure is implausible is held until somebody says why. What was said of one version holds for every
later one with the same features: a new or changed one may be the leak. The use case may say it too (``plausible``).
"""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.errors import RegistryError
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.write import Write
from mlops_assets.stores.code import git_state
from mlops_assets.stores.models.identity import features_version, use_case_code_version
from mlops_assets.stores.models.record import Document, read_document
from mlops_assets.stores.models.registry import load_record, report_of

READS_BACK = "explanation_reads_back"


class Explanation(Document):
    """``by`` said at ``at`` ``why`` the figures of ``version`` are right. ``features`` is the version of the features
    that it holds for, empty where it holds for that version alone.
    """

    schema_version: Literal[1] = 1
    use_case: str
    version: str
    features: str
    by: str
    why: str
    at: AwareDatetime

    def told(self) -> str:
        """As a sentence."""
        of = "" if self.features else " of this version alone"
        return f"{self.by} said on {self.at:%Y-%m-%d %H:%M} UTC{of}, looking at {self.version}: {self.why}"


def explanation(snapshot: Snapshot, *, use_case: UseCase, version: str) -> Explanation | None:
    """What was said of the version, or last of one with its features."""
    paths = [info.path for info in snapshot.paths(_path(use_case.name, version=""))]
    said = [read_document(Explanation, snapshot.read(path), path=path) for path in paths]
    features = _features_of(snapshot, use_case=use_case, version=version) if said else ""
    of_all = [each for each in said if each.version == version or (features and each.features == features)]
    return max(of_all, key=lambda each: (each.version == version, each.at), default=None)


def why_believed(snapshot: Snapshot, *, use_case: UseCase, version: str) -> str:
    """Why figures that are too good to be true are right: what the use case or a person says, empty if nobody does."""
    said = explanation(snapshot, use_case=use_case, version=version)
    return use_case.plausible or (said.told() if said else "")


def is_suspected(snapshot: Snapshot, use_case: UseCase, *, version: str) -> bool:
    """Whether its figures are too good to be true, whatever was said of it."""
    report = report_of(snapshot, use_case=use_case.name, version=version)
    return report is not None and report.implausible is not None


def why_held(snapshot: Snapshot, *, use_case: UseCase, version: str) -> str:
    """Why the version waits for a person, and what to do; empty if it does not."""
    report = report_of(snapshot, use_case=use_case.name, version=version)
    suspicion = report.implausible if report else None
    if suspicion is None or why_believed(snapshot, use_case=use_case, version=version):
        return ""
    name = use_case.name
    return (
        f"Version {version} of {name} is held. {suspicion.told()} Find out whether each is known at the moment of "
        f'prediction. If so: `mlops approve {name} {version} --because "…"`. If not, leave it out and train again.'
    )


def explain(lake: Lake, *, use_case: UseCase, said: Explanation) -> Explanation:
    """Publishes what was said, for the features of the version if today's are. Raises RegistryError without a why."""
    if not said.why.strip():
        raise RegistryError("Why are such figures right? Say it with --because TEXT.")
    kept = said.model_copy(update={"features": _features_of(lake.at(), use_case=use_case, version=said.version)})
    path = _path(use_case.name, version=said.version)

    def audit(staged: Snapshot) -> list[CheckResult]:
        same = read_document(Explanation, staged.read(path), path=path) == kept
        reasons = () if same else (f"'{path}' does not read back as it was written.",)
        return [CheckResult(name=READS_BACK, passed=same, reasons=reasons)]

    message = f"{use_case.name}: the figures of {said.version} are explained by {said.by}: {said.why}"
    write = Write(use_case=use_case.name, asset="champion", git_commit=git_state().commit, message=message)
    lake.publish(write, files={path: kept.to_json()}, audit=audit)
    return kept


def _features_of(snapshot: Snapshot, *, use_case: UseCase, version: str) -> str:
    """The version of today's features if the model version was made of them."""
    record = load_record(snapshot, use_case=use_case.name, version=version)
    return features_version(use_case) if record.code_version == use_case_code_version(use_case) else ""


def _path(use_case: str, *, version: str) -> str:
    return f"{use_case}/explanations/{version}.json" if version else f"{use_case}/explanations/"

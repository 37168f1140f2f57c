"""Package: a version in BentoML's stores and rehearsed, before the champion's pointer moves to it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.columns import COLUMNS, packed
from mlops_assets.contract.errors import RegistryError, ServingError
from mlops_assets.contract.paths import bento_path, model_path
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import Connect
from mlops_assets.lake.write import Write
from mlops_assets.steps.rehearse import rehearse
from mlops_assets.steps.step import Step, publish
from mlops_assets.stores.models.bento_store import BuiltBento, build_bento
from mlops_assets.stores.models.recipe import current_version
from mlops_assets.stores.models.record import RECORD
from mlops_assets.stores.models.registry import load_record

HOLDS_VERSION = "holds_the_version"


@dataclass(frozen=True, kw_only=True)
class Packaged:
    """The Bento of ``version``, and whether it was rehearsed now or had passed before."""

    version: str
    built: BuiltBento
    rehearsed: bool


def package(
    head: Snapshot, *, use_case: UseCase, data_dir: Path, connect: Connect, version: str | None = None
) -> Step[Packaged]:
    """The Bento of the version just trained, or of the one that is named, in the store below ``data_dir``.

    What is packaged already is not packaged again; a Bento that passed its rehearsal within today's budget is not
    rehearsed again. The step's checks say whether it may serve.
    """
    version = version or current_version(head, use_case=use_case)
    with TemporaryDirectory() as folder:
        columns = Path(folder) / COLUMNS
        columns.write_bytes(packed(use_case.sources))
        built = build_bento(
            {**_files(head, use_case=use_case, version=version), COLUMNS: columns},
            use_case=use_case.name,
            version=version,
            data_dir=data_dir,
            description=use_case.description,
        )
    told: dict[str, Any] = {
        "tag": built.tag,
        "checksums": dict(built.checksums),
        "source": built.source,
        "packages": list(built.packages),
        "budget": asdict(use_case.budget),
    }
    checks = _passed_before(head, use_case=use_case, version=version, of=told)
    rehearsed = checks is None
    if checks is None:
        checks = rehearse(head, use_case=use_case, built=built, version=version, data_dir=data_dir, connect=connect)
    told["rehearsal"] = [_as_json(check) for check in checks]
    return Step(
        files={bento_path(use_case.name, version=version): json.dumps(told, indent=1).encode()},
        audit=lambda staged: [_holds_version(staged, use_case=use_case, version=version)],
        checks=checks,
        message=f"{use_case.name}: bento {built.tag}",
        outcome=Packaged(version=version, built=built, rehearsed=rehearsed),
    )


def make_ready(lake: Lake, *, use_case: UseCase, data_dir: Path, connect: Connect, version: str) -> BuiltBento:
    """Packages the version and publishes that; a ServingError with the reasons when its rehearsal says no.

    Called before the champion's pointer moves, so that a restart at any moment finds the Bento that it names.
    """
    step = package(lake.at(), use_case=use_case, data_dir=data_dir, connect=connect, version=version)
    publish(step, lake=lake, write=Write(use_case=use_case.name, asset="bento", message=step.message))
    if reasons := [f"{check.name}: {reason}" for check in step.checks if check.blocks for reason in check.reasons]:
        raise ServingError(f"The Bento {step.outcome.built.tag} may not serve. " + "\n".join(reasons))
    return step.outcome.built


def _files(head: Snapshot, *, use_case: UseCase, version: str) -> dict[str, Path]:
    record = load_record(head, use_case=use_case.name, version=version)
    return {name: head.local(model_path(use_case.name, version=version, name=name)) for name in (*record.files, RECORD)}


def _passed_before(
    head: Snapshot, *, use_case: UseCase, version: str, of: dict[str, Any]
) -> Sequence[CheckResult] | None:
    """The verdicts on record of this very Bento, if all of them passed."""
    path = bento_path(use_case.name, version=version)
    if not head.exists(path):
        return None
    recorded = json.loads(head.read(path))
    verdicts = recorded.pop("rehearsal", [])
    if recorded != of or not verdicts or not all(verdict["passed"] for verdict in verdicts):
        return None
    return [CheckResult(name=verdict["name"], passed=True, figures=verdict["figures"]) for verdict in verdicts]


def _as_json(check: CheckResult) -> dict[str, Any]:
    return {
        "name": check.name,
        "passed": check.passed,
        "figures": dict(check.figures),
        "reasons": list(check.reasons),
    }


def _holds_version(staged: Snapshot, *, use_case: UseCase, version: str) -> CheckResult:
    try:
        recorded = load_record(staged, use_case=use_case.name, version=version).files
    except RegistryError as error:
        return CheckResult(name=HOLDS_VERSION, passed=False, reasons=(str(error),))
    packaged = json.loads(staged.read(bento_path(use_case.name, version=version)))["checksums"]
    differing = sorted(name for name, digest in recorded.items() if packaged.get(name) != digest)
    return CheckResult(
        name=HOLDS_VERSION,
        passed=not differing,
        figures={"files": len(recorded)},
        reasons=(f"These files differ from the version's: {', '.join(differing)}.",) if differing else (),
    )

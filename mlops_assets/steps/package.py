"""Package: the champion in BentoML's stores, ready for `bentoml serve`."""

from __future__ import annotations

import json
from pathlib import Path

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.errors import RegistryError
from mlops_assets.contract.paths import bento_path, model_path
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.steps.step import Step
from mlops_assets.stores.models.bento_store import BuiltBento, build_bento
from mlops_assets.stores.models.champion import require_champion
from mlops_assets.stores.models.record import RECORD
from mlops_assets.stores.models.registry import load_record

HOLDS_CHAMPION = "holds_the_champion"


def package(head: Snapshot, *, use_case: UseCase, data_dir: Path) -> Step[BuiltBento]:
    """The champion's Bento, in the store below ``data_dir``; one that is packaged already is not packaged again."""
    version = require_champion(head, use_case=use_case.name).version
    built = build_bento(
        _files(head, use_case=use_case, version=version),
        use_case=use_case.name,
        version=version,
        data_dir=data_dir,
        description=use_case.description,
    )
    told = {"tag": built.tag, "checksums": dict(built.checksums), "source": built.source}
    return Step(
        files={bento_path(use_case.name, version=version): json.dumps(told, indent=1).encode()},
        audit=lambda staged: [_holds_champion(staged, use_case=use_case, version=version)],
        message=f"{use_case.name}: bento {built.tag}",
        outcome=built,
    )


def _files(head: Snapshot, *, use_case: UseCase, version: str) -> dict[str, Path]:
    record = load_record(head, use_case=use_case.name, version=version)
    return {name: head.local(model_path(use_case.name, version=version, name=name)) for name in (*record.files, RECORD)}


def _holds_champion(staged: Snapshot, *, use_case: UseCase, version: str) -> CheckResult:
    try:
        recorded = load_record(staged, use_case=use_case.name, version=version).files
    except RegistryError as error:
        return CheckResult(name=HOLDS_CHAMPION, passed=False, reasons=(str(error),))
    packaged = json.loads(staged.read(bento_path(use_case.name, version=version)))["checksums"]
    differing = sorted(name for name, digest in recorded.items() if packaged.get(name) != digest)
    return CheckResult(
        name=HOLDS_CHAMPION,
        passed=not differing,
        figures={"files": len(recorded)},
        reasons=(f"These files differ from the champion's: {', '.join(differing)}.",) if differing else (),
    )

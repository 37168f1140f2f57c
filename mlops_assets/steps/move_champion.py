"""Moving the champion's pointer by itself: what `mlops promote` and `mlops rollback` do, without a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.tables import Connect
from mlops_assets.lake.write import Write
from mlops_assets.steps.package import make_ready
from mlops_assets.steps.step import Step, publish
from mlops_assets.steps.tell_service import tell_champion
from mlops_assets.stores.models.bento_store import mark_latest
from mlops_assets.stores.models.champion import Pointer, promote, rollback

BY_ITSELF = "the loop"
"""Who moved the pointer where no person did."""


@dataclass(frozen=True, kw_only=True)
class Moves:
    """What moves of one use case need: its lake, the folder of all data, the deployment's own, and the moment."""

    lake: Lake
    use_case: UseCase
    data_dir: Path
    folder: Path
    connect: Connect
    now: datetime
    run_id: str = ""

    def promote(self, version: str, *, why: str, retraining: str) -> Pointer:
        """As ``champion.promote``: packaged and rehearsed before, and the service told of it after."""
        pointer = promote(
            self.lake, version=version, why=why, retraining=retraining, make_ready=self.make_ready, **self._told()
        )
        return self._tell(pointer)

    def roll_back(self, version: str, *, why: str) -> Pointer:
        """As ``champion.rollback`` of that version alone."""
        return self._tell(rollback(self.lake, of=version, why=why, make_ready=self.make_ready, **self._told()))

    def publish(self, asset: str, step: Step[Any]) -> None:
        """Stages, audits and publishes what a step made."""
        write = Write(use_case=self.use_case.name, asset=asset, run_id=self.run_id, message=step.message)
        if step.files:
            publish(step, lake=self.lake, write=write)

    def make_ready(self, version: str) -> object:
        """Packages and rehearses the version."""
        told: Any = {"use_case": self.use_case, "data_dir": self.data_dir, "connect": self.connect}
        return make_ready(self.lake, version=version, **told)

    def _told(self) -> dict[str, Any]:
        return {"use_case": self.use_case, "by": BY_ITSELF, "at": self.now, "run_id": self.run_id}

    def _tell(self, pointer: Pointer) -> Pointer:
        tell_champion(self.lake, use_case=self.use_case, folder=self.folder)
        mark_latest(self.use_case.name, version=pointer.version, data_dir=self.data_dir)
        return pointer

"""One worker of a service: its model, engine and routes, opened together and closed together."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from starlette.types import ASGIApp

from mlops_assets.contract.errors import ServingError
from mlops_assets.lake.settings import keys_file
from mlops_assets.serving.access import Access
from mlops_assets.serving.app import build_app
from mlops_assets.serving.asking import Asking
from mlops_assets.serving.engine import Engine
from mlops_assets.serving.explaining import Explaining
from mlops_assets.serving.logs import write_json_lines
from mlops_assets.serving.metrics import ServiceMetrics
from mlops_assets.serving.outcomes import Outcomes
from mlops_assets.serving.predictor import Predictor
from mlops_assets.serving.settings import ServiceSettings
from mlops_assets.stores.key_ring import KeyRing
from mlops_assets.use_cases.registry import find

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Worker:
    """What one process of the service answers with."""

    predictor: Predictor
    engine: Engine
    asking: Asking
    explaining: Explaining
    outcomes: Outcomes
    app: ASGIApp

    @classmethod
    def open(
        cls, folder: Path, *, use_case: str, checksums: Mapping[str, str], data_dir: Path, settings: ServiceSettings
    ) -> Self:
        """The model in ``folder``, ready to answer. ``ServingError`` when a file of it is missing or damaged."""
        write_json_lines(use_case=use_case)
        declared = find(use_case, schemas=False)
        metrics = ServiceMetrics()
        predictor = Predictor.open(
            folder, use_case=declared, checksums=checksums, data_dir=data_dir, observe=metrics.observe
        )
        worker = cls(
            predictor=predictor,
            engine=Engine(predictor.together, settings=settings),
            asking=Asking(declared, most_rows=settings.max_rows),
            explaining=Explaining(predictor.for_another_thread()),
            outcomes=Outcomes(predictor.log, task=declared.task),
            app=build_app(lambda: worker, settings=settings, metrics=metrics, check=Access(KeyRing(keys_file()))),
        )
        log.info("open", extra={"told": {"version": predictor.answering.version}})
        return worker

    def is_ready(self) -> bool:
        """Whether a request could be answered and remembered now; the reason why not is logged."""
        try:
            if not self.engine.is_alive:
                raise ServingError("Nothing answers any more: the thread that did has ended.")
            self.predictor.ready()
        except ServingError as error:
            log.error("not ready", extra={"told": {"reason": str(error)}})
            return False
        return True

    def close(self) -> None:
        """Answers what waits and gives everything back."""
        self.engine.close()
        self.explaining.close()
        self.predictor.close()

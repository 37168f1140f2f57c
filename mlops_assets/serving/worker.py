"""One worker of a service: its model, engine and routes, opened together and closed together."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from starlette.types import ASGIApp

from mlops_assets.contract.columns import COLUMNS, carry
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
from mlops_assets.serving.watcher import Watcher
from mlops_assets.stores.key_ring import KeyRing
from mlops_assets.stores.pages import served_monitor_page
from mlops_assets.stores.serving_orders import ServingOrders
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
    watcher: Watcher
    app: ASGIApp

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        use_case: str,
        checksums: Mapping[str, str],
        data_dir: Path,
        settings: ServiceSettings,
        model_folder: Callable[[str], Path],
    ) -> Self:
        """The version that the deployment's orders name, ready to answer; the one in ``folder`` where they name none,
        or one that is refused. ``ServingError`` when a file of ``folder`` is missing or damaged. ``model_folder`` finds
        the other versions.
        """
        write_json_lines(use_case=use_case)
        if COLUMNS in checksums and (folder / COLUMNS).is_file():
            carry((folder / COLUMNS).read_bytes())
        declared = find(use_case, schemas=False)
        metrics = ServiceMetrics()
        predictor = Predictor.open(
            folder, use_case=declared, checksums=checksums, data_dir=data_dir, observe=metrics.observe
        )
        engine = Engine(predictor.together, settings=settings)
        orders = ServingOrders(data_dir, use_case=use_case)
        worker = cls(
            predictor=predictor,
            engine=engine,
            asking=Asking(declared, most_rows=settings.max_rows),
            explaining=Explaining(lambda: predictor.serving.champion.explaining),
            outcomes=Outcomes(predictor.log, hiding=predictor.hiding, task=declared.task),
            watcher=Watcher(
                predictor,
                engine=engine,
                orders=orders,
                model_folder=model_folder,
                metrics=metrics,
                every=settings.watch_ms / 1000,
            ),
            app=build_app(
                lambda: worker,
                settings=settings,
                metrics=metrics,
                check=Access(KeyRing(keys_file())),
                monitor_page=served_monitor_page(data_dir, use_case=use_case),
            ),
        )
        worker.watcher.start()
        log.info("open", extra={"fields": {"version": predictor.answering.version}})
        return worker

    def is_ready(self) -> bool:
        """Whether a request could be answered and remembered now; the reason why not is logged."""
        try:
            if not self.engine.is_alive:
                raise ServingError("Nothing answers any more: the thread that did has ended.")
            self.predictor.ready()
        except ServingError as error:
            log.error("not ready", extra={"fields": {"reason": str(error)}})
            return False
        return True

    def close(self) -> None:
        """Answers what waits and gives everything back."""
        self.engine.close()
        self.watcher.close()
        self.explaining.close()
        self.predictor.close()

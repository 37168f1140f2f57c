"""The service that `bentoml serve` runs: one use case, one model version, both frozen into the Bento when it
is built.

Belongs here: BentoML's own shape (hooks, probes, workers) and nothing else: what answers requests is mounted beside
them (``app.py``). Importing reads which use case the Bento was built for and the settings. The supervisor imports this
too, so what answers is imported and opened when a worker starts.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time

os.environ["BENTOML_DO_NOT_TRACK"] = "true"  # nothing here reports home
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bentoml
from bentoml._internal.context import server_context
from bentoml._internal.utils.analytics import usage_stats
from pydantic import BaseModel, ConfigDict

from mlops_assets.contract.errors import ServingError
from mlops_assets.serving.not_installed import load_libraries
from mlops_assets.serving.settings import ServiceSettings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

log = logging.getLogger(__name__)


class Frozen(BaseModel):
    """What the build froze into the Bento: ``model`` is a tag in BentoML's model store, checksums are
    SHA-256 by file.
    """

    model_config = ConfigDict(protected_namespaces=())

    use_case: str = ""
    model: str = ""
    checksums: dict[str, str] = {}


usage_stats.do_not_track.cache_clear()  # `bentoml serve` asks, and keeps the answer, before this is imported
FROZEN = bentoml.use_arguments(Frozen)


def _settings() -> ServiceSettings:
    try:
        return ServiceSettings.read()
    except ServingError as error:
        sys.exit(str(error))


SETTINGS = _settings()

if server_context.worker_index is not None:  # the supervisor takes no connections
    from mlops_assets.serving.connections import bound_connections

    bound_connections(seconds=SETTINGS.body_timeout_ms / 1000)


def _model_folder() -> Path:
    return Path(bentoml.models.get(FROZEN.model).path)


def _folder_of(version: str) -> Path:
    """Where BentoML keeps another version of the use case; ``ServingError`` where it does not."""
    tag = f"{FROZEN.use_case}:{version}"
    try:
        return Path(bentoml.models.get(tag).path)
    except bentoml.exceptions.NotFound as error:
        raise ServingError(f"The model {tag} is not in BentoML's store at {os.environ.get('BENTOML_HOME')}.") from error


def _checksums() -> Mapping[str, str]:
    """As frozen into the Bento; of a model served from a checkout, as they were when it was packaged."""
    recorded: Any = bentoml.models.get(FROZEN.model).info.metadata
    return FROZEN.checksums or dict(recorded["checksums"])


class Answering:
    """The app that answers, made when its first request comes: the supervisor, which answers none, never makes it."""

    app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if self.app is None:
            self.app = bentoml.get_current_service().app
        await self.app(scope, receive, send)


@bentoml.service(
    name=FROZEN.use_case or "predictions",
    workers=SETTINGS.workers,
    traffic={"timeout": 2 * SETTINGS.budget_ms // 1000 + SETTINGS.body_timeout_ms // 1000},
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},
    tracing={"excluded_urls": ["."]},  # spans that nobody exports took a third of the event loop's time
    envs=[{"name": "BENTOML_DO_NOT_TRACK", "value": "true"}],
)
@bentoml.asgi_app(Answering(), path="/")
class PredictionService:
    """Predictions of one use case by its champion: POST /predict with rows, and what else ``/docs.json`` documents."""

    if FROZEN.model:
        model = bentoml.models.BentoModel(FROZEN.model)

    def __init__(self) -> None:
        load_libraries()
        from mlops_assets.lake.settings import environment_directory
        from mlops_assets.serving.worker import Worker

        self._worker = Worker.open(
            _model_folder(),
            use_case=FROZEN.use_case,
            checksums=_checksums(),
            data_dir=environment_directory(),
            settings=SETTINGS,
            model_folder=_folder_of,
        )
        self.app = self._worker.app

    @bentoml.on_deployment
    def verify() -> None:  # BentoML calls it without an instance, once, before any worker starts
        """Refuses to start on what would never work: a worker that fails would be started again and again."""
        from mlops_assets.serving.start import verify_files, verify_places

        try:
            if not FROZEN.use_case:
                raise ServingError("This service needs a Bento that was built for a use case: `mlops run` builds one.")
            _make_paths_absolute()
            verify_places(os.environ, use_case=FROZEN.use_case)
            verify_files(_model_folder(), checksums=_checksums())
        except ServingError as error:
            sys.exit(str(error))

    @bentoml.on_startup
    def end_with_supervisor(self) -> None:
        """A supervisor that is killed cannot end its worker, which would hold the port and answer for ever."""
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()

    @bentoml.on_shutdown
    def close(self) -> None:
        """Answers what waits, and gives the log and the online store back."""
        self._worker.close()

    def __is_ready__(self) -> bool:
        """BentoML answers /readyz by it: 503 while nothing could be answered."""
        return self._worker.is_ready()


def _make_paths_absolute() -> None:
    """The workers are started in the Bento's own folder, where a path relative to this one would lead elsewhere."""
    for name in ("BENTOML_HOME", "MLOPS_DATA_DIR"):
        if os.environ.get(name):
            os.environ[name] = str(Path(os.environ[name]).expanduser().absolute())


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)

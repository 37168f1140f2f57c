"""The service that `bentoml serve` runs: one use case, one model version, both frozen into the Bento when it
is built.

Belongs here: BentoML's own shape (APIs, routes, hooks) and nothing else. BentoML answers one request's rows
together and never batches rows of different requests: a row's answer is recorded and given as one, whoever
asks beside it.

Importing reads which use case the Bento was built for; the model is opened when the service starts.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

os.environ["BENTOML_DO_NOT_TRACK"] = "true"  # nothing here reports home
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bentoml
import pyarrow as pa
from bentoml._internal.utils.analytics import usage_stats
from pydantic import BaseModel, ConfigDict
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route

from mlops_assets.contract.errors import ServingError
from mlops_assets.serving.first_page import HEADERS, first_page
from mlops_assets.serving.not_installed import not_installed
from mlops_assets.serving.wire import Answers, Refusal, refusal, rows_of
from mlops_assets.use_cases.registry import find

# Where scikit-learn and pandas are installed, as on a machine that trains, XGBoost imports the one for its estimators,
# and pyarrow the other on its first conversion of Python values, once, to know its types: a second and 80 MB that no
# prediction needs. Both libraries do without, as in an installation that serves only.
with not_installed("sklearn", "pandas"):
    import xgboost  # noqa: F401

    pa.array([None])


class Frozen(BaseModel):
    """What the build froze into the Bento: ``model`` is a tag in BentoML's model store, checksums are
    SHA-256 by file.
    """

    model_config = ConfigDict(protected_namespaces=())

    use_case: str = ""
    model: str = ""
    checksums: dict[str, str] = {}


class AnyRow(BaseModel):
    """Stands for a use case's request while the service is imported outside a Bento."""

    model_config = ConfigDict(extra="allow")


usage_stats.do_not_track.cache_clear()  # `bentoml serve` asks, and keeps the answer, before this is imported
FROZEN = bentoml.use_arguments(Frozen)
Rows = rows_of(find(FROZEN.use_case, schemas=False).request if FROZEN.use_case else AnyRow)


async def _describe(_: Request) -> JSONResponse:
    return JSONResponse(bentoml.get_current_service().predictor.describe())


async def _show_first_page(request: Request) -> HTMLResponse:
    told = bentoml.get_current_service().predictor.describe()
    return HTMLResponse(first_page(told, url=str(request.base_url).rstrip("/")), headers=HEADERS)


ROUTES = [Route("/", _show_first_page, methods=["GET"]), Route("/describe", _describe, methods=["GET"])]


def _model_folder() -> Path:
    return Path(bentoml.models.get(FROZEN.model).path)


def _checksums() -> Mapping[str, str]:
    """As frozen into the Bento; of a model served from a checkout, as they were when it was packaged."""
    return FROZEN.checksums or bentoml.models.get(FROZEN.model).info.metadata["checksums"]


@bentoml.service(
    name=FROZEN.use_case or "predictions",
    threads=4,
    workers=1,
    traffic={"timeout": 30},
    envs=[{"name": "BENTOML_DO_NOT_TRACK", "value": "true"}],
)
@bentoml.asgi_app(Starlette(routes=ROUTES), path="/")  # its own first page and GET go before BentoML's
class PredictionService:
    """Predictions of one model version: POST /predict with rows, GET /describe for what it expects and is
    made of.
    """

    if FROZEN.model:
        model = bentoml.models.BentoModel(FROZEN.model)

    def __init__(self) -> None:
        from mlops_assets.lake.settings import environment_directory
        from mlops_assets.serving.predictor import Predictor

        self.predictor = Predictor.open(
            _model_folder(),
            use_case=find(FROZEN.use_case, schemas=False),
            checksums=_checksums(),
            data_dir=environment_directory(),
        )

    @bentoml.on_deployment
    def verify() -> None:  # type: ignore[misc]  # BentoML calls it without an instance, once, before any worker starts
        """Refuses to start on what would never work: a worker that fails would be started again and again."""
        from mlops_assets.serving.predictor import verify_files

        try:
            if not FROZEN.use_case:
                raise ServingError("This service needs a Bento that was built for a use case: `mlops run` builds one.")
            _make_paths_absolute()
            _refuse_no_data_folder(os.environ.get("MLOPS_DATA_DIR", ""))
            verify_files(_model_folder(), checksums=_checksums())
        except ServingError as error:
            sys.exit(str(error))

    @bentoml.on_startup
    def end_with_supervisor(self) -> None:
        """A supervisor that is killed cannot end its worker, which would hold the port and answer for ever."""
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()

    @bentoml.on_shutdown
    def close(self) -> None:
        """Gives the log and the online store back."""
        self.predictor.close()

    @bentoml.api
    def predict(self, rows: Rows = None) -> Answers:  # type: ignore[valid-type]
        """Predicts every row, or none.

        Body: `{"rows": [{...}, ...]}`. A row that cannot be predicted gives 400 and
        `{"error": ..., "faults": [{"row": 0, "field": "carrier", "reason": ...}]}`, rows counted from 0.
        When the answer cannot be recorded or history is missing, 503 and `{"error": ...}`: nothing was
        answered, ask again.
        """
        if refused := refusal(rows):
            return _refuse(refused, status=400)
        try:
            return Answers(predictions=self.predictor.predict(rows))
        except ServingError as error:
            return _refuse(Refusal(error=str(error)), status=503)

    @bentoml.api(name="describe", route="/describe")
    def describe(self) -> dict[str, Any]:
        """What this service expects, the version it runs, and what that version was made of. GET works
        too.
        """
        return self.predictor.describe()


def _make_paths_absolute() -> None:
    """The workers are started in the Bento's own folder, where a path relative to this one would lead elsewhere."""
    for name in ("BENTOML_HOME", "MLOPS_DATA_DIR"):
        if os.environ.get(name):
            os.environ[name] = str(Path(os.environ[name]).expanduser().absolute())


def _refuse_no_data_folder(folder: str) -> None:
    """Without it the log of answers would be made inside the Bento, where nobody collects it."""
    if not folder:
        raise ServingError(
            "MLOPS_DATA_DIR is not set, so nobody would find what this service answers: "
            'eval "$(mlops env)" sets it, or name the data folder of your deployment.'
        )
    if not Path(folder).is_dir():
        raise ServingError(
            f"MLOPS_DATA_DIR names {folder}, where no folder is: name the data folder of your deployment."
        )


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def _refuse(refused: Refusal, *, status: int) -> Any:
    return JSONResponse(refused.model_dump(), status_code=status)

"""The bare service of `serving.py`, run by it in an environment of its own: FastAPI on uvloop and httptools.

    python -m benchmarks.serving_bare PORT MODEL DATA SQL

``POST /predict`` takes rows as the product does, ``POST /ready`` rows of features that are there already.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import orjson
import uvicorn
from fastapi import FastAPI, Request, Response
from numpy.typing import NDArray

from benchmarks.serving_bare_model import BareModel, open_booster, score


def application(*, model: Path, data: Path, sql: Path) -> FastAPI:
    """Answers in the event loop: one core has nothing to give to a pool of threads."""
    app, bare, booster = FastAPI(), BareModel(model=model, data=data, sql=sql), open_booster(model)

    @app.post("/predict")
    async def predict(request: Request) -> Response:
        return _answer(bare.predict(orjson.loads(await request.body())["rows"]))

    @app.post("/ready")
    async def ready(request: Request) -> Response:
        rows = orjson.loads(await request.body())["rows"]
        return _answer(score(booster, np.array(rows, dtype=np.float32)))  # None becomes NaN

    @app.get("/ping")
    async def ping() -> Response:
        return Response()

    return app


def _answer(scores: NDArray[np.float32]) -> Response:
    body = orjson.dumps({"predictions": scores.astype(np.float64)}, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(body, media_type="application/json")


def main() -> None:
    port, model, data, sql = sys.argv[1:]
    app = application(model=Path(model), data=Path(data), sql=Path(sql))
    uvicorn.run(app, port=int(port), loop="uvloop", http="httptools", access_log=False, log_level="warning")


if __name__ == "__main__":
    main()

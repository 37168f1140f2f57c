"""The MLflow models of `serving.py`, saved by it in MLflow's own environment and served by `mlflow models serve`.

    python -m benchmarks.serving_mlflow FOLDER MODEL

``FOLDER/computed`` is a Python function that computes the same features with the same code as the bare service,
``FOLDER/ready`` the booster as MLflow's XGBoost flavour saves it. Neither has a signature: to check 152 columns against
one takes MLflow 15 ms a request (measured), and the bare service does not check either.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.models import set_model

from benchmarks.serving_bare_model import BareModel, open_booster


class Computed(mlflow.pyfunc.PythonModel):
    """Flights as requests name them, to scores."""

    def load_context(self, context: Any) -> None:
        places = {name: Path(os.environ[f"BARE_{name.upper()}"]) for name in ("model", "data", "sql")}
        self._bare = BareModel(**places)

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:
        rows = model_input.astype(object).where(model_input.notna(), None)  # pandas has NaN for a missing text
        return self._bare.predict(rows.to_dict("records"))


def save(folder: Path, *, model: Path) -> None:
    """Both models below ``folder``."""
    booster = open_booster(model)
    mlflow.pyfunc.save_model(folder / "computed", python_model=__file__, pip_requirements=[])
    mlflow.xgboost.save_model(booster, folder / "ready", pip_requirements=[])


set_model(Computed())

if __name__ == "__main__":
    save(Path(sys.argv[1]), model=Path(sys.argv[2]))

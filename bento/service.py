"""What `bentoml serve` and `bentoml build` take from this folder: the service of the installed package.

A model that was packaged is served with the code of this checkout by

    eval "$(.venv/bin/mlops env)"
    .venv/bin/bentoml serve bento.service:PredictionService --arg use_case=flights --arg model=flights:latest
"""

from mlops_assets.serving.service import PredictionService as PredictionService

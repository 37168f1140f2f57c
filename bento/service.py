"""What `bentoml serve` and `bentoml build` take from this folder: the service of the installed package."""

from mlops_assets.serving.service import PredictionService as PredictionService

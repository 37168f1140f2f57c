"""The BentoML service: what `bentoml serve` runs. Imports ``ml/``, ``stores/`` and ``use_cases/``; never
Dagster.
"""

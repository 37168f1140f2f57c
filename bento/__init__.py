"""The BentoML service: what `bentoml serve` runs. Imports everything but ``orchestration/``; never
Dagster.
"""

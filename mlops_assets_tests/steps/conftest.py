"""Deployments of the toy, taken in by Dagster, to compare with and to work on."""

from __future__ import annotations

from mlops_assets_tests.orchestration.conftest import ingested_template, trained, trained_template

__all__ = ["ingested_template", "trained", "trained_template"]

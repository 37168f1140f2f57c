"""Tests of `mlops_assets/stores/lake`."""

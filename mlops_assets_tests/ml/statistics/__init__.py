"""Tests of `mlops_assets/ml/statistics`."""

"""Tests of `mlops_assets/ml/evaluation`."""

"""Tests of `mlops_assets/ml/features`."""

"""Tests of `mlops_assets/ml/training`."""

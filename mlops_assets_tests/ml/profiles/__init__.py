"""Tests of `mlops_assets/ml/profiles`."""

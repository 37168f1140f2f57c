"""Tests of `mlops_assets/ml/validation`."""

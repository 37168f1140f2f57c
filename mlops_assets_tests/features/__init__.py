"""Tests of `mlops_assets/features`."""

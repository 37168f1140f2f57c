"""Tests of `mlops_assets/stores/features`."""

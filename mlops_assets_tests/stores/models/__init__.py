"""Tests of `mlops_assets/stores/models`."""

"""Tests of `mlops_assets/stores/predictions`."""

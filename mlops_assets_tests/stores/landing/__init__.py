"""Tests of `mlops_assets/stores/landing`."""

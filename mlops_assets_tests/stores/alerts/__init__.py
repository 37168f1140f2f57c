"""Tests of `mlops_assets/stores/alerts`."""

"""Tests of `mlops_assets/training`."""

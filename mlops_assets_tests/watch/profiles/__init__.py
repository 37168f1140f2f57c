"""Tests of `mlops_assets/watch/profiles`."""

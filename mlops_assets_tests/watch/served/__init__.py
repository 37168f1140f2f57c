"""Tests of `mlops_assets/watch/served`."""

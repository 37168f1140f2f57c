"""Tests of `mlops_assets/watch/validation`."""

"""Tests of `mlops_assets/judge`."""

"""Tests of the steps: called as a notebook would, without Dagster."""

"""Tests of the use case income."""

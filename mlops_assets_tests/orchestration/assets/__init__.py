"""Tests of single assets."""

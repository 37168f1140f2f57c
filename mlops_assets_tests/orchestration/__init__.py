"""Tests; paths mirror the package that they test."""

"""Tests of what only the embedded server does. What every lakeFS does is tested in `lakefs_contract/`."""

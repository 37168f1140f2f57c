"""The only Dagster code: assets, checks, jobs, sensors and resources built from a use case."""

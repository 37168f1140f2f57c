"""The lakes that these tests work on."""

from mlops_assets_tests.lakes import embedded_lake, lake, lake_data, remote_lake

__all__ = ["embedded_lake", "lake", "lake_data", "remote_lake"]

"""Which model version an asset works on."""

import dagster as dg
from pydantic import Field


class VersionConfig(dg.Config):
    """Which model version to work on."""

    version: str | None = Field(default=None, description="A version's id; by default the one just trained.")

"""What `dagster dev` loads: every use case that is there, built into assets, checks, jobs, sensors and resources."""

from mlops_assets.orchestration.build import build_definitions
from mlops_assets.use_cases import registry

defs = build_definitions([registry.find(name) for name in registry.names()])

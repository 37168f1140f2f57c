"""What `dagster dev` loads: every use case that is there, built into assets, checks, jobs, sensors and resources.

One that is broken is shown with the reason, and the others run.
"""

from mlops_assets.orchestration.build import build_what_loads
from mlops_assets.use_cases import registry

_use_cases, _broken = registry.loaded()
defs = build_what_loads(_use_cases, broken=_broken)

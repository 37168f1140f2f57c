"""A use case that cannot be loaded, as the UI shows it: one asset that says why, and a check that fails."""

import re

import dagster as dg

from mlops_assets.contract.plugins import BrokenUseCase

ASSET = "use_case"
CHECK = "can_be_loaded"


def build_broken(broken: BrokenUseCase) -> dg.Definitions:
    """The stand-in: nothing of the use case runs, and everybody who looks sees that it should.

    Its check needs no run of anything to be read: it fails whenever it is executed, with the reason.
    """
    group = re.sub(r"\W", "_", broken.name)
    key = dg.AssetKey([group, ASSET])
    metadata = {
        "reason": dg.MetadataValue.text(broken.reason),
        "distribution": dg.MetadataValue.text(broken.distribution),
        "module": dg.MetadataValue.text(broken.module),
        "traceback": dg.MetadataValue.md(f"```\n{broken.traceback}\n```"),
    }

    @dg.asset_check(
        asset=key, name=CHECK, description="The use case can be loaded, so that its assets are there and run."
    )
    def can_be_loaded() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False, metadata=metadata)

    stub = dg.AssetSpec(
        key,
        group_name=group,
        description=f"BROKEN: {broken.reason} Mend it and reload the code location; `mlops doctor` says the same.",
        metadata=metadata,
        tags={"broken": "true"},
        kinds={"broken"},
    )
    return dg.Definitions(assets=[stub], asset_checks=[can_be_loaded])

"""`mlops check`: what a use case declares and what has landed, in words, and what will stop it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import typer

from mlops_assets.cli.deployment import UseCaseName, landing_zone
from mlops_assets.cli.new import show_findings
from mlops_assets.contract.errors import PlatformError
from mlops_assets.steps.check_use_case import declared_findings, landed_findings
from mlops_assets.use_cases import registry
from mlops_assets.watch.drafting.findings import Finding, Grade, stop


def check(use_case: UseCaseName) -> None:
    """Say in words what a use case declares, what its landed files show, and what will stop it.

    The exit code is 1 only if something will.
    """
    findings = list(_findings(use_case))
    show_findings(findings)
    if any(each.grade is Grade.STOP for each in findings):
        raise typer.Exit(1)


def _findings(name: str) -> Iterator[Finding]:
    """Up to the first thing that cannot be read at all."""
    try:
        use_case = registry.find(name)
        yield from declared_findings(use_case)
        zone = landing_zone()
        yield from landed_findings(
            use_case, zone.scan(name, sources=use_case.sources, now=time.time(), settle_seconds=0)
        )
    except PlatformError as error:
        yield stop(str(error))

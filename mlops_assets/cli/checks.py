"""What checks said, for who reads a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from mlops_assets.orchestration.runs import RunSummary

LACKING = "insufficient_data"
"""The figure of a check that says why it could have found nothing."""


def show_checks(console: Console, done: Sequence[RunSummary]) -> None:
    """Every check that is not green, with its reason; and those that are because there was too little to tell from."""
    for run in done:
        for check in run.checks:
            name, lacking = f"{check.asset_key.path[-1]} {check.check_name}", check.metadata.get(LACKING)
            if not check.passed:
                reason = escape(f"{name}: {check.description or 'no reason was given'}")
                console.print(f"[yellow]{check.severity.value}[/] {reason}", soft_wrap=True)
            elif lacking is not None:
                console.print(f"[dim]{escape(f'{name}: insufficient data: {lacking.value}')}[/]", soft_wrap=True)

"""What checks said, for who reads a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from mlops_assets.orchestration.runs import RunSummary


def show_checks(console: Console, done: Sequence[RunSummary]) -> None:
    """Every check that is not green, with its reason."""
    for told in done:
        for check in told.checks:
            if not check.passed:
                said = f"{check.asset_key.path[-1]} {check.check_name}: {check.description or 'no reason was given'}"
                console.print(f"[yellow]{check.severity.value}[/] {escape(said)}", soft_wrap=True)

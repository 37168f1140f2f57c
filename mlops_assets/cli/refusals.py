"""A challenger that its gates refused: how it is told, and that it is no crash."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.markup import escape

from mlops_assets.cli.card import page_of
from mlops_assets.cli.exit_codes import ExitCode
from mlops_assets.contract.use_case import UseCase
from mlops_assets.judge.gate_decision import GateDecision
from mlops_assets.lake.lake import Lake
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.recipe import current_version
from mlops_assets.stores.models.registry import load_decision

TOLD_REASONS = 4

console = Console()


def said_refusal(decision: GateDecision) -> str:
    """Why it was refused: the first reasons, and how many more are on the card."""
    reasons = decision.reasons
    more = f"; and {len(reasons) - TOLD_REASONS} more, on its card" if len(reasons) > TOLD_REASONS else ""
    return f"{'; '.join(reasons[:TOLD_REASONS])}{more}"


@contextmanager
def refusal_is_no_crash(use_case: UseCase) -> Iterator[None]:
    """Around a training: where the gates refuse the version, who stays champion is told, with an exit code for it."""
    from mlops_assets.orchestration.pipeline import ChallengerRefused

    try:
        yield
    except ChallengerRefused:
        _show(use_case)
        raise typer.Exit(ExitCode.CHALLENGER_REFUSED) from None


def _show(use_case: UseCase) -> None:
    head = Lake.connect().at()
    version, serving = current_version(head, use_case=use_case), champion(head, use_case=use_case.name)
    record = load_decision(head, use_case=use_case.name, version=version)
    reasons = escape(said_refusal(record.decision)) if record else "its decision is not in the lake"
    console.print(f"[yellow]{version} was refused by its gates[/]: {reasons}", soft_wrap=True)
    stays = f"{serving.version} stays the champion" if serving else "There is no champion yet"
    console.print(f"{stays}. Card: {page_of(use_case, version)}", soft_wrap=True)

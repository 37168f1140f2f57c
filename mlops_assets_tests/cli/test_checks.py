"""What checks said is told as it is: a check that could have found nothing does not go by in silence."""

from __future__ import annotations

import io

import dagster as dg
from rich.console import Console

from mlops_assets.cli.checks import show_checks
from mlops_assets.orchestration.runs import RunSummary


def evaluation(name: str, *, passed: bool, reason: str = "", **figures: str) -> dg.AssetCheckEvaluation:
    metadata = {key: dg.MetadataValue.text(value) for key, value in figures.items()}
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(["beans", "evaluation"]),
        check_name=name,
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=reason,
        metadata=metadata,
    )


def shown(*checks: dg.AssetCheckEvaluation) -> list[str]:
    console = Console(file=io.StringIO(), width=200)
    show_checks(console, [RunSummary(run_id="1", batches=(), seconds={}, metadata={}, checks=checks)])
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_a_check_that_is_not_green_is_told_with_its_reason() -> None:
    assert shown(evaluation("bound", passed=False, reason="0.6, needs [0.7]")) == [
        "WARN evaluation bound: 0.6, needs [0.7]"
    ]


def test_a_green_check_is_silent_unless_it_could_have_found_nothing() -> None:
    lacking = evaluation("sampled_alike", passed=True, insufficient_data="20 rows, needs 60")

    assert shown(evaluation("bound", passed=True, rows="500"), lacking) == [
        "evaluation sampled_alike: insufficient data: 20 rows, needs 60"
    ]

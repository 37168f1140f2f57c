"""Exit codes are documented as they are."""

from __future__ import annotations

from pathlib import Path

from mlops_assets.cli.exit_codes import ExitCode

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"


def test_the_documentation_lists_every_exit_code_with_its_meaning() -> None:
    listed = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:3].strip("| ").isdigit()]

    assert listed == [f"| {code.value} | {code.meaning} |" for code in ExitCode]

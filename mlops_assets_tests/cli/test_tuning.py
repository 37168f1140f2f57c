"""`mlops tune`: what it says before there is anything to search on, and its table."""

from __future__ import annotations

import pytest
from rich.console import Console

from mlops_assets.cli import tuning
from mlops_assets.training.tuning import TriedRecipe, TunedRecipe


def test_what_was_found_is_shown_beside_what_is_declared(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tuning, "console", Console(width=100))
    declared = TriedRecipe(hyperparameters={"eta": 0.1}, losses=(0.5, 0.7))
    worse = TriedRecipe(hyperparameters={"eta": 0.9}, losses=(0.9,), pruned=True)
    better = TriedRecipe(hyperparameters={"eta": 0.0512345}, losses=(0.5, 0.6))

    tuning._show(TunedRecipe(study="s", asked={}, folds=("1", "2"), trials=(declared, worse, better)))

    shown = capsys.readouterr().out
    assert "3 trials, 1 given up" in shown
    assert "found in trial 3" in shown
    assert "0.05123" in shown
    assert "0.60000" in shown
    assert "0.55000" in shown

"""A use case that cannot be loaded, or whose assets cannot be built, is seen in the UI and stops no other."""

from __future__ import annotations

from dataclasses import replace

import dagster as dg
import pytest

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.plugins import BrokenUseCase
from mlops_assets.orchestration.broken import build_broken
from mlops_assets.orchestration.build import build_what_loads
from mlops_assets_tests.orchestration.toy import PARCELS

BROKEN = BrokenUseCase(name="Odd-name", distribution="team", module="team.odd", reason="No.", traceback="Traceback")
UNOWNED = replace(PARCELS, name="unowned", owner="whoever it was")


def test_the_check_of_a_broken_use_case_fails_with_the_traceback() -> None:
    definitions = build_broken(BROKEN)

    done = definitions.resolve_implicit_global_asset_job_def().execute_in_process(raise_on_error=False)

    (check,) = done.get_asset_check_evaluations()
    assert not check.passed
    assert "Traceback" in str(check.metadata["traceback"].value)


def test_what_dagster_refuses_to_build_is_shown_as_broken_beside_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLOPS_STRICT", raising=False)

    definitions = build_what_loads([PARCELS, UNOWNED], broken=[BROKEN])

    graph = definitions.get_repository_def().asset_graph
    keys = {key.to_user_string() for key in graph.get_all_asset_keys()}
    assert {"parcels/champion", "unowned/use_case", "Odd_name/use_case"} <= keys
    shown = graph.get(dg.AssetKey(["unowned", "use_case"]))
    assert "cannot be built" in str(shown.description)
    assert shown.tags == {"broken": "true"} | {tag: "" for tag in shown.tags if tag.startswith("dagster/kind")}


def test_a_strict_process_stops_at_what_cannot_be_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_STRICT", "1")

    with pytest.raises(DeclarationError, match="cannot be built"):
        build_what_loads([UNOWNED], broken=[])

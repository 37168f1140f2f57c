"""The guard for a real lakeFS reads what our merges write. Whether lakeFS runs it is not shown here."""

from __future__ import annotations

from pathlib import Path

import yaml

from mlops_assets.contract.checks import CheckResult
from mlops_assets.lake.write import AUDIT_KEY, PASSED, metadata_of
from mlops_assets_tests.lake.factories import make_write

ACTION = Path(__file__).resolve().parents[2] / "docs" / "_lakefs_actions" / "audited_merges_only.yaml"


def test_the_guard_asks_for_the_marker_that_a_passed_audit_leaves() -> None:
    action = yaml.safe_load(ACTION.read_text())
    script = action["hooks"][0]["properties"]["script"]
    assert f'metadata["{AUDIT_KEY}"] ~= "{PASSED}"' in script
    passed = (CheckResult(name="matches_schema", passed=True),)
    assert metadata_of(make_write(), audits=passed)[AUDIT_KEY] == PASSED


def test_the_guard_stands_before_merges_into_the_target_branch() -> None:
    action = yaml.safe_load(ACTION.read_text())
    assert action[True] == {"pre-merge": {"branches": ["main"]}}  # YAML 1.1 reads the key `on` as true
    assert action["hooks"][0]["type"] == "lua"

"""What Dagster is shown: a snapshot of assets, dependencies and checks; and loading it does nothing by itself.

After a wanted change `python -m mlops_assets_tests.orchestration.test_definitions` writes the snapshot anew; commit it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import dagster as dg
import pytest

from mlops_assets.orchestration.build import build_definitions
from mlops_assets.orchestration.graph import Stage
from mlops_assets.use_cases import registry

SNAPSHOT = Path(__file__).with_name("flights_assets.json")
RENEW = "python -m mlops_assets_tests.orchestration.test_definitions"
LOAD_WITHOUT_EFFECTS = """
import socket, sys, threading, sqlite3

def refuse(*arguments, **options):
    raise AssertionError("a connection was opened while the definitions were loaded")

socket.socket.connect = refuse
sqlite3.connect = refuse
import mlops_assets.definitions as module
assert module.defs.get_repository_def().get_all_jobs()
print([thread.name for thread in threading.enumerate()])
"""


def described(definitions: dg.Definitions) -> dict[str, Any]:
    """Every asset by its key: group, kinds, partitions, what it depends on, its checks (a `?` does not block)."""
    graph = definitions.get_repository_def().asset_graph
    checks = {key: graph.get(key) for key in graph.asset_check_keys}
    return {
        key.to_user_string(): {
            "group": graph.get(key).group_name,
            "kinds": sorted(graph.get(key).kinds),
            "partitions": type(graph.get(key).partitions_def).__name__ if graph.get(key).partitions_def else None,
            "deps": sorted(parent.to_user_string() for parent in graph.get(key).parent_keys),
            "checks": [
                check.name + ("" if node.blocking else "?")
                for check, node in sorted(checks.items(), key=lambda each: each[0].name)
                if check.asset_key == key
            ],
        }
        for key in sorted(graph.get_all_asset_keys())
    }


def test_assets_dependencies_and_checks_of_flights_are_as_recorded() -> None:
    found = described(build_definitions([registry.find("flights")]))

    recorded = json.loads(SNAPSHOT.read_text(encoding="utf-8")) if SNAPSHOT.exists() else {}

    assert found == recorded, f"If this is wanted, renew the snapshot: {RENEW}"


@pytest.mark.parametrize("name", registry.names())
def test_every_asset_has_what_an_operator_needs(name: str) -> None:
    graph = build_definitions([registry.find(name)]).get_repository_def().asset_graph

    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.owners, key
        assert node.kinds, key
        assert node.code_version, key
        assert str(node.group_name).removeprefix(f"{name}_") in get_args(Stage), key
        assert graph.get_check_keys_for_assets([key]), f"{key} has no check"


@pytest.mark.parametrize("name", registry.names())
def test_every_check_says_what_is_true_when_it_passes(name: str) -> None:
    graph = build_definitions([registry.find(name)]).get_repository_def().asset_graph

    for key in graph.asset_check_keys:
        assert graph.get(key).description, key


def test_loading_the_definitions_opens_no_connection_and_makes_no_file(tmp_path: Path) -> None:
    data = tmp_path / "data"
    environ = {**os.environ, "MLOPS_DATA_DIR": str(data), "PYTHONPATH": os.pathsep.join(map(str, sys.path))}

    done = subprocess.run(
        [sys.executable, "-c", LOAD_WITHOUT_EFFECTS], cwd=tmp_path, env=environ, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert "embedded-lakefs" not in done.stdout
    assert list(tmp_path.iterdir()) == []


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(described(build_definitions([registry.find("flights")])), indent=1) + "\n")

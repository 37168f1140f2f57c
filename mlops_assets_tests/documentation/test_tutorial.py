"""Every command of the tutorial is run, in its order, in an empty folder: from a file to an answer and its origin."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from mlops_assets.cli.main import Commands
from mlops_assets_tests.documented import DOCS
from mlops_assets_tests.orchestration.deployment import FOREIGN_SETTINGS
from mlops_assets_tests.serving.servers import ServedBento, free_port, stop, wait_until_ready

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif("new" not in Commands.places, reason="needs `mlops new`"),
]

ROOT = DOCS.parent
PAGE = (DOCS / "tutorial.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(bash|text)\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
COMMANDS = [text for kind, text in BLOCKS if kind == "bash"]
SERVE, PORT = "mlops serve", "3001"
PROGRAMS = {
    "mlops": "exec {python} -c 'from mlops_assets.cli.main import main; main()' \"$@\"",
    # what is installed, a folder, goes into one of the test that is on the path of all that it starts
    "pip": 'exec {python} -m pip install --quiet --no-deps --target {site} "./${{@:$#}}"',
    "python": 'exec {python} "$@"',
}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What each block of commands said, by its first line."""
    folder = tmp_path_factory.mktemp("tutorial")
    port, said, service = str(free_port()), {}, None
    try:
        for commands in (block.replace(PORT, port) for block in COMMANDS):
            if commands.startswith(SERVE):
                service = _serve(f"{commands.strip()} --port {port}", folder=folder, port=port)
                continue
            done = _bash(commands, folder=folder)
            assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
            said[commands.splitlines()[0]] = done.stdout
        yield said
    finally:
        if service:
            stop(service)


def test_the_tutorial_ends_with_an_answer_that_traces_back_to_the_file(played: dict[str, str]) -> None:
    (traced,) = [text for first, text in played.items() if first.startswith("mlops collect")]
    (answered,) = [text for first, text in played.items() if first.startswith("cat > asked.json")]
    (answer,) = json.loads(answered)["predictions"]

    assert 0 <= answer["score"] <= 1
    assert answer["prediction_id"][:8] in traced
    assert answer["model_version"] in traced
    assert "earners/raw/earners/earners.csv" in traced


def test_a_champion_serves_at_the_end(played: dict[str, str]) -> None:
    assert "champion" in played["mlops status earners"].lower()


def test_what_the_tutorial_shows_is_what_its_commands_say(played: dict[str, str]) -> None:
    shown = [(before, text) for (_, before), (kind, text) in pairwise(BLOCKS) if kind == "text"]

    assert shown
    for commands, text in shown:
        said = {line.strip() for line in played[commands.splitlines()[0]].splitlines()}
        assert [line for line in text.splitlines() if line.strip() not in said] == []


def _serve(command: str, *, folder: Path, port: str) -> ServedBento:
    log = folder / "service.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["bash", "-ec", f"exec {command}"], cwd=folder, env=_environ(folder), stdout=out, stderr=out
        )
    service = ServedBento(url=f"http://127.0.0.1:{port}", log=log, process=process)
    wait_until_ready(service)
    return service


def _bash(script: str, *, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script], cwd=folder, env=_environ(folder), capture_output=True, text=True
    )


def _environ(folder: Path) -> dict[str, str]:
    """A shell with `mlops`, `pip` and `python` of this environment; what is installed goes into a folder of its own."""
    site, programs = folder / "site", folder / "bin"
    if not programs.exists():
        programs.mkdir()
        for name, line in PROGRAMS.items():
            path = programs / name
            path.write_text(f"#!/bin/bash\n{line.format(python=sys.executable, site=site)}\n", encoding="utf-8")
            path.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if name not in (*FOREIGN_SETTINGS, "BENTOML_HOME")}
    return kept | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{site}{os.pathsep}{ROOT}",
        "MLOPS_DATA_DIR": str(folder / "data"),
        "LAKECTL_CONFIG_FILE": os.devnull,
        "COLUMNS": "200",
    }

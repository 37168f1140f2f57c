"""Every command block of the README, of the demo and of the days is run as it stands there, or it is said why not.

The deployment is one of a few weeks.

What a block shows as its output is compared by shape: the same words, whatever the numbers, ids and days.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from mlops_assets.cli.main import app
from mlops_assets_tests.documented import blocks
from mlops_assets_tests.end_to_end.small_flights import SMALL
from mlops_assets_tests.end_to_end.test_demo import words_of
from mlops_assets_tests.orchestration.deployment import FOREIGN_SETTINGS, let_go
from mlops_assets_tests.serving.servers import ServedBento, free_port, stop, wait_until_ready

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "docs" / "demo.md", ROOT / "docs" / "operating.md"]
BLOCKS = [text for page in PAGES for text in blocks(page)]
MAKE, LAND, CURL, BY_HAND = "make demo", ".venv/bin/mlops land", "curl -s", 'eval "$(.venv/bin/mlops env)"'
SHOWN, ANSWERED = "✓ Land", '{"predictions"'
NOT_RUN = {
    "export LAKEFS_ENDPOINT": "needs somebody's lakeFS server; our use of its API is tested against the embedded one",
}
PORT = "3001"


def block(start: str) -> str:
    """The block that begins so."""
    (found,) = [text for text in BLOCKS if text.startswith(start)]
    return found


def shape(line: str) -> str:
    """A line's words, whatever its versions, days and figures."""
    line = re.sub(r"\d{4}-\d\d-\d\d(-[0-9a-f]{8})?", "D", line)
    return re.sub(r"[\d.,]+", "N", line).strip()


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A demo that was played; ``folder`` is where the README's commands are typed."""

    folder: Path
    shown: str

    def bash(self, script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-ec", script], cwd=self.folder, env=_environ(self.folder), capture_output=True, text=True
        )


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """A folder with `.venv/bin` and a played demo in `data`."""
    folder = tmp_path_factory.mktemp("readme")
    data = folder / "data"
    _install(folder / ".venv" / "bin")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _environ(folder).items():
            patch.setenv(name, value)
        for name in FOREIGN_SETTINGS:
            patch.delenv(name, raising=False)
        patch.setattr("mlops_assets.cli.demo.use_case_of", lambda name: SMALL)
        shown = CliRunner().invoke(app, ["demo", "flights"], catch_exceptions=False).output
        let_go(data)
        yield Deployed(folder=folder, shown=shown)
        let_go(data)


@pytest.fixture(scope="module")
def served(deployed: Deployed) -> Iterator[str]:
    """The port at which the README's lines for `bentoml` by hand serve the champion."""
    port, log = str(free_port()), deployed.folder / "by-hand.log"
    script = block(BY_HAND).replace(PORT, port).replace("\n.venv/bin/bentoml", "\nexec .venv/bin/bentoml")
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["bash", "-ec", script], cwd=deployed.folder, env=_environ(deployed.folder), stdout=out, stderr=out
        )
    running = ServedBento(url=f"http://127.0.0.1:{port}", log=log, process=process)
    try:
        wait_until_ready(running)
        yield port
    finally:
        stop(running)


def test_every_block_is_run_here_or_says_why_not() -> None:
    told = (MAKE, LAND, CURL, BY_HAND, SHOWN, ANSWERED, *NOT_RUN)
    assert [text for text in BLOCKS if not text.startswith(told)] == []
    assert [start for start in told if not any(text.startswith(start) for text in BLOCKS)] == []


def test_make_runs_what_is_tested() -> None:
    for line, command in zip(block(MAKE).splitlines(), ("/mlops demo flights", "-m pytest"), strict=True):
        target = line.split("#")[0].split()
        done = subprocess.run([*target, "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=True)
        assert command in done.stdout


def test_the_demo_shows_what_the_readme_shows(deployed: Deployed) -> None:
    lines = block(SHOWN).splitlines()
    steps = {shape(line) for line in lines if line.startswith("✓")}
    panels = {shape(title) for line in lines if (title := words_of(line)) and line.startswith("╭")}
    shown = deployed.shown.splitlines()

    assert steps
    assert steps <= {shape(line) for line in shown if line.startswith("✓")}
    assert panels == {shape(words_of(line)) for line in shown if line.startswith("╭")} - {"What next"}
    for words in ("the constant prior: ROC AUC N", "N of N served scores equal the batch scores to the bit"):
        assert words in shape(words_of(block(SHOWN)))
        assert words in shape(words_of(deployed.shown))


def test_a_day_lands_as_the_readme_says(deployed: Deployed) -> None:
    done = deployed.bash(block(LAND))

    assert done.returncode == 0, done.stderr
    assert "files written" in done.stdout
    assert (deployed.folder / "data" / "landing" / "flights" / "flights" / "2013-07-02.csv").exists()


def test_the_model_served_by_hand_answers_the_readmes_request_in_the_readmes_form(
    deployed: Deployed, served: str
) -> None:
    done = deployed.bash(block(CURL).replace(PORT, served))

    assert done.returncode == 0, done.stderr
    told, documented = (json.loads(text)["predictions"] for text in (done.stdout, block(ANSWERED)))
    assert len(told) == len(documented) == 1
    assert [(name, type(value)) for name, value in told[0].items()] == [
        (name, type(value)) for name, value in documented[0].items()
    ]
    assert (deployed.folder / "data" / "prediction_log" / "flights.sqlite").exists()


CALLS = [text for text in blocks(ROOT / "docs" / "serving.md") if text.startswith(CURL)]


def test_the_calls_of_the_services_page_answer_as_it_shows(deployed: Deployed, served: str) -> None:
    """Each block that asks is followed by what comes back, or tells in words what is in it."""
    page = blocks(ROOT / "docs" / "serving.md")
    answered = [json.loads(_answer(deployed, call.replace(PORT, served))) for call in CALLS]
    shown = [json.loads(text) for call in CALLS if (text := page[page.index(call) + 1]).startswith("{")]
    predicted, explained, recorded, refused = answered
    (row,) = explained["explanations"]

    assert [typed(each) for each in (predicted, recorded, refused)] == [typed(each) for each in shown]
    assert predicted["predictions"][1] == shown[0]["predictions"][1]
    assert (recorded, refused) == (shown[1], shown[2])
    assert row["base"] + sum(row["contributions"].values()) == pytest.approx(row["margin"], abs=1e-5)
    assert row["score"] == predicted["predictions"][0]["score"]


def _answer(deployed: Deployed, script: str) -> str:
    done = deployed.bash(script)
    assert done.returncode == 0, done.stderr
    return done.stdout


def typed(told: object) -> object:
    """The names in a JSON value with the types of what they name."""
    if isinstance(told, dict):
        return {name: typed(value) for name, value in told.items()}
    return [typed(value) for value in told] if isinstance(told, list) else type(told)


def test_every_command_that_a_page_names_exists() -> None:
    command = typer.main.get_command(app)
    text = "\n".join(page.read_text(encoding="utf-8") for page in [*PAGES, *(ROOT / "docs").glob("*.md")])
    named = set(re.findall(r"`(?:\.venv/bin/)?mlops ([a-z]+)", text))

    assert named
    assert named - set(command.places) == set()  # type: ignore[attr-defined]


def _install(folder: Path) -> None:
    """The two commands of an environment, which run this checkout's code."""
    folder.mkdir(parents=True)
    program = "from mlops_assets.cli.main import main; main()"
    for name, command in (("mlops", f"-c '{program}'"), ("bentoml", "-m bentoml")):
        path = folder / name
        path.write_text(f'#!/bin/sh\nexec {sys.executable} {command} "$@"\n', encoding="utf-8")
        path.chmod(0o755)


def _environ(folder: Path) -> Mapping[str, str]:
    """As a new shell has it, but for the folder of data: the README's is the checkout's."""
    kept = {name: value for name, value in os.environ.items() if name not in (*FOREIGN_SETTINGS, "BENTOML_HOME")}
    here = {"MLOPS_DATA_DIR": str(folder / "data"), "LAKECTL_CONFIG_FILE": os.devnull, "PYTHONPATH": str(ROOT)}
    return kept | here

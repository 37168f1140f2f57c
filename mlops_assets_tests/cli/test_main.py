"""The `mlops` command as a whole: help that teaches, and errors that are one sentence."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from mlops_assets.cli.exit_codes import ExitCode
from mlops_assets.cli.main import app, main
from mlops_assets.use_cases import registry
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets_tests.orchestration.toy import day_number
from mlops_assets_tests.use_cases.installed import install_parcels

PROGRAM = "from mlops_assets.cli.main import main; main()"


MLOPS: Any = typer.main.get_command(app)


def commands() -> Iterator[tuple[str, ...]]:
    """The words of every command there is."""
    for name in MLOPS.places:
        yield (name,)
        yield from ((name, each) for each in getattr(MLOPS.load(name), "commands", ()))


def test_help_teaches_a_first_round_and_names_every_command() -> None:
    said = CliRunner().invoke(app, ["--help"]).output

    for words in ("mlops land", "mlops run", "mlops status", "mlops serve", "mlops demo", "mlops doctor"):
        assert words in said
    for name in MLOPS.places:
        assert name in said


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_every_command_and_option_says_what_it_does(words: tuple[str, ...]) -> None:
    command = MLOPS.load(words[0])
    for word in words[1:]:
        command = command.commands[word]

    assert command.help
    assert len(words) > 1 or command.help == MLOPS.commands[words[0]].help
    assert CliRunner().invoke(app, [*words, "--help"]).exit_code == 0
    unexplained = [each.name for each in command.params if each.param_type_name == "option" and not each.help]
    assert unexplained == []


@pytest.mark.parametrize(
    ("words", "heavy"),
    [
        (("--help",), ("numpy", "pandas", "pyarrow", "lakefs", "xgboost", "duckdb", "sqlglot", "pydantic", "dagster")),
        (("lake", "--help"), ("numpy", "pandas", "xgboost", "duckdb", "sqlglot", "dagster")),
        (("schema", "--help"), ("xgboost", "sklearn", "sqlglot", "dagster")),
    ],
    ids=" ".join,
)
def test_help_imports_nothing_that_it_does_not_need(words: tuple[str, ...], heavy: tuple[str, ...]) -> None:
    program = f"import sys\ntry:\n    {PROGRAM.replace('; ', chr(10) + '    ')}\nfinally:\n    print(*sys.modules)"

    said = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True).stdout

    assert "Usage" in said
    assert set(said.splitlines()[-1].split()).isdisjoint(heavy)


def test_an_error_of_ours_is_one_sentence_and_no_traceback(empty: Deployment) -> None:
    done = mlops_process("status", "nowhere")

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"Unknown use case 'nowhere'. Use cases: {', '.join(registry.names())}.\n"


def mlops_process(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """`mlops …` in a process of its own."""
    path = os.pathsep.join(path for path in sys.path if path)
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        env={**os.environ, "PYTHONPATH": path, **environ},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_the_version_is_that_of_the_distribution() -> None:
    assert CliRunner().invoke(app, ["--version"]).output == f"mlops {version('mlops-assets')}\n"


def test_help_reads_at_forty_columns_and_lists_the_exit_codes() -> None:
    said = mlops_process("--help", COLUMNS="40").stdout

    listed, _, codes = said.partition("Exit codes:")
    assert max(len(line) for line in listed.splitlines()) <= 50  # click keeps two columns of at least ten
    assert "..." not in listed.replace("[ARGS]...", "")  # which usage says of any group
    assert [line.split()[0] for line in codes.splitlines() if line.strip()] == [str(code.value) for code in ExitCode]


@pytest.mark.slow
def test_a_terminal_without_the_characters_ends_no_run_and_no_status(empty: Deployment) -> None:
    empty.land(0, 1)
    install_parcels(empty.data.parent / "installed")
    path = os.pathsep.join([str(empty.data.parent / "installed"), *(each for each in sys.path if each)])
    ascii_only = {"PYTHONIOENCODING": "ascii", "PYTHONPATH": path}

    done = mlops_process("run", "parcels", "--ingest-only", **ascii_only)
    assert (done.returncode, done.stderr) == (0, "")
    assert "? Batches" in done.stdout
    done = mlops_process("status", "parcels", **ascii_only)
    assert done.returncode == 0
    assert f"{day_number(0)} ? {day_number(1)}" in done.stdout


def test_what_the_machine_refuses_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/data/lake/objects/1")

    monkeypatch.setattr("mlops_assets.cli.main.app", full)

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == ExitCode.ERROR
    assert capsys.readouterr().err == "No space left on device: /data/lake/objects/1. Mend it and run again.\n"


def test_a_fault_of_the_program_is_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fault() -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "/package/data.sql")

    monkeypatch.setattr("mlops_assets.cli.main.app", fault)

    with pytest.raises(FileNotFoundError):
        main()


def test_on_a_terminal_the_sentence_is_red(
    empty: Deployment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["mlops", "status", "nowhere"])
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("\x1b[31mUnknown use case")

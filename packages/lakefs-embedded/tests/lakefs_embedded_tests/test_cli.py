"""The command `lakefs-embedded`, as a person types it."""

from __future__ import annotations

import argparse
import re
import signal
import subprocess
import sys
import urllib.request
from datetime import timedelta
from pathlib import Path

import pytest
from lakefs.repository import Repository

from lakefs_embedded import EmbeddedLakeFS
from lakefs_embedded.cli import age, main

COMMAND = (sys.executable, "-c", "from lakefs_embedded.cli import main; main()")


def test_serve_answers_until_it_is_told_to_stop(tmp_path: Path) -> None:
    words = ("serve", "--root", str(tmp_path / "lake"), "--port", "0")
    server = subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    with server.stdout:
        said = re.match(r"Embedded lakeFS at (http://127.0.0.1:\d+), data in ", server.stdout.readline())
        assert said is not None
        with urllib.request.urlopen(f"{said[1]}/api/v1/healthcheck", timeout=30) as answer:
            assert answer.status == 204
        server.send_signal(signal.SIGTERM)
        assert "Embedded lakeFS stopped." in server.stdout.read()
    assert server.wait(30) == 0


def test_a_taken_port_is_said_in_one_line(server: EmbeddedLakeFS, tmp_path: Path) -> None:
    port = server.endpoint.rpartition(":")[2]
    with pytest.raises(SystemExit, match=r"^lakefs-embedded: .*in use$"):
        main(["serve", "--root", str(tmp_path), "--port", port])


def test_gc_says_what_would_go_and_then_what_went(
    root: Path, repo: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    draft = repo.branch("draft").create("main")
    draft.object("a").upload(b"x" * 1000)
    draft.commit("a")
    draft.delete()
    main(["gc", "--root", str(root), "--keep", "0m", "--dry-run"])
    main(["gc", "--root", str(root), "--keep", "0m"])
    would, did = capsys.readouterr().out.splitlines()
    assert would == "Would remove 1 commits, 1 objects and 0 unfinished uploads: 1,000 bytes."
    assert did == would.replace("Would remove", "Removed")


def test_gc_of_a_folder_without_data_makes_none(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no data of a server in"):
        main(["gc", "--root", str(tmp_path / "mistyped")])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [[], ["serve", "--port", "65536"], ["serve", "--port", "x"], ["gc", "--keep", "7"]])
def test_wrong_words_end_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "usage: lakefs-embedded" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "span"), [("7d", timedelta(days=7)), ("12h", timedelta(hours=12)), ("0m", timedelta())]
)
def test_ages_are_written_with_their_unit(text: str, span: timedelta) -> None:
    assert age(text) == span


def test_an_age_without_a_known_unit_is_refused() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="such as 7d, 12h or 30m"):
        age("7w")

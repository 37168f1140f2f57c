"""`mlops keys`: the secret is shown once, and what is listed is no secret."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mlops_assets.cli.main import app
from mlops_assets.contract.errors import SettingError
from mlops_assets.stores.key_ring import KeyRing
from mlops_assets.stores.keys import Scope, read_keys
from mlops_assets_tests.documented import DOCS, blocks


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder."""
    monkeypatch.setenv("MLOPS_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("MLOPS_KEYS_FILE", "MLOPS_LAKE_BRANCH"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def mlops(*words: str) -> str:
    """What is printed for programs and for people together."""
    return CliRunner().invoke(app, ["keys", *words], catch_exceptions=False).output


def test_a_new_key_is_shown_once_and_opens_the_service_of_this_deployment(data: Path) -> None:
    written = mlops("new", "shop", "--scope", "predict", "--scope", "outcomes", "--rate", "20").splitlines()[0]

    listed = mlops("list")

    key = KeyRing(data / "keys.json").verify(f"Bearer {written}", Scope.OUTCOMES)
    assert (key.name, key.rate, key.burst) == ("shop", 20.0, 20)
    assert written.rpartition("_")[2] not in listed
    assert [word in listed for word in (key.id, "shop", "predict", "outcomes", "active")] == [True] * 5


def test_a_revoked_key_is_listed_as_such(data: Path) -> None:
    mlops("new", "shop", "--scope", "predict")

    assert "shop (" in mlops("revoke", "shop")
    assert "revoked" in mlops("list")
    with pytest.raises(SettingError, match="There is no key 'bank' to revoke"):
        mlops("revoke", "bank")


def test_a_key_is_good_through_its_last_day(data: Path) -> None:
    mlops("new", "shop", "--scope", "predict", "--expires", "2999-06-30")

    assert read_keys(data / "keys.json")[0].expires_at == datetime(2999, 7, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--expires", "tomorrow"), "neither a day such as 2027-06-30 nor a time such as 90d"),
        (("--expires", "2020-01-01"), "would never work"),
        (("--burst", "5"), "give --rate too"),
    ],
)
def test_what_cannot_be_meant_is_refused(data: Path, words: tuple[str, ...], why: str) -> None:
    with pytest.raises(SettingError, match=why):
        mlops("new", "shop", "--scope", "predict", *words)
    assert "There are no keys: the service answers this machine alone" in mlops("list")


def test_the_file_may_lie_elsewhere(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_KEYS_FILE", str(tmp_path / "secret" / "keys.json"))

    mlops("new", "shop", "--scope", "admin", "--expires", "90d")

    assert len(read_keys(tmp_path / "secret" / "keys.json")) == 1


def test_the_commands_in_the_docs_are_commands(data: Path) -> None:
    (block,) = [text for text in blocks(DOCS / "serving.md") if text.startswith("mlops keys")]
    lines = [line.split()[2:] for line in block.splitlines()]

    printed = [mlops(*words) for words in lines]

    assert [words[0] for words in lines] == ["new", "list", "revoke"]
    assert printed[0].startswith("mlops_")
    assert read_keys(data / "keys.json")[0].state(datetime.now(UTC)) == "revoked"

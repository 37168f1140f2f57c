from __future__ import annotations

from pathlib import Path

import pytest

from mlops_assets.contract.errors import SettingError
from mlops_assets.lake.settings import LakeKind, LakeSettings, data_directory

OURS = {
    "LAKEFS_ENDPOINT": "http://lake.example:8000",
    "LAKEFS_ACCESS_KEY_ID": "key",
    "LAKEFS_SECRET_ACCESS_KEY": "secret",
}
SDK = {"LAKECTL_SERVER_ENDPOINT_URL": "http://sdk.example:8000"}


def read(environ: dict[str, str], *, home: Path) -> LakeSettings:
    return LakeSettings.from_environment(environ, home=home)


def test_with_nothing_set_the_embedded_server_below_the_data_folder_is_used(tmp_path: Path) -> None:
    settings = read({"MLOPS_DATA_DIR": str(tmp_path / "elsewhere")}, home=tmp_path)
    assert settings.kind is LakeKind.EMBEDDED
    assert settings.root == tmp_path / "elsewhere" / "lake"
    assert (settings.repository, settings.branch) == ("mlops", "main")
    assert "no LAKEFS_ENDPOINT" in settings.source


def test_our_variables_win_over_the_clients_own(tmp_path: Path) -> None:
    (tmp_path / ".lakectl.yaml").write_text("server:\n  endpoint_url: http://yaml.example\n")
    settings = read(OURS | SDK, home=tmp_path)
    assert settings.kind is LakeKind.CONFIGURED
    assert (settings.endpoint, settings.access_key_id) == ("http://lake.example:8000", "key")
    assert "LAKEFS_ENDPOINT" in settings.source


def test_the_clients_variable_is_used_when_ours_is_not_set(tmp_path: Path) -> None:
    settings = read(SDK, home=tmp_path)
    assert settings.kind is LakeKind.LAKECTL
    assert "LAKECTL_SERVER_ENDPOINT_URL" in settings.source


def test_the_clients_file_is_used_when_no_variable_is_set(tmp_path: Path) -> None:
    (tmp_path / ".lakectl.yaml").write_text("server:\n  endpoint_url: http://yaml.example\n")
    settings = read({}, home=tmp_path)
    assert settings.kind is LakeKind.LAKECTL
    assert str(tmp_path / ".lakectl.yaml") in settings.source


def test_the_clients_file_may_lie_elsewhere(tmp_path: Path) -> None:
    named = tmp_path / "team.yaml"
    named.write_text("server:\n  endpoint_url: http://yaml.example\n")
    assert read({"LAKECTL_CONFIG_FILE": str(named)}, home=tmp_path / "home").kind is LakeKind.LAKECTL


@pytest.mark.parametrize("missing", ["LAKEFS_ACCESS_KEY_ID", "LAKEFS_SECRET_ACCESS_KEY"])
def test_an_endpoint_without_a_key_is_refused_by_name(tmp_path: Path, missing: str) -> None:
    with pytest.raises(SettingError, match=missing):
        read({name: value for name, value in OURS.items() if name != missing}, home=tmp_path)


def test_an_empty_variable_counts_as_unset(tmp_path: Path) -> None:
    settings = read({"LAKEFS_ENDPOINT": "", "MLOPS_LAKE_BRANCH": "", "LAKEFS_REPOSITORY": ""}, home=tmp_path)
    assert settings.kind is LakeKind.EMBEDDED
    assert (settings.repository, settings.branch) == ("mlops", "main")


def test_branch_and_repository_are_taken_from_the_environment(tmp_path: Path) -> None:
    settings = read({"MLOPS_LAKE_BRANCH": "dev-alice", "LAKEFS_REPOSITORY": "models"}, home=tmp_path)
    assert (settings.branch, settings.repository) == ("dev-alice", "models")


def test_the_secret_does_not_show_when_settings_are_printed(tmp_path: Path) -> None:
    assert "secret" not in repr(read(OURS, home=tmp_path)).replace("secret_access_key", "")


def test_a_cache_size_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="MLOPS_LAKE_CACHE_BYTES is '10G'"):
        read({"MLOPS_LAKE_CACHE_BYTES": "10G"}, home=tmp_path)


def test_the_data_folder_defaults_to_the_checkouts_own() -> None:
    assert data_directory({}) == Path(__file__).resolve().parents[2] / "data"

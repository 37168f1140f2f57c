"""A team's own distribution from landed files to the packaged champion, without touching the platform."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_assets_tests.use_cases.installed import install_toy, run_python


@pytest.mark.slow
def test_a_use_case_of_another_distribution_runs_up_to_the_packaged_champion(tmp_path: Path) -> None:
    site, data = install_toy(tmp_path / "site"), tmp_path / "data"
    settings = {"MLOPS_DATA_DIR": str(data), "LAKECTL_CONFIG_FILE": str(tmp_path / "none")}

    def mlops(*words: str) -> str:
        done = run_python("-c", "from mlops_assets.cli.main import main; main()", *words, path=site, **settings)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    mlops("land", "letters")
    mlops("run", "letters")

    assert "Champion: drop-1-" in mlops("status", "letters")
    packaged = list((data / "bentoml" / "bentos" / "letters").glob("*/src/team_letters/letters/sql/features.sql"))
    assert len(packaged) == 1

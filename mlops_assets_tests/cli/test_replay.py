"""`mlops replay` of the toy through the real service: days in a folder of its own, stopped and gone on with, faults."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mlops_assets.contract.errors import DeclarationError, LandingError
from mlops_assets.contract.retraining import Retrain
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import LakeSettings
from mlops_assets.stores.models.listing import listed_versions
from mlops_assets.stores.predictions.prediction_log import prediction_log_of
from mlops_assets_tests.cli.conftest import Mlops
from mlops_assets_tests.orchestration.deployment import FOREIGN_SETTINGS, let_go
from mlops_assets_tests.orchestration.toy import PARCELS, day_number
from mlops_assets_tests.use_cases.installed import ROOT

FIRST, SECOND = day_number(10), day_number(11)


@pytest.fixture
def folder(tmp_path: Path, installed_toy: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a replay plays; the toy is there for the service's process too."""
    for name in FOREIGN_SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LAKECTL_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("MLOPS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(installed_toy), str(ROOT))))
    monkeypatch.delenv("MLOPS_STRICT", raising=False)
    yield tmp_path / "played"
    let_go(tmp_path / "played")


def records(folder: Path) -> list[dict[str, object]]:
    """What the service's log holds."""
    log = prediction_log_of("parcels", folder=folder)
    rows: list[dict[str, object]] = log.read_after(0, limit=10_000).to_pylist()
    log.close()
    return rows


@pytest.mark.slow
def test_days_are_played_through_the_real_service_and_gone_on_with(run_mlops: Mlops, folder: Path) -> None:
    words = ("replay", "parcels", "--from", FIRST, "--data", str(folder))

    once = run_mlops(*words, "--to", FIRST).output
    both = run_mlops(*words, "--to", SECOND).output

    assert "1 days, 60 answers" in once
    assert "2 days, 120 answers" in both
    assert f"Ask about {FIRST}" not in both
    asked = records(folder)
    assert len(asked) == len({row["example_id"] for row in asked}) == 120
    assert {row["history_as_of"] for row in asked} == {FIRST, SECOND}
    (version,) = {str(row["model_version"]) for row in asked}
    assert re.search(rf"{version} +{FIRST} +{SECOND} +120 +120 ", both)
    head = Lake.connect(LakeSettings.embedded(folder)).at()
    assert [path for path in (info.path for info in head.paths("parcels/monitoring/")) if FIRST in path]
    assert not (Path(os.environ["MLOPS_DATA_DIR"]) / "lake").exists()


@pytest.mark.slow
def test_the_loop_retrains_by_the_clock_that_is_played(
    run_mlops: Mlops, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daily = replace(PARCELS, retrain=Retrain(every=timedelta(days=1), cooldown=timedelta(days=1)))
    monkeypatch.setattr("mlops_assets.cli.replay.use_case_of", lambda name: daily)

    said = run_mlops("replay", "parcels", "--from", FIRST, "--to", FIRST, "--data", str(folder)).output

    assert re.search(r"The champion \S+ was trained 1 day ago, due every 1 day", " ".join(said.split()))
    records = listed_versions(Lake.connect(LakeSettings.embedded(folder)).at(), use_case="parcels").versions
    assert {f"{each.record.created_at:%Y-%m-%d}" for each in records} == {FIRST, SECOND}


def test_what_cannot_be_played_is_refused_with_a_sentence(
    run_mlops: Mlops, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("replay", "parcels", "--from", FIRST, "--to", SECOND, "--data", str(folder))

    with pytest.raises(DeclarationError, match="income has no days to play: its batches have names"):
        run_mlops("replay", "income", "--from", "test-01", "--to", "test-02")
    with pytest.raises(DeclarationError, match=r"'scores_shuffled' cannot be played .* a fault of answers"):
        run_mlops(*words, "--fault", "scores_shuffled")
    with pytest.raises(DeclarationError, match=r"'typo' is no fault. Faults are:\n  unit:COLUMN=FACTOR"):
        run_mlops(*words, "--fault", "typo")
    monkeypatch.setenv("MLOPS_ONLINE_STORE_URL", "redis://example")
    with pytest.raises(LandingError, match="MLOPS_ONLINE_STORE_URL leads elsewhere"):
        run_mlops(*words)
    assert not folder.exists()

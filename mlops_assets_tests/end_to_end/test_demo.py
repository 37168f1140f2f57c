"""`mlops demo` on a few weeks of flights: the real code path from dropped files to a served, watched, traced answer."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import dagster as dg
import pytest
from click.testing import Result
from typer.testing import CliRunner

from mlops_assets.cli.main import app
from mlops_assets.contract.errors import ServingError
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import environment_directory
from mlops_assets.orchestration.instance import open_instance
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.running_service import RunningService
from mlops_assets.stores.predictions.prediction_log import prediction_log_of
from mlops_assets_tests.end_to_end.small_flights import SERVED, SMALL
from mlops_assets_tests.orchestration.deployment import FOREIGN_SETTINGS, let_go

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@dataclass(frozen=True, kw_only=True)
class Played:
    """A demo played twice, with the lake's head and the answers given after each time; then once with other code."""

    data: Path
    first: Result
    again: Result
    changed: Result
    heads: tuple[str, str]
    answers: tuple[int, int]


def words_of(shown: str) -> str:
    """What was shown as one line of words: no frame, no branches of a tree, no line breaks."""
    return " ".join(re.sub(r"[─│╭╮╰╯├└]", " ", shown).split())


def _small(_: str | None) -> UseCase:
    return SMALL


def _changed(_: str | None) -> UseCase:
    """As if somebody had changed the recipe: another version comes out."""
    return replace(SMALL, recipe=replace(SMALL.recipe, rounds=SMALL.recipe.rounds - 1))


def _answers() -> int:
    return prediction_log_of("flights", folder=environment_directory()).read_after(0, limit=10_000).num_rows


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """The demo, played twice in one folder."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLOPS_DATA_DIR", str(folder))
        patch.setenv("LAKECTL_CONFIG_FILE", os.devnull)
        for name in FOREIGN_SETTINGS:
            patch.delenv(name, raising=False)
        patch.setattr("mlops_assets.cli.demo.use_case_of", _small)
        first = CliRunner().invoke(app, ["demo", "flights"], catch_exceptions=False)
        head, answers = Lake.connect().head(), _answers()
        again = CliRunner().invoke(app, ["demo", "flights"], catch_exceptions=False)
        heads, twice = (head, Lake.connect().head()), (answers, _answers())
        patch.setattr("mlops_assets.cli.demo.use_case_of", _changed)
        changed = CliRunner().invoke(app, ["demo", "flights"], catch_exceptions=False)
        yield Played(data=folder, first=first, again=again, changed=changed, heads=heads, answers=twice)
        let_go(folder)


def test_the_demo_ends_well_and_shows_every_stage(played: Played) -> None:
    assert played.first.exit_code == 0
    shown = words_of(played.first.output)
    assert re.search(r"The champion is flights:2013-06-30-[0-9a-f]{8}\.", shown)
    for title in ("Rows through each stage", "on the test rows", "Gates", f"Served on {SERVED}", "Seconds per asset"):
        assert title in shown
    assert re.search(r"flights +24 ", shown)
    assert re.search(r"966 of 966 served scores equal the batch scores to the bit", shown)


def test_one_answer_is_traced_to_version_lake_commit_landed_files_and_git_commit(played: Played) -> None:
    log = prediction_log_of("flights", folder=environment_directory())
    answered = log.read_after(0, limit=2000).to_pylist()

    asked = CliRunner().invoke(app, ["trace", answered[0]["prediction_id"]], catch_exceptions=False)
    told = words_of(asked.output)

    assert answered[0]["model_version"] in told
    assert re.search(r"data: lakeFS commit [0-9a-f]{16}", told)
    assert re.search(r"flights/raw/flights/2013-06-08.csv \([\d,]+ bytes, sha256 [0-9a-f]{16}\)", told)
    assert re.search(r"code: git commit [0-9a-f]{16}", told)


def test_the_demo_played_again_changes_nothing_and_ends_well(played: Played) -> None:
    assert played.again.exit_code == 0
    assert played.heads[0] == played.heads[1]
    assert "All of it happened." in words_of(played.again.output)
    assert played.answers == (966, 966)


def test_the_demo_played_with_other_code_asks_its_champion_what_was_known_on_that_morning(played: Played) -> None:
    assert played.changed.exit_code == 0
    shown = words_of(played.changed.output)
    assert "966 of 966 served scores equal the batch scores to the bit" in shown
    assert _answers() == 2 * 966


def test_the_served_bento_refuses_a_bad_row_naming_row_field_and_reason(played: Played, tmp_path: Path) -> None:
    serving = champion(Lake.connect().at(), use_case="flights")
    assert serving is not None
    good, bad = [dict(row) for row in SMALL.seed.requests(SERVED)[:2]]
    bad["distance"] = -1

    with RunningService.start(
        f"flights:{serving.version}", data_dir=played.data, log=tmp_path / "service.log"
    ) as service:
        assert service.predict([good])[0]["model_version"] == serving.version
        with pytest.raises(ServingError, match=r"answered 200: .*\"row\": ?1.*\"field\": ?\"distance\".*greater than"):
            service.predict([good, bad])


def test_a_retraining_by_hand_learns_what_has_landed_since_and_keeps_its_reason_with_the_run(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = champion(Lake.connect().at(), use_case="flights")
    monkeypatch.setattr("mlops_assets.cli.loop.use_case_of", _small)

    done = CliRunner().invoke(app, ["retrain", "flights", "--reason", "July is there."], catch_exceptions=False)

    after = champion(Lake.connect().at(), use_case="flights")
    assert before is not None
    assert after is not None
    assert after.version.startswith(SERVED)
    assert f"July is there. {after.version} is the new champion." in words_of(done.output)
    with open_instance(played.data) as instance:
        (record,) = instance.get_run_records(dg.RunsFilter(tags={"mlops/reason": "July is there."}))
        told = [event.user_message for event in instance.all_logs(record.dagster_run.run_id)]
    assert record.dagster_run.status is dg.DagsterRunStatus.SUCCESS
    assert "July is there." in told

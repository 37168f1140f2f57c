"""After the champion: the online store, batch scores, the collected log and a watched day."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from mlops_assets.features.online_view import OnlineView
from mlops_assets.orchestration.asset_run import AssetRun
from mlops_assets.orchestration.resources import DataResource
from mlops_assets.orchestration.runs import RunFailed, RunSummary
from mlops_assets.steps.watch import CHECKS
from mlops_assets.stores.features import online_refresh
from mlops_assets.stores.models.champion import champion
from mlops_assets.watch.served.report import WatchReport
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets_tests.orchestration.toy import PARCELS, ParcelRequest, day_number, requests
from mlops_assets_tests.stores.predictions.answered import make_group, make_record

SERVED = day_number(10)


def answer(
    deployment: Deployment,
    *,
    batch: str = SERVED,
    start: int = 0,
    stop: int | None = None,
    snow: bool = True,
) -> None:
    """Logs answers to a day's requests as the service does; heavy parcels are said to be late. Without ``snow`` nothing
    was known of the roads.
    """
    serving = champion(deployment.lake.at(), use_case="parcels")
    assert serving is not None
    log = DataResource().prediction_log(PARCELS)
    asked = [ParcelRequest(**row) for row in requests(batch)][start:stop]
    records = [
        make_record(
            prediction_id=f"{batch}-{number}",
            example_id=str(row.id),
            answered_at=datetime(2024, 3, 11, tzinfo=UTC) + timedelta(seconds=number),
            event_time=row.sent_at,
            model_version=serving.version,
            score=0.8 if row.weight > 5 else 0.2,
            predicted_positive=row.weight > 5,
            inputs=row.model_dump(mode="json"),
            features={"roads__snow": float(row.sent_at.day % 3) if snow else None},
        )
        for number, row in enumerate(asked, start=start)
    ]
    log.append([make_group(records)], timeout=5)
    log.close()


def spoil(view: OnlineView) -> OnlineView:
    """Every history value a little off, as a wrong roll-up would have it."""
    return replace(
        view, history=tuple(replace(each, values=np.nextafter(each.values, np.inf)) for each in view.history)
    )


@pytest.fixture
def wrong_roll_up(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Called, it makes the online store's values wrong from then on."""
    right = online_refresh.online_view

    def begin() -> None:
        monkeypatch.setattr(online_refresh, "online_view", lambda *given, **named: spoil(right(*given, **named)))

    return begin


def test_the_online_store_is_as_of_the_day_after_the_last_batch(ingested: Deployment) -> None:
    with DataResource().online_store(PARCELS) as online:
        assert online.current is not None
        assert online.current.as_of.isoformat() == SERVED
        assert online.current.commit == ingested.lake.head()


def test_an_online_store_that_differs_from_the_offline_features_goes_back(
    ingested: Deployment, wrong_roll_up: Callable[[], None]
) -> None:
    with DataResource().online_store(PARCELS) as online:
        before = online.current
    ingested.land(10)
    wrong_roll_up()

    result = ingested.execute("ingest", SERVED)

    failed = [check for check in result.get_asset_check_evaluations() if not check.passed]
    assert [check.check_name for check in failed] == ["online_equals_offline"]
    assert "depot__late_rate_3d" in (failed[0].description or "")
    with DataResource().online_store(PARCELS) as online:
        assert online.current == before


def test_a_first_online_store_that_differs_is_not_served(empty: Deployment, wrong_roll_up: Callable[[], None]) -> None:
    empty.land(0, 1)
    wrong_roll_up()

    with pytest.raises(RunFailed, match="These columns differ"):
        empty.ingest()

    with DataResource().online_store(PARCELS) as online:
        assert online.current is None


def test_a_batch_is_scored_by_the_champion(trained: Deployment) -> None:
    trained.land(10)
    trained.ingest()

    trained.run("score", SERVED)

    scored = trained.table(f"predictions/{SERVED}.parquet")
    assert scored.num_rows == 60
    assert {"id", "event_time", "depot", "score", "predicted_positive", "model_version"} <= set(scored.column_names)


def test_scoring_without_a_champion_says_so(ingested: Deployment) -> None:
    with pytest.raises(RunFailed, match="parcels has no champion yet: materialise parcels/champion"):
        ingested.run("score", day_number(9))


def test_every_answer_is_collected_exactly_once(trained: Deployment) -> None:
    answer(trained, stop=20)
    trained.run("watch", SERVED)
    trained.run("watch", SERVED)
    answer(trained, start=20)
    trained.run("watch", SERVED)

    assert collected(trained) == list(range(1, 61))


def test_a_crash_right_after_publishing_neither_loses_nor_doubles_an_answer(
    trained: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(trained, stop=20)

    def crash(*_: Any) -> None:
        raise MemoryError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(AssetRun, "log", crash)
        assert not trained.execute("watch", SERVED).success
    answer(trained, start=20)
    trained.run("watch", SERVED)

    assert collected(trained) == list(range(1, 61))


def test_a_watched_day_says_what_it_cannot_judge_and_tells_nothing_of_outcomes_before_they_land(
    trained: Deployment,
) -> None:
    answer(trained)

    run = trained.run("watch", SERVED)

    assert (run.metadata["monitoring"]["answers"], run.metadata["monitoring"]["outcomes"]) == (60, 0)
    assert report(trained).realised == ()
    assert {cell.scope for cell in report(trained).cells} == {"overall", "depot=AMS", "depot=BER"}
    assert {cell.verdict for cell in report(trained).cells} == {"cannot be judged"}
    of = verdicts(run)
    for order, figures in {"exact": 17, "inputs": 5, "predictions": 30}.items():
        assert of[CHECKS[order]].startswith(f"insufficient data: none of {figures} figures can be judged yet. ")
    assert of[CHECKS["truth"]] == "insufficient data: no outcome is known yet."


def test_a_watched_day_tells_how_right_the_answers_were_once_outcomes_have_landed(trained: Deployment) -> None:
    answer(trained)
    trained.land(10)
    trained.ingest()

    run = trained.run("watch", SERVED)

    assert run.metadata["monitoring"]["outcomes"] == report(trained).labelled == 60
    loss = {each.scope: each for each in report(trained).realised if each.metric == "log_loss"}
    assert set(loss) == {"overall", "depot=AMS", "depot=BER"}
    assert (loss["overall"].n, loss["depot=AMS"].n) == (60, 30)
    assert loss["overall"].value is not None
    assert loss["overall"].prior is not None
    assert (
        f"log loss {loss['overall'].value:.3f} against {loss['overall'].prior:.3f} of the prior on the same rows"
        in (report(trained).headline)
    )


def test_an_unusual_day_is_a_warning_that_stops_nothing(trained: Deployment) -> None:
    answer(trained, snow=False)

    run = trained.run("watch", SERVED)

    (asked,) = [check for check in run.checks if check.check_name == CHECKS["inputs"]]
    assert not asked.passed
    assert asked.severity.value == "WARN"
    assert (asked.description or "").startswith("roads__snow is missing in all 22 rows")
    assert f"monitoring/{SERVED}.json" in trained.paths("monitoring/")


def test_a_watched_day_renews_the_page(trained: Deployment) -> None:
    answer(trained)

    trained.run("watch", SERVED)

    assert "Will this parcel be late?" in (trained.data / "pages/parcels/monitor.html").read_text(encoding="utf-8")


def test_watching_a_day_on_which_nothing_was_served_says_what_to_do(trained: Deployment) -> None:
    with pytest.raises(RunFailed, match=f"Nothing served for {SERVED} was collected yet: serve, then materialise"):
        trained.run("watch", SERVED)


def verdicts(run: RunSummary) -> dict[str, str]:
    """What each check of the watched day says; nothing if it passed."""
    return {check.check_name: "" if check.passed else check.description or "" for check in run.checks}


def collected(deployment: Deployment) -> list[int]:
    """The sequence numbers that the lake holds, in order."""
    files = deployment.paths("prediction_log/")
    return sorted(seq for path in files for seq in deployment.table(path)["seq"].to_pylist())


def report(deployment: Deployment) -> WatchReport:
    """What monitoring published for the served day."""
    return WatchReport.from_json(deployment.lake.at().read(f"parcels/monitoring/{SERVED}.json"))

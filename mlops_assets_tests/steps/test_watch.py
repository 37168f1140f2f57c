"""A served day is judged as far as it is over, by what was asked and answered, and again once outcomes are known."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mlops_assets.contract.alerts import Urgency
from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.errors import LakeError
from mlops_assets.contract.monitoring import MonitoringPlan
from mlops_assets.contract.paths import prediction_log_folder
from mlops_assets.contract.severity import Severity
from mlops_assets.lake.tables import parquet_bytes, read_parquet
from mlops_assets.lake.write import Write
from mlops_assets.steps.step import Step
from mlops_assets.steps.watch import CHECKS, PARITY, VERSIONS
from mlops_assets.stores.models.champion import require_champion
from mlops_assets.stores.models.registry import load_record
from mlops_assets.stores.predictions.collected_files import CollectedFile
from mlops_assets.stores.predictions.parity import NAME
from mlops_assets.stores.predictions.prediction_log import prediction_log_of
from mlops_assets.stores.predictions.records import Outcome, read_row
from mlops_assets.stores.predictions.served_metrics import served_metrics
from mlops_assets.watch.served.report import Realised, WatchReport
from mlops_assets.watch.served.table import ANSWERED, METRICS
from mlops_assets_tests.orchestration.toy import day_number
from mlops_assets_tests.steps.played import AFTERWARDS, DAYS, NOW, SERVED, Loop
from mlops_assets_tests.stores.predictions.answered import make_group

DAY = date.fromisoformat(SERVED)
SILENT, HOUR, DAY_LONG = day_number(11), timedelta(hours=1), timedelta(days=1)


def report(loop: Loop, *, day: str = SERVED) -> WatchReport:
    """What is published of a day."""
    return WatchReport.from_json(loop.lake.at().read(f"parcels/monitoring/{day}.json"))


def overall(told: WatchReport, metric: str) -> Realised:
    (found,) = [each for each in told.realised if (each.metric, each.scope) == (metric, "overall")]
    return found


def check(step: Step[Any], name: str) -> CheckResult:
    (found,) = [each for each in step.checks if each.name == name]
    return found


def late(loop: Loop) -> np.ndarray[Any, Any]:
    """What became of the served day's parcels, in the order of their file."""
    rows = read_parquet(loop.lake.at().local(f"parcels/validated/parcels/{SERVED}.parquet"))
    return np.asarray(rows["minutes_late"].to_numpy() > 15, dtype=np.float64)


def tell_outcomes(loop: Loop, *, label: int, answers: int) -> None:
    """A caller tells the service what became of the first answers."""
    with closing(prediction_log_of("parcels", folder=loop.data)) as log:
        log.record_outcomes([Outcome(prediction_id=f"p{at}", label=label, known_at=NOW) for at in range(answers)])


def spoil_a_score(loop: Loop) -> None:
    """One collected answer is not what its model says."""
    head = loop.lake.at()
    (info,) = head.paths(prediction_log_folder("parcels"))
    records = read_parquet(head.local(info.path))
    scores = np.array(records["score"].to_numpy())
    scores[7] += 0.25
    spoilt = records.set_column(records.column_names.index("score"), "score", pa.array(scores))
    write = Write(use_case="parcels", asset="prediction_log")
    loop.lake.publish(write, files={info.path: parquet_bytes(spoilt)}, audit=lambda staged: [])


def spoil_versions(loop: Loop, *, version: str, answers: int) -> None:
    """So many of the collected answers came from that version."""
    head = loop.lake.at()
    (info,) = head.paths(prediction_log_folder("parcels"))
    records = read_parquet(head.local(info.path))
    versions = [version] * answers + records["model_version"].to_pylist()[answers:]
    at = records.column_names.index("model_version")
    spoilt = records.set_column(at, "model_version", pa.array(versions, pa.string()))
    write = Write(use_case="parcels", asset="prediction_log")
    loop.lake.publish(write, files={info.path: parquet_bytes(spoilt)}, audit=lambda staged: [])


def ask_again(loop: Loop, *, score: float) -> None:
    """Every example is answered once more, an hour later."""
    with closing(prediction_log_of("parcels", folder=loop.data)) as log:
        given = log.read_after(0, limit=1000).to_pylist()
        again = [
            {
                **read_row(row),
                "prediction_id": f"again-{row['prediction_id']}",
                "score": score,
                "answered_at": NOW + HOUR,
            }
            for row in given
        ]
        log.append([make_group(again)], timeout=5)


def serve_before(loop: Loop, *, days: int) -> None:
    """So many days before, sixty parcels each were asked about."""
    version = require_champion(loop.lake.at(), use_case="parcels").version
    hours = [
        datetime(DAY.year, DAY.month, DAY.day, 8) - DAY_LONG * back + HOUR * at
        for back in range(1, days + 1)
        for at in range(10)
    ]
    rows = [("parcels", version, hour, "overall", ANSWERED, 6.0, 6) for hour in hours]
    columns = zip(*rows, strict=True)
    table = pa.table([pa.array(column, field.type) for column, field in zip(columns, METRICS, strict=True)], METRICS)
    file = CollectedFile(
        folder="parcels/served_metrics/",
        day=max(hours).date(),
        log_id="e" * 32,
        first=1,
        last=60 * days,
        events=(min(hours).date(), max(hours).date()),
    )
    write = Write(use_case="parcels", asset="prediction_log")
    loop.lake.publish(write, files={file.path: parquet_bytes(table)}, audit=lambda staged: [])


def test_before_outcomes_land_a_day_is_judged_without_them(served: Loop) -> None:
    step = served.watch(SERVED)

    told = report(served)
    assert (told.answered, told.labelled, told.realised) == (60, 0, ())
    assert told.versions == {told.version: 60}
    assert told.until == datetime(2024, 3, 12)
    assert {each.metric for each in told.estimated} >= {"log_loss", "roc_auc_score"}
    assert all(each.realised is None for each in told.estimated)
    assert told.compared_with == f"4 days' worth of held-out rows of {told.version}"
    assert step.outcome == {SERVED: told}


def test_what_was_answered_equals_the_offline_road(served: Loop) -> None:
    parity = check(served.watch(SERVED), NAME)

    assert parity.passed, parity.reasons
    assert (parity.batch, parity.figures["records"], parity.figures["compared"]) == (SERVED, 60, 60)
    assert "scoring exact" in report(served).headline


def test_a_score_that_is_not_the_models_is_an_exact_cause_that_pages(served: Loop) -> None:
    served.collect()
    spoil_a_score(served)

    step = served.watch(SERVED)

    (cause,) = [each for each in report(served).causes if each.key == PARITY]
    assert (cause.order, cause.urgency) == ("exact", Urgency.PAGE)
    assert "score of prediction p7 was" in cause.what
    exact = check(step, CHECKS["exact"])
    assert (exact.passed, exact.severity) == (False, Severity.ERROR)
    assert not check(step, NAME).passed
    assert "scores differ from the model's" in report(served).headline


@pytest.mark.parametrize("answers", [3, 60])
def test_answers_of_a_model_that_the_lake_does_not_know_page_and_the_day_is_judged(served: Loop, answers: int) -> None:
    champion = require_champion(served.lake.at(), use_case="parcels").version
    serve_before(served, days=1)
    served.collect()
    spoil_versions(served, version="of-nobody", answers=answers)

    served.watch(SERVED)

    (cause,) = [each for each in report(served).causes if each.key == VERSIONS]
    assert cause.urgency is Urgency.PAGE
    assert f"Model of-nobody answered, and the lake does not know it: {answers} of 60 answers." == cause.what
    assert report(served).version == champion


def test_a_first_day_of_unknown_models_alone_is_judged_beside_the_champion(served: Loop) -> None:
    with closing(prediction_log_of("parcels", folder=served.data)) as log:
        given = [read_row(row) for row in log.read_after(0, limit=1000).to_pylist()]
        others = [
            {**row, "prediction_id": f"other-{row['prediction_id']}", "model_version": "of-nobody"} for row in given
        ]
        moved = [{**row, "event_time": row["event_time"] + DAY_LONG} for row in others]
        log.append([make_group(moved)], timeout=5)
    served.collect()

    served.watch(SILENT, now=AFTERWARDS + DAY_LONG)

    told = report(served, day=SILENT)
    assert told.versions == {"of-nobody": 60}
    assert VERSIONS in {cause.key for cause in told.causes}
    assert told.version == require_champion(served.lake.at(), use_case="parcels").version


def test_when_outcomes_land_the_day_is_judged_beside_the_prior_on_the_same_rows(served: Loop) -> None:
    served.watch(SERVED)
    served.take([SERVED])

    served.watch(SERVED)

    told, labels = report(served), late(served)
    learnt = load_record(served.lake.at(), use_case="parcels", version=told.version).split["train"]
    prior = learnt.positives / learnt.rows
    loss = overall(told, "log_loss")
    assert (told.answered, told.labelled, loss.n) == (60, 60, 60)
    assert loss.prior == pytest.approx(-np.mean(labels * np.log(prior) + (1 - labels) * np.log(1 - prior)))
    assert loss.value is not None
    assert loss.value < loss.prior
    assert loss.verdict == "as promised"
    assert {each.scope for each in told.realised} == {"overall", "depot=AMS", "depot=BER"}
    assert {each.metric: each.realised for each in told.estimated}["log_loss"] == loss.value
    assert f"log loss {loss.value:.3f} against {loss.prior:.3f} of the prior on the same rows" in told.headline


def test_what_became_of_a_day_is_among_its_figures(served: Loop) -> None:
    served.take([SERVED])
    served.watch(SERVED)
    served.watch(SERVED)

    rows = served_metrics(served.lake.at(), use_case="parcels", first=DAY, last=DAY).to_pylist()
    realised = [row for row in rows if (row["metric"], row["scope"]) == ("realised:log_loss", "overall")]
    assert sum(row["n"] for row in realised) == 60
    assert sum(row["value"] for row in realised) / 60 == pytest.approx(overall(report(served), "log_loss").value)


def test_outcomes_that_callers_have_told_count_as_labels(served: Loop) -> None:
    tell_outcomes(served, label=1, answers=20)

    served.watch(SERVED)

    told = report(served)
    assert (told.answered, told.labelled, overall(told, "log_loss").n) == (60, 20, 20)
    assert all(each.realised is None for each in told.estimated)


def test_what_has_landed_goes_before_what_was_told(served: Loop) -> None:
    tell_outcomes(served, label=1, answers=60)
    served.take([SERVED])

    served.watch(SERVED)

    assert report(served).labelled == 60
    assert overall(report(served), "positive_rate").value == pytest.approx(late(served).mean())


def test_nothing_is_called_usual_that_could_not_have_been_unusual(served: Loop) -> None:
    served.take([SERVED])
    served.watch(SERVED)

    cells = report(served).cells
    assert {cell.order for cell in cells} >= {"exact", "predictions", "truth"}
    for cell in cells:
        if cell.verdict == "cannot be judged":
            assert (cell.detectable, bool(cell.why)) == (None, True), cell
        else:
            assert cell.detectable is not None, cell
            assert (cell.low, cell.high) != (None, None), cell


def test_a_check_of_which_nothing_could_be_judged_does_not_pass(served: Loop) -> None:
    patient = replace(served.use_case, monitoring=MonitoringPlan(slices=("depot",), minimum_weeks=9))

    step = Loop(data=served.data, use_case=patient).watch(SERVED)

    answers = check(step, CHECKS["predictions"])
    assert (answers.passed, answers.severity, answers.figures["judged"]) == (False, Severity.WARN, 0)
    assert answers.reasons[0].startswith("insufficient data: none of ")
    asked = check(step, CHECKS["inputs"])
    assert (asked.passed, asked.figures["judged"]) == (False, 0)
    assert asked.reasons[0].startswith("insufficient data: none of ")
    truth = check(step, CHECKS["truth"])
    assert (truth.passed, truth.severity) == (False, Severity.WARN)
    assert truth.reasons == ("insufficient data: no outcome is known yet.",)


def test_a_silent_day_is_judged_by_its_traffic_and_pages(served: Loop) -> None:
    serve_before(served, days=28)

    step = served.watch(SILENT, now=AFTERWARDS + DAY_LONG)

    told = report(served, day=SILENT)
    assert (told.answered, told.versions, told.headline.split(".")[0]) == (0, {}, "Nothing was answered")
    assert told.version == require_champion(served.lake.at(), use_case="parcels").version
    (cause,) = told.causes
    assert (cause.key, cause.urgency) == ("traffic", Urgency.PAGE)
    assert not check(step, CHECKS["exact"]).passed
    for name in (CHECKS["inputs"], CHECKS["predictions"], NAME):
        (reason,) = check(step, name).reasons
        assert reason.startswith("insufficient data")


def test_a_silent_day_of_which_nothing_is_known_yet_is_not_called_usual(served: Loop) -> None:
    step = served.watch(SILENT, now=AFTERWARDS + DAY_LONG)

    (traffic,) = report(served, day=SILENT).cells
    assert (traffic.metric, traffic.figure, traffic.verdict) == ("answered", 0, "cannot be judged")
    (reason,) = check(step, CHECKS["exact"]).reasons
    assert reason.startswith("insufficient data")


def test_of_a_day_that_goes_on_only_full_hours_are_judged(served: Loop) -> None:
    served.watch(SERVED, now=NOW + timedelta(minutes=40))

    told = report(served)
    assert told.until == datetime(2024, 3, 11, 12)
    assert told.answered == 22
    assert {cell.hour for cell in told.cells if cell.metric == "answered"} - {None} <= set(range(12))

    served.watch(SERVED)
    assert report(served).answered == 60


def test_of_an_example_that_was_asked_about_twice_the_last_answer_is_judged(served: Loop) -> None:
    ask_again(served, score=0.125)

    served.watch(SERVED)

    told = report(served)
    (asked_twice,) = [cell for cell in told.cells if (cell.metric, cell.span) == ("doubled", "day")]
    assert (told.answered, told.versions, asked_twice.figure) == (60, {told.version: 60}, 60 / 120)
    assert {each.metric: each.value for each in told.estimated}["positive_rate"] == pytest.approx(0.125)


def test_a_day_on_which_nothing_was_served_says_what_to_do(served: Loop) -> None:
    with pytest.raises(LakeError, match=f"Nothing served for {DAYS[0]} was collected yet: serve, then materialise"):
        served.watch(DAYS[0])

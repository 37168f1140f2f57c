"""Watching a served day: quiet on normal days, loud on strange ones, silent where there is too little to
say.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import brier_score_loss, log_loss

from mlops_assets.contract.errors import EvaluationError
from mlops_assets.contract.monitoring import MonitoringPlan
from mlops_assets.contract.severity import Severity
from mlops_assets.watch.monitoring import (
    Baseline,
    MonitoringReport,
    checks,
    compare,
    learn_baseline,
    losses_of_constant,
    watched_rows,
)

PLAN = MonitoringPlan(slices=("carrier", "origin"))
FIRST = date(2013, 6, 3)
SERVED = date(2013, 7, 1)
CARRIERS = np.array(["UA", "B6", "EV", "DL", "AA", "HA"])
SIZES = np.array([0.3, 0.24, 0.2, 0.15, 0.1, 0.01])


def make_days(
    *,
    seed: int,
    first: date = FIRST,
    days: int = 28,
    rows: int = 900,
    day_spread: float = 0.3,
    shift: float = 0.0,
    shifted: str = "",
) -> pa.Table:
    """Predictions whose log odds rise with the hour and move with the day; ``shifted`` names a carrier, ''
    all.
    """
    draw = np.random.default_rng(seed)
    day = np.repeat(np.arange(days), rows)
    hour = draw.integers(5, 23, days * rows)
    carrier = draw.choice(CARRIERS, days * rows, p=SIZES)
    logit = -2.2 + 0.09 * (hour - 5) + draw.normal(0, day_spread, days)[day]
    logit += shift * ((carrier == shifted) | (shifted == ""))
    moment = np.datetime64(first, "us") + day * np.timedelta64(1, "D") + hour * np.timedelta64(1, "h")
    return pa.table(
        {
            "event_time": pa.array(moment),
            "predicted_positive": draw.uniform(size=days * rows) < 1 / (1 + np.exp(-logit)),
            "carrier": carrier,
            "origin": draw.choice(["EWR", "JFK", "LGA"], days * rows),
        }
    )


def make_baseline(seed: int = 1, **options: object) -> Baseline:
    return learn_baseline(make_days(seed=seed, **options), plan=PLAN, model_version="v1")  # type: ignore[arg-type]


def watch(seed: int, *, baseline: Baseline, day: date = SERVED, **options: object) -> MonitoringReport:
    served = make_days(seed=seed, first=day, days=1, **options)  # type: ignore[arg-type]
    return compare(served, baseline=baseline, plan=PLAN, day=day)


@pytest.mark.parametrize("day_spread", [0.0, 0.5])
def test_normal_days_raise_few_false_alarms(day_spread: float) -> None:
    """p-values below 0.05 come about as often as they should, and hardly an alarm is left after
    correction.
    """
    p_values: list[float] = []
    alarms = 0
    for seed in range(24):
        baseline = make_baseline(seed, day_spread=day_spread)
        report = watch(1000 + seed, baseline=baseline, day=SERVED + timedelta(days=seed % 7), day_spread=day_spread)
        alarms += bool(report.deviations)
        p_values += [cell.p_value for cell in report.cells if cell.p_value is not None]
    assert len(p_values) > 24 * 60
    assert 0.02 < np.mean(np.array(p_values) < 0.05) < 0.065
    assert np.mean(np.array(p_values) < 0.01) < 0.015
    assert alarms <= 1


def test_a_shift_of_everything_is_found_overall() -> None:
    baseline = make_baseline()
    found = [watch(seed, baseline=baseline, shift=1.3) for seed in range(10)]
    assert sum("overall" in {cell.scope for cell in report.deviations} for report in found) >= 9


def test_a_shift_of_one_carrier_is_found_in_its_slice_and_not_in_the_others() -> None:
    baseline = make_baseline()
    for seed in range(10):
        report = watch(seed, baseline=baseline, shift=2.0, shifted="UA")
        scopes = {cell.scope for cell in report.deviations}
        assert "carrier=UA" in scopes
        assert not scopes & {"carrier=B6", "carrier=EV", "carrier=DL", "carrier=AA"}


def test_a_shift_of_one_hour_is_found_at_that_hour() -> None:
    served = make_days(seed=3, first=SERVED, days=1)
    at_nine = np.array([moment.hour == 9 for moment in served["event_time"].to_pylist()])
    positives = np.asarray(served["predicted_positive"]) | at_nine
    served = served.set_column(1, "predicted_positive", pa.array(positives))
    report = compare(served, baseline=make_baseline(), plan=PLAN, day=SERVED)
    assert (report.deviations[0].scope, report.deviations[0].hour) == ("overall", 9)


def test_deviation_is_a_warning_with_its_figures() -> None:
    report = watch(1, baseline=make_baseline(), shift=2.0)
    (check,) = checks(report, positive_word="late")
    assert (check.name, check.passed, check.severity) == ("served_share_is_normal", False, Severity.WARN)
    assert check.batch == "2013-07-01"
    assert check.figures["cells_deviating"] == len(report.deviations) > 0
    assert "of 900 rows predicted late, normal is" in "".join(check.reasons)
    assert len(check.reasons) <= 10


def test_normal_day_passes() -> None:
    (check,) = checks(watch(2, baseline=make_baseline()))
    assert check.passed
    assert check.reasons == ()


def test_too_few_rows_say_insufficient_data_and_the_check_fails_closed() -> None:
    few = make_days(seed=1, first=SERVED, days=1, rows=5)
    report = compare(few, baseline=make_baseline(), plan=PLAN, day=SERVED)
    assert {cell.verdict for cell in report.cells} == {"insufficient data"}
    overall = report.cells[0]
    assert (overall.scope, overall.hour, overall.why) == ("overall", None, "5 rows, needs 10")
    (check,) = checks(report)
    assert not check.passed
    assert check.reasons == ("insufficient data: none of 5 served rows could be judged.",)


def test_no_rows_at_all_fail_closed() -> None:
    report = compare(make_days(seed=1, days=0), baseline=make_baseline(), plan=PLAN, day=SERVED)
    assert (report.rows, report.cells, checks(report)[0].passed) == (0, (), False)


def test_a_slice_or_hour_the_baseline_never_saw_is_not_judged() -> None:
    served = make_days(seed=1, first=SERVED, days=1)
    strange = served.set_column(2, "carrier", pa.array(["ZZ"] * 900))
    report = compare(strange, baseline=make_baseline(), plan=PLAN, day=SERVED)
    cells = [cell for cell in report.cells if cell.scope == "carrier=ZZ"]
    assert {cell.why for cell in cells} == {"the baseline has no rows of this hour of the week"}
    assert {cell.normal for cell in cells} == {None}


def test_a_baseline_of_two_weeks_judges_nothing() -> None:
    report = watch(1, baseline=make_baseline(days=14), shift=3.0)
    assert report.deviations == ()
    assert {cell.verdict for cell in report.cells} == {"insufficient data"}


def test_the_order_of_rows_changes_nothing() -> None:
    rows = make_days(seed=1)
    shuffled = rows.take(np.random.default_rng(0).permutation(rows.num_rows))
    one, other = (learn_baseline(each, plan=PLAN, model_version="v1") for each in (rows, shuffled))
    assert one.to_json() == other.to_json()


def test_baseline_and_report_come_back_from_json_equal() -> None:
    baseline = make_baseline()
    report = replace(watch(1, baseline=baseline, shift=1.0), realised={"rows": 3})
    assert Baseline.from_json(baseline.to_json()) == baseline
    assert MonitoringReport.from_json(report.to_json()) == report
    assert json.loads(report.to_json())["day"] == "2013-07-01"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"scopes": 3}', '{"slices": [], "scopes": {"overall": {}}}'])
def test_what_is_no_baseline_or_report_is_refused(text: str) -> None:
    with pytest.raises(EvaluationError, match="no monitoring baseline"):
        Baseline.from_json(text)
    with pytest.raises(EvaluationError, match="no monitoring report"):
        MonitoringReport.from_json(text)


def test_rows_of_another_day_are_refused() -> None:
    with pytest.raises(EvaluationError, match="given rows of 2013-07-02"):
        compare(make_days(seed=1, first=SERVED, days=2), baseline=make_baseline(), plan=PLAN, day=SERVED)


def test_missing_columns_are_named() -> None:
    with pytest.raises(EvaluationError, match="needs the columns carrier"):
        learn_baseline(make_days(seed=1).drop_columns(["carrier"]), plan=PLAN, model_version="v1")
    with pytest.raises(EvaluationError, match="No held-out predictions"):
        learn_baseline(make_days(seed=1, days=0), plan=PLAN, model_version="v1")


def test_missing_slice_values_are_a_segment_of_their_own() -> None:
    rows = make_days(seed=1, first=SERVED, days=1)
    records = pa.table(
        {
            "event_time": rows["event_time"],
            "predicted_positive": rows["predicted_positive"],
            "inputs": [json.dumps({"carrier": None, "origin": 7}) for _ in range(rows.num_rows)],
        }
    )
    watched = watched_rows(records, plan=PLAN)
    report = compare(watched, baseline=make_baseline(), plan=PLAN, day=SERVED)
    assert {cell.scope for cell in report.cells} == {"overall", "carrier=(missing)", "origin=7"}


def untimed(share: float, *, rows: int = 4000) -> pa.Table:
    positive = np.arange(rows) < share * rows
    return pa.table({"predicted_positive": positive, "sex": np.where(np.arange(rows) % 2, "Female", "Male")})


def answered(share: float, *, rows: int = 400) -> pa.Table:
    return untimed(share, rows=rows).append_column("event_time", pa.array([datetime(2024, 5, 6, 10)] * rows))


UNTIMED = MonitoringPlan(slices=("sex",))


@pytest.mark.parametrize(("share", "verdict"), [(0.25, "normal"), (0.5, "deviates")])
def test_without_a_time_axis_a_day_is_judged_against_all_held_out_rows(share: float, verdict: str) -> None:
    baseline = learn_baseline(untimed(0.25), plan=UNTIMED, model_version="v1")
    assert Baseline.from_json(baseline.to_json()) == baseline

    report = compare(answered(share), baseline=baseline, plan=UNTIMED, day=date(2024, 5, 6))

    assert {(cell.scope, cell.hour, cell.verdict) for cell in report.cells} == {
        ("overall", None, verdict), ("sex=Female", None, verdict), ("sex=Male", None, verdict),
    }  # fmt: skip


def test_without_a_time_axis_too_only_one_day_is_judged_at_a_time() -> None:
    baseline = learn_baseline(untimed(0.25), plan=UNTIMED, model_version="v1")

    with pytest.raises(EvaluationError, match="was given rows of 2024-05-06"):
        compare(answered(0.2), baseline=baseline, plan=UNTIMED, day=date(2024, 5, 7))


def test_the_losses_of_a_constant_are_those_of_the_metrics() -> None:
    labels = np.array([1.0, 0, 0, 1, 0, 0, 0])
    scores = np.full(len(labels), 0.3)

    assert losses_of_constant(labels, score=0.3) == pytest.approx(
        {"log_loss": log_loss(labels, scores), "brier_loss": brier_score_loss(labels, scores)}
    )

"""Rates by group against plain counting, intervals against published values and simulation, and the gates on gaps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.gates import FairnessBound
from mlops_assets.contract.slices import Slice
from mlops_assets.judge.estimate import missing
from mlops_assets.judge.fairness import FairnessReport, difference_bounds, fairness, ratio_bounds
from mlops_assets.judge.families import judged_rows
from mlops_assets.judge.gate_decision import decide
from mlops_assets.judge.intervals import mean_bounds, wilson
from mlops_assets.judge.report import EvaluationReport, SegmentReport

SEX = Slice(name="sex", columns=("sex",))


def make_people(rows: int = 4000, *, seed: int = 0, unfair: float = 0.0) -> tuple[np.ndarray, np.ndarray, pa.Table]:
    """Labels, scores and sex; ``unfair`` lowers the scores of women."""
    draw = np.random.default_rng(seed)
    sex = draw.choice(["Female", "Male"], rows)
    truth = draw.uniform(0.02, 0.98, rows)
    labels = (draw.uniform(size=rows) < truth).astype(float)
    return labels, np.clip(truth - unfair * (sex == "Female"), 0, 1), pa.table({"sex": sex})


def report_on(rows: int = 4000, **options: float) -> FairnessReport:
    labels, scores, columns = make_people(rows, **options)  # type: ignore[arg-type]
    (found,) = fairness(labels, scores, slice_columns=columns, protected=[SEX], threshold=0.5)
    return found


def test_rates_are_those_of_plain_counting() -> None:
    labels, scores, columns = make_people(unfair=0.1)
    weights = np.random.default_rng(1).uniform(1, 3, len(labels))

    (found,) = fairness(labels, scores, slice_columns=columns, protected=[SEX], threshold=0.5, weights=weights)

    for group in ("Female", "Male"):
        mine = np.asarray(columns["sex"]) == group
        y, s, w = labels[mine], scores[mine], weights[mine]
        told = {name: each.value for name, each in found.decided.groups[f"sex={group}"].items()}
        assert told == pytest.approx(
            {
                "selection_rate": np.average(s >= 0.5, weights=w),
                "true_positive_rate": np.average(s[y == 1] >= 0.5, weights=w[y == 1]),
                "false_positive_rate": np.average(s[y == 0] >= 0.5, weights=w[y == 0]),
                "score_bias": np.average(s - y, weights=w),
            }
        )


def test_the_gap_and_the_ratio_name_the_groups_that_differ_most() -> None:
    found = report_on(unfair=0.2)

    disparity, rates = found.decided.disparities["selection_rate"], found.decided.groups
    low, high = (rates[f"sex={group}"]["selection_rate"].value for group in ("Female", "Male"))
    assert (disparity.lowest, disparity.highest) == ("sex=Female", "sex=Male")
    assert low is not None
    assert high is not None
    assert disparity.gap.value == pytest.approx(high - low)
    assert disparity.ratio.value == pytest.approx(low / high)


def test_thresholds_run_from_few_selected_to_nearly_all() -> None:
    shares = [each.selected for each in report_on().over_thresholds]

    assert shares == pytest.approx(np.arange(1, 20) / 20, abs=0.01)


def test_a_difference_has_newcombes_published_interval() -> None:
    """Newcombe, Statistics in Medicine 17 (1998) 873-890, table II: 56/70 - 48/80 by method 10."""
    one, other = ((k / n, *(float(end) for end in wilson(np.array(k / n), count=np.array(n), z=1.959964)))
                  for k, n in ((56.0, 70.0), (48.0, 80.0)))  # fmt: skip

    assert difference_bounds(one, other) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_ratios_of_nothing_are_told_apart() -> None:
    nothing, some = (0.0, 0.0, 0.1), (0.5, 0.4, 0.6)

    assert ratio_bounds(nothing, nothing)[0] == 1.0
    assert ratio_bounds(nothing, some)[:2] == (0.0, 0.0)
    assert ratio_bounds(some, nothing)[0] == np.inf
    assert ratio_bounds(some, some)[1] < 1 < ratio_bounds(some, some)[2]


def test_a_mean_has_the_textbook_interval() -> None:
    labels, scores, columns = make_people(60)
    (judged,) = judged_rows(labels, scores, slice_columns=columns, slices=())
    family = judged.family(judged.members[0])

    mean, bounds = mean_bounds(family, of=family.labels)

    expected = stats.t.interval(0.95, 59, loc=labels.mean(), scale=stats.sem(labels))
    assert (mean[0], bounds.lower[0], bounds.upper[0]) == pytest.approx((labels.mean(), *expected))


@pytest.fixture(scope="module")
def drawn() -> tuple[FairnessReport, list[FairnessReport]]:
    """An unfair world as it is, and what 400 samples of 300 people say of it."""
    return report_on(1_000_000, unfair=0.1), [report_on(300, seed=seed, unfair=0.1) for seed in range(400)]


@pytest.mark.parametrize("rate", ["selection_rate", "true_positive_rate", "false_positive_rate", "score_bias"])
def test_the_interval_of_a_gap_holds_the_truth_as_often_as_it_says(
    drawn: tuple[FairnessReport, list[FairnessReport]], rate: str
) -> None:
    world, samples = drawn
    truth = world.decided.disparities[rate].gap.value
    assert truth is not None
    held = []
    for sample in samples:
        gap = sample.decided.disparities[rate].gap
        assert gap.lower is not None
        assert gap.upper is not None
        held.append(gap.lower <= truth <= gap.upper)

    assert 0.92 <= np.mean(held) <= 0.985  # 95 % and what 400 rounds leave unsure


def test_groups_without_enough_rows_have_no_rate() -> None:
    labels, scores, _ = make_people(100)
    sex = np.where(np.arange(100) < 20, "Female", "Male")

    (found,) = fairness(labels, scores, slice_columns=pa.table({"sex": sex}), protected=[SEX], threshold=0.5)

    assert found.decided.groups["sex=Female"]["selection_rate"].shortfall == "20 rows, needs 50"
    assert found.decided.disparities["selection_rate"].gap.shortfall == "1 groups with enough rows, needs 2"


def make_report(*found: FairnessReport) -> EvaluationReport:
    overall = SegmentReport(slice="overall", segment="overall", rows=1, positives=0, metrics={})
    return EvaluationReport(threshold=0.5, overall=overall, segments=(), fairness=found)


GAP = FairnessBound(slice="sex", rate="true_positive_rate", largest_gap=0.1)


def test_a_fair_model_passes_and_an_unfair_one_is_refused_with_the_groups() -> None:
    assert decide(make_report(report_on()), [GAP]).passed

    decision = decide(make_report(report_on(unfair=0.3)), [GAP])

    (reason,) = decision.reasons
    assert reason.startswith("true_positive_rate by sex, largest gap: 0.")
    assert reason.endswith("needs at most 0.1 between sex=Female and sex=Male")


def test_the_interval_of_the_ratio_is_judged_at_its_lower_end() -> None:
    report = make_report(report_on(400))
    ratio = report.fairness[0].decided.disparities["selection_rate"].ratio
    assert ratio.value is not None
    gate = FairnessBound(slice="sex", rate="selection_rate", smallest_ratio=ratio.value - 0.01)

    assert not decide(report, [gate]).passed
    assert decide(report, [replace(gate, judge="point")]).passed


def test_what_was_not_judged_fails_its_gate() -> None:
    assert decide(make_report(), [GAP]).reasons == ("true_positive_rate: no fairness report on 'sex'",)
    missing = replace(GAP, required=("sex=Unknown",))
    assert decide(make_report(report_on()), [missing]).reasons == ("true_positive_rate[sex=Unknown]: no rows",)
    ratio = FairnessBound(slice="sex", rate="score_bias", smallest_ratio=0.8)
    assert "has no ratio" in decide(make_report(report_on()), [ratio]).reasons[0]


def without(report: FairnessReport, group: str) -> FairnessReport:
    kept = {name: rates for name, rates in report.decided.groups.items() if name != group}
    return replace(report, decided=replace(report.decided, groups=kept))


def test_a_group_that_vanished_since_the_champion_fails_its_gate() -> None:
    before = make_report(report_on())
    now = make_report(without(report_on(), "sex=Female"))

    assert decide(before, [GAP], previous=before).passed
    decision = decide(now, [replace(GAP, few_rows="skip")], previous=before)
    assert decision.reasons == ("true_positive_rate[sex=Female]: no rows, but the champion was judged on it",)
    assert decision.verdicts[0].figures["vanished"] == 1


def test_a_group_on_too_few_rows_fails_its_gate_unless_it_is_expected_to_be_small() -> None:
    found = report_on()
    small = {"true_positive_rate": missing("7 rows, needs 30")}
    groups = {**found.decided.groups, "sex=Unknown": small}
    report = make_report(replace(found, decided=replace(found.decided, groups=groups)))

    assert decide(report, [GAP]).reasons == ("true_positive_rate[sex=Unknown]: 7 rows, needs 30",)
    decision = decide(report, [replace(GAP, few_rows="skip")])
    assert decision.passed
    told = decision.verdicts[0].figures
    assert (told["tested"], told["too_few_rows"], told["vanished"]) == (2, 1, 0)
    assert told["needs"] == "largest gap at most 0.1 at the upper end of the interval"


def test_a_rate_that_is_no_number_fails_its_gate() -> None:
    found = report_on()
    rates = found.decided.groups["sex=Female"]
    broken = {**rates, "true_positive_rate": replace(rates["true_positive_rate"], value=float("nan"))}
    groups = {**found.decided.groups, "sex=Female": broken}
    report = make_report(replace(found, decided=replace(found.decided, groups=groups)))

    decision = decide(report, [replace(GAP, few_rows="skip")])

    assert decision.reasons == ("true_positive_rate[sex=Female]: the figure is missing",)


def test_a_bound_that_bounds_nothing_is_refused() -> None:
    with pytest.raises(DeclarationError, match="needs largest_gap, smallest_ratio or both"):
        FairnessBound(slice="sex", rate="selection_rate")


def test_a_report_survives_its_json() -> None:
    report = make_report(report_on(400))

    assert EvaluationReport.from_json(report.to_json()) == report

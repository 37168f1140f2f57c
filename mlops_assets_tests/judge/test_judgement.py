"""Train, evaluate and decide in one go on small tables, as the assets do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mlops_assets.contract.gates import MetricBound, NotWorseThanChampion, TrainTestGap
from mlops_assets.contract.slices import Slice
from mlops_assets.contract.use_case import UseCase
from mlops_assets.judge.judgement import Candidate, judge
from mlops_assets.training.baselines import CONSTANT, LINEAR, baselines
from mlops_assets.training.fit import fit, split_view
from mlops_assets_tests.training.test_fit import PEOPLE, make_view

JUDGED = replace(
    PEOPLE,
    slices=(Slice(name="job", columns=("job",)),),
    gates=(
        MetricBound(metric="roc_auc_score", at_least=0.5),
        NotWorseThanChampion(metric="log_loss", margin=0.05),
        TrainTestGap(metric="roc_auc_score", at_most=0.2),
    ),
)


def make_people(rows: int = 3000, **columns: Any) -> pa.Table:
    jobs = pa.array(np.where(np.arange(rows) % 3, "clerk", "pilot"))
    return make_view(rows, job=jobs, **columns)


def candidate(view: pa.Table, *, use_case: UseCase = JUDGED, version: str = "v1") -> Candidate:
    return Candidate.of(fit(view, use_case=use_case), version=version)


def test_a_first_model_is_judged_beside_both_baselines() -> None:
    view = make_people()

    judgement = judge(view, use_case=JUDGED, challenger=candidate(view), champion=None)

    assert judgement.decision.reasons == ()
    assert set(judgement.report.baselines) == {CONSTANT, LINEAR}
    assert set(judgement.report.baselines[LINEAR].metrics) == set(judgement.report.overall.metrics)
    assert judgement.report.baselines[CONSTANT].metrics["roc_auc_score"].value == 0.5
    assert judgement.report.training is not None
    assert (judgement.comparison.opponent, judgement.comparison.baseline) == (CONSTANT, True)
    assert {each.segment for each in judgement.report.segments} == {"job=clerk", "job=pilot"}
    assert judgement.predictions.column_names == ["id", "label", "job", "score", "predicted_positive"]


def test_a_challenger_is_judged_beside_its_champion_and_the_baselines() -> None:
    view = make_people()
    champion, challenger = candidate(view), candidate(view, version="v2")

    judgement = judge(view, use_case=JUDGED, challenger=challenger, champion=champion)

    assert (judgement.comparison.opponent, judgement.comparison.baseline) == ("v1", False)
    assert [each.opponent for each in judgement.comparison.baselines] == [CONSTANT, LINEAR]
    assert judgement.decision.passed


def test_rows_with_a_weight_of_zero_are_in_no_figure() -> None:
    view = make_people()
    nothing = make_people(300, population=[0] * 300, label=[1] * 300, age=[25.0] * 300)
    challenger = candidate(view)

    plain, more = (
        judge(each, use_case=JUDGED, challenger=challenger, champion=None)
        for each in (view, pa.concat_tables([view, nothing]))
    )

    assert more.report == plain.report
    assert more.comparison == plain.comparison
    assert more.predictions == plain.predictions


def test_a_model_without_skill_is_refused_beside_the_baselines() -> None:
    view = make_people()
    shuffled = view.set_column(2, "age", pa.array(np.random.default_rng(0).permutation(np.asarray(view["age"]))))

    judgement = judge(view, use_case=JUDGED, challenger=candidate(shuffled), champion=None)

    refused = [reason.split(":")[0] for reason in judgement.decision.reasons]
    assert "log_loss against linear model" in refused
    assert not judgement.decision.passed


def test_baselines_learn_from_training_rows_only() -> None:
    view = make_people()
    split = split_view(view, use_case=PEOPLE)
    flipped = np.asarray(view["label"]).copy()
    flipped[split.test.rows] = 1 - flipped[split.test.rows]

    plain = baselines(view, split=split, use_case=PEOPLE)
    other = baselines(view.set_column(1, "label", pa.array(flipped)), split=split, use_case=PEOPLE)

    for one, two in zip(plain, other, strict=True):
        assert np.array_equal(one.scores, two.scores)
        assert one.threshold == two.threshold
    weights = np.asarray(view["population"])[split.train.rows]
    prior = np.average(np.asarray(view["label"])[split.train.rows], weights=weights)
    assert plain[0].scores[0] == pytest.approx(prior)


def harmed_people(rows: int = 6000) -> pa.Table:
    """The labels of pilots have nothing to do with their age, which only a slice by job shows."""
    view = make_people(rows)
    labels, pilots = np.asarray(view["label"]).copy(), np.asarray(view["job"]) == "pilot"
    labels[pilots] = np.random.default_rng(9).integers(0, 2, pilots.sum())
    clear = np.asarray(view["age"]) > 50
    labels[~pilots] = clear[~pilots]
    return view.set_column(1, "label", pa.array(labels))


def test_weak_segments_are_discovered_and_told_again_for_the_next_version() -> None:
    view = harmed_people()
    first = judge(view, use_case=JUDGED, challenger=candidate(view), champion=None)

    again = judge(view, use_case=JUDGED, challenger=candidate(view, version="v2"), champion=None, previous=first.report)

    assert [str(each.weak) for each in first.report.discovered] == ["job in {pilot}"]
    found = first.report.discovered[0]
    assert found.since == "v1"
    assert found.figures.rows < 1200  # the half of a third of the test rows
    assert found.figures.metrics["log_loss"].value == pytest.approx(found.weak.loss, rel=0.2)
    assert [each.since for each in again.report.discovered] == ["v1"]


def test_a_weak_segment_whose_column_is_gone_is_left_out_and_named() -> None:
    view = harmed_people()
    first = judge(view, use_case=JUDGED, challenger=candidate(view), champion=None)
    jobless, without = replace(JUDGED, slices=()), view.drop_columns(["job"])

    again = judge(
        without,
        use_case=jobless,
        challenger=candidate(without, use_case=jobless, version="v2"),
        champion=None,
        previous=first.report,
    )

    assert again.gone == ("job in {pilot}",)
    assert all("job" not in str(each.weak) for each in again.report.discovered)


def test_a_champion_that_proves_nothing_on_these_rows_fails_what_compares_with_the_reason() -> None:
    view, reason = make_people(), "champion v1 has seen these rows"

    judgement = judge(
        view,
        use_case=JUDGED,
        challenger=candidate(view, version="v2"),
        champion=candidate(view),
        incomparable=reason,
    )

    assert judgement.decision.reasons == (f"log_loss: {reason}",)
    assert (judgement.comparison.opponent, judgement.comparison.baseline) == ("v1", False)
    assert {each.shortfall for each in judgement.comparison.differences} == {reason}
    assert judgement.comparison.baselines[0].differences[0].gain is not None


def test_a_report_with_everything_survives_its_json() -> None:
    view = harmed_people()
    report = judge(view, use_case=replace(JUDGED, protected=("job",)), challenger=candidate(view), champion=None).report

    assert report.fairness
    assert report.discovered
    assert type(report).from_json(report.to_json()) == report

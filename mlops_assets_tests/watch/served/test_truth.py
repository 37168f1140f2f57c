"""Verdicts on outcomes: worse than the prior, worse than promised, as promised, or not to be judged."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from mlops_assets.contract.slices import Slice
from mlops_assets.judge.report import EvaluationReport, evaluate
from mlops_assets.judge.significance import Comparison, compare
from mlops_assets.watch.served.report import Realised
from mlops_assets.watch.served.truth import judge_truth

SLICES = (Slice(name="carrier", columns=("carrier",)),)


def make_rows(seed: int, *, rows: int = 2000) -> tuple[np.ndarray, np.ndarray, pa.Table]:  # type: ignore[type-arg]
    draw = np.random.default_rng(seed)
    scores = draw.beta(1.2, 3, rows)
    labels = (draw.uniform(size=rows) < scores).astype(int)
    return labels, scores, pa.table({"carrier": draw.choice(["AA", "UA"], rows)})


def judged(labels: np.ndarray, scores: np.ndarray, rows: pa.Table) -> tuple[EvaluationReport, Comparison]:  # type: ignore[type-arg]
    report = evaluate(labels, scores, slice_columns=rows, slices=SLICES)
    prior = np.full(len(labels), 1.2 / 4.2)
    against = compare(
        labels, scores, champion=prior, opponent="prior", baseline=True, slice_columns=rows, slices=SLICES
    )
    return report, against


def verdicts(told: tuple[Realised, ...], metric: str) -> dict[str, str]:
    return {each.scope: each.verdict for each in told if each.metric == metric}


PROMISED, _ = judged(*make_rows(0))


def test_answers_as_good_as_ever_are_as_promised() -> None:
    report, against = judged(*make_rows(1))
    told = judge_truth(report, against_prior=against, promised=PROMISED, margins={"log_loss": 0.02})
    assert verdicts(told, "log_loss") == dict.fromkeys(("overall", "carrier=AA", "carrier=UA"), "as promised")
    (overall,) = (each for each in told if (each.metric, each.scope) == ("log_loss", "overall"))
    assert overall.prior is not None
    assert overall.value is not None
    assert overall.value < overall.prior


def test_one_turned_carrier_is_worse_than_the_prior_and_the_other_is_not() -> None:
    labels, scores, rows = make_rows(1)
    turned = np.where(np.asarray(rows["carrier"]) == "UA", 1 - labels, labels)
    report, against = judged(turned, scores, rows)
    told = judge_truth(report, against_prior=against, promised=PROMISED, margins={"log_loss": 0.03})
    assert verdicts(told, "log_loss")["carrier=UA"] == "worse than the prior"
    assert verdicts(told, "log_loss")["carrier=AA"] == "as promised"


def test_a_score_that_lost_half_of_its_order_is_worse_than_promised() -> None:
    labels, scores, rows = make_rows(1)
    draw = np.random.default_rng(2)
    mixed = np.where(draw.uniform(size=len(scores)) < 0.5, draw.permutation(scores), scores)
    report, _ = judged(labels, mixed, rows)
    assert verdicts(judge_truth(report, promised=PROMISED), "roc_auc_score")["overall"] == "worse than promised"
    allowed = judge_truth(report, promised=PROMISED, margins={"roc_auc_score": 0.5})
    assert verdicts(allowed, "roc_auc_score")["overall"] == "as promised"


def test_what_cannot_be_judged_says_why() -> None:
    report, against = judged(*make_rows(1, rows=60))
    told = {each.metric: each for each in judge_truth(report, against_prior=against) if each.scope == "carrier=AA"}
    assert told["roc_auc_score"].verdict == "cannot be judged"
    assert "needs" in told["roc_auc_score"].why
    whole = {each.metric: each for each in judge_truth(judged(*make_rows(1))[0], promised=PROMISED)}
    assert whole["positive_rate"].why == "higher is neither better nor worse"

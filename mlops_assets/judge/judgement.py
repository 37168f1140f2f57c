"""A version judged as a whole: its report, the comparison with its opponents, and what the gates say to both.

One pure call, the same for the asset, for backtests and for tests. The figures come from ``report.py``, paired
tests from ``significance.py``, the rules from ``gates.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from mlops_assets.contract.arrays import Floats
from mlops_assets.contract.gates import SliceBound
from mlops_assets.contract.tasks import Binary, Multiclass, Regression, Task, answers
from mlops_assets.contract.use_case import UseCase
from mlops_assets.judge.discovery import discover
from mlops_assets.judge.fairness import fairness
from mlops_assets.judge.families import SMALLEST
from mlops_assets.judge.gate_decision import GateDecision, decide
from mlops_assets.judge.plausibility import Implausible, implausible
from mlops_assets.judge.rare_classes import class_rows
from mlops_assets.judge.repeated_rows import MOST, Repeated, repeated_rows
from mlops_assets.judge.report import Discovered, EvaluationReport, SegmentReport, evaluate
from mlops_assets.judge.significance import Comparison, Difference, compare
from mlops_assets.training.baselines import Baseline, baselines
from mlops_assets.training.booster import load
from mlops_assets.training.fit import FittedModel, clusters_of, labels_of, split_view, weights_of
from mlops_assets.training.scoring import Scorer
from mlops_assets.training.splitting import Split, places

MOST_TRAINING_ROWS = 50_000
"""How many training rows, evenly spaced, the gap between training and test is measured on."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A version as it is judged: what answers, and from which score on it decides positive."""

    version: str
    scorer: Scorer
    threshold: float

    @classmethod
    def of(cls, fitted: FittedModel, *, version: str, threads: int = 1) -> Candidate:
        """What was learnt just now, before it is a version."""
        scorer = Scorer(
            booster=load(fitted.trained.booster, threads=threads),
            vocabulary=fitted.vocabulary,
            calibration=fitted.calibration,
        )
        return cls(version=version, scorer=scorer, threshold=fitted.threshold)


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What came of it. ``predictions`` are the held-out rows with their scores, which monitoring learns from.

    ``beside`` is what the champion reaches on the same rows, as far as gates look at it; None where there is none to
    compare with. ``gone`` are weak segments of the previous version whose columns there are no more, so that nobody can
    look again.
    """

    report: EvaluationReport
    comparison: Comparison
    beside: EvaluationReport | None
    decision: GateDecision
    predictions: pa.Table
    gone: tuple[str, ...] = ()


def judge(
    view: pa.Table,
    *,
    use_case: UseCase,
    challenger: Candidate,
    champion: Candidate | None,
    previous: EvaluationReport | None = None,
    incomparable: str = "",
) -> Judgement:
    """Judges ``challenger`` on the test part of ``view``, beside ``champion`` (if any) and two baselines.

    ``previous`` is the champion's own report. ``incomparable`` says why the champion's answers on these rows would
    prove nothing, if so: then every difference from it is lacking for this reason, and gates that compare fail.
    """
    split = split_view(view, use_case=use_case)
    test = view.take(split.test.rows)
    scores = challenger.scorer.scores(test)
    known = baselines(view, split=split, use_case=use_case)
    before = previous.discovered if previous else ()
    gone = [each for each in before if not set(each.weak.as_slice.columns) <= {*view.column_names}]
    report = replace(
        _report(test, scores, use_case, threshold=challenger.threshold, slices=use_case.slices),
        baselines={each.name: _overall(test, each, use_case) for each in known},
        training=_on_training(view.take(_spread(split.train.rows)), challenger, use_case),
        discovered=_discovered(test, scores, challenger, use_case, before=[e for e in before if e not in gone]),
        fairness=fairness(
            labels_of(test),
            scores,
            slice_columns=test,
            protected=[declared for declared in use_case.slices if declared.name in use_case.protected],
            threshold=challenger.threshold,
            **_dependence(test, use_case),
        )
        if use_case.protected
        else (),
        repeated=_repeated(view, split, scores, challenger, use_case),
        class_rows=class_rows(labels_of(view), split=split, classes=use_case.task.classes)
        if isinstance(use_case.task, Multiclass)
        else {},
    )
    report = replace(report, implausible=_implausible(report, view, challenger, use_case))
    theirs = champion.scorer.scores(test) if champion and not incomparable else None
    comparison = _compare(
        test, scores, use_case, challenger, champion=champion, theirs=theirs, known=known, incomparable=incomparable
    )
    beside = _beside(test, use_case, champion=champion, theirs=theirs, previous=previous)
    return Judgement(
        report=report,
        comparison=comparison,
        beside=beside,
        decision=decide(report, use_case.gates, comparison=comparison, previous=previous, beside=beside),
        predictions=_predictions(test, scores, use_case, threshold=challenger.threshold),
        gone=tuple(str(each.weak) for each in gone),
    )


def _repeated(view: pa.Table, split: Split, scores: Floats, challenger: Candidate, use_case: UseCase) -> Repeated:
    """How many test rows were learnt from, or watched to stop; where many, with the figures of the others."""
    learnt = np.concatenate([split.train.rows, split.validation.rows])
    features = [feature.name for feature in use_case.features]
    told: Any = {"features": features, "scores": scores, "task": use_case.task}
    found, twins = repeated_rows(view, learnt=learnt, tested=split.test.rows, **told)
    if found.share < MOST or twins.all():
        return found
    others = view.take(split.test.rows[~twins])
    report = _report(others, scores[~twins], use_case, threshold=challenger.threshold, slices=())
    return replace(found, others=report.overall.metrics)


def _implausible(
    report: EvaluationReport, view: pa.Table, challenger: Candidate, use_case: UseCase
) -> Implausible | None:
    gains = challenger.scorer.booster.get_score(importance_type="total_gain")
    return implausible(
        report,
        view,
        labels=labels_of(view),
        features=use_case.features,
        task=use_case.task,
        gains={name: float(gain) for name, gain in gains.items()},  # type: ignore[arg-type]
        bound=use_case.implausible_above,
    )


def _report(test: pa.Table, scores: Floats, use_case: UseCase, *, threshold: float, slices: Any) -> EvaluationReport:
    beside: Any = {"slice_columns": test, "slices": slices, **_dependence(test, use_case)}
    return evaluate(labels_of(test), scores, task=use_case.task, threshold=threshold, **beside)


def _beside(
    test: pa.Table,
    use_case: UseCase,
    *,
    champion: Candidate | None,
    theirs: Floats | None,
    previous: EvaluationReport | None,
) -> EvaluationReport | None:
    """The champion on the same rows, by the slices that bounds are declared on; on training rows as it was promoted."""
    if champion is None or theirs is None:
        return None
    bounded = {gate.slice for gate in use_case.gates if isinstance(gate, SliceBound)}
    slices = [each for each in use_case.slices if each.name in bounded]
    report = _report(test, theirs, use_case, threshold=champion.threshold, slices=slices)
    return replace(report, training=previous.training if previous else None)


def _dependence(rows: pa.Table, use_case: UseCase) -> dict[str, Any]:
    """How much each row counts and which belong together."""
    return {"clusters": clusters_of(rows, use_case=use_case), "weights": weights_of(rows, use_case=use_case)}


def _discovered(
    test: pa.Table, scores: Floats, challenger: Candidate, use_case: UseCase, *, before: Sequence[Discovered]
) -> tuple[Discovered, ...]:
    """Weak segments of this version, and those of the previous one again, on the half that confirms."""
    clusters = clusters_of(test, use_case=use_case)
    searched = _searched_half(test, clusters)
    features = [feature.name for feature in use_case.features]
    sliced = [column for declared in use_case.slices for column in declared.columns]
    weak = discover(
        test,
        losses=_losses(labels_of(test), scores, use_case.task),
        halves=searched,
        columns=tuple(dict.fromkeys([*features, *sliced])),
        **_dependence(test, use_case),
    )
    known = {str(each.weak): (each.weak, each.since) for each in before}
    known |= {str(each): (each, known.get(str(each), (each, challenger.version))[1]) for each in weak}
    rest = test.filter(pa.array(~searched))
    rules = [each.as_slice for each, _ in known.values()]
    report = _report(rest, scores[~searched], use_case, threshold=challenger.threshold, slices=rules)
    figures = {segment.segment: segment for segment in report.segments}
    return tuple(
        Discovered(weak=each, figures=figures[name], since=since)
        for name, (each, since) in known.items()
        if name in figures
    )


def _losses(labels: Floats, scores: Floats, task: Task) -> Floats:
    """What each row loses: log loss, or for numbers the pinball loss or the squared error."""
    if isinstance(task, Regression):
        short = labels - scores
        return (
            np.square(short)
            if task.quantile is None
            else np.maximum(task.quantile * short, (task.quantile - 1) * short)
        )
    if isinstance(task, Binary):
        sure = np.where(labels == 1, scores, 1 - scores)
    else:
        sure = scores[np.arange(len(labels)), labels.astype(np.int64)]
    return np.asarray(-np.log(np.clip(sure, SMALLEST, 1)), dtype=np.float64)


def _searched_half(test: pa.Table, clusters: np.ndarray | None) -> np.ndarray:
    """The half of the test rows to look for weak segments in: every other cluster, or rows by a hash of their id."""
    if clusters is not None:
        return np.asarray(np.unique(clusters, return_inverse=True)[1] % 2 == 0)
    return places(test.column("id"), salt="half") < 0.5


def _overall(test: pa.Table, baseline: Baseline, use_case: UseCase) -> SegmentReport:
    return _report(test, baseline.scores, use_case, threshold=baseline.threshold, slices=()).overall


def _on_training(learnt: pa.Table, challenger: Candidate, use_case: UseCase) -> SegmentReport:
    scores = challenger.scorer.scores(learnt)
    return _report(learnt, scores, use_case, threshold=challenger.threshold, slices=()).overall


def _spread(rows: np.ndarray) -> np.ndarray:
    return rows[:: max(-(-len(rows) // MOST_TRAINING_ROWS), 1)]


def _compare(
    test: pa.Table,
    scores: Floats,
    use_case: UseCase,
    challenger: Candidate,
    *,
    champion: Candidate | None,
    theirs: Floats | None,
    known: tuple[Baseline, Baseline],
    incomparable: str,
) -> Comparison:
    """Beside the champion, whose scores are ``theirs``, or the constant prior where there is none, by slice; beside
    both baselines overall.
    """

    def against(opponent: str, theirs: Floats, threshold: float, *, slices: Any, baseline: bool) -> Comparison:
        return compare(
            labels_of(test),
            scores,
            champion=theirs,
            opponent=opponent,
            slice_columns=test,
            slices=slices,
            task=use_case.task,
            thresholds=(challenger.threshold, threshold),
            baseline=baseline,
            **_dependence(test, use_case),
        )

    beside = tuple(against(each.name, each.scores, each.threshold, slices=(), baseline=True) for each in known)
    prior = known[0]
    if champion is None:
        main = against(prior.name, prior.scores, prior.threshold, slices=use_case.slices, baseline=True)
    elif theirs is None:
        main = against(champion.version, prior.scores, prior.threshold, slices=use_case.slices, baseline=False)
        main = replace(
            main, differences=tuple(_without_figures(each, reason=incomparable) for each in main.differences)
        )
    else:
        main = against(champion.version, theirs, champion.threshold, slices=use_case.slices, baseline=False)
    return replace(main, baselines=beside)


def _without_figures(difference: Difference, *, reason: str) -> Difference:
    nothing: Any = dict.fromkeys(("champion", "challenger", "gain", "lower", "upper", "error"))
    return replace(difference, shortfall=reason, **nothing)


def _predictions(test: pa.Table, scores: Floats, use_case: UseCase, *, threshold: float) -> pa.Table:
    """Every test row with what was answered: for classes the most probable one and its probability."""
    columns = [column for declared in use_case.slices for column in declared.columns]
    kept = dict.fromkeys(("id", "event_time", "label", *columns, *use_case.watched_slices))
    rows = test.select([name for name in kept if name in test.column_names])
    for name, column in answers(scores, task=use_case.task, threshold=threshold).items():
        rows = rows.append_column(name, column)
    return rows

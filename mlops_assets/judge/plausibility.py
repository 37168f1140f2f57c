"""Whether a model's own figure is too good to be believed without a reason: then a person has to say why.

Leaks that each stay below what a single feature may tell add up: two with areas of 0.93 and 0.88 gave a model of 0.991.
So a figure that is surely above a bound holds the version, which is judged and kept all the same. Problems that are
easy in truth are held once, and pass with one sentence (``UseCase.plausible``, or `mlops approve`).

- Two outcomes: the area under the ROC curve, 0.98. Of two normal distributions that is 2.9 standard deviations between
  the outcomes: the best cut is wrong about one row in fourteen of each, which few measurements made beforehand reach.
- Classes: how many of the constant prior's errors are avoided (Goodman & Kruskal 1954), 0.95. Accuracy itself says
  nothing where one class is most of the rows.
- Numbers: R², 0.98.

Surely: the lower end of the 95 % interval is. Where test rows are so few that not even a perfect model could be above,
one without a single error is held if a feature alone is suspicious too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from mlops_assets.contract.arrays import Floats
from mlops_assets.contract.checks import CheckResult, Figure
from mlops_assets.contract.features import Feature
from mlops_assets.contract.severity import Severity
from mlops_assets.contract.tasks import Binary, Multiclass, Task
from mlops_assets.judge.intervals import CONFIDENCE, quantile, wilson
from mlops_assets.judge.single_features import MEASURES, WORTH_A_LOOK, Looks, look_at

if TYPE_CHECKING:
    from mlops_assets.judge.report import EvaluationReport

BELIEVABLE = "figures_are_believable"
AREA_BOUND, AVOIDED_BOUND, EXPLAINED_BOUND = 0.98, 0.95, 0.98
NAMED = 3
"""How many features are named beside those that are suspicious."""
PERFECT = 1 - 1e-9


@dataclass(frozen=True, kw_only=True)
class OwnFigure:
    """The figure of a model that is held against ``bound``.

    ``lacking`` says why there is none, or that not even a perfect model could be above the bound.
    """

    what: str
    bound: float
    value: float | None = None
    lower: float | None = None
    lacking: str | None = None


@dataclass(frozen=True, kw_only=True)
class Implausible:
    """What is too good to be true of a model, and the features that most of it comes from, in words."""

    what: str
    value: float
    lower: float
    bound: float
    strongest: tuple[str, ...]

    def told(self) -> str:
        """As a sentence."""
        figure = f"{self.what} is {self.value:.4f} (at least {self.lower:.4f}, up to {self.bound:g} is believed)"
        return f"Too good to be true: {figure}. Most of it comes from {'; '.join(self.strongest)}."


def own_figure(report: EvaluationReport, *, task: Task, bound: float | None = None) -> OwnFigure:
    """The figure that says how good the model is, beside its ``bound``, by default that of the task."""
    if isinstance(task, Multiclass):
        return _avoided(report, bound=bound or AVOIDED_BOUND)
    metric, what, usual = ("roc_auc_score", "ROC AUC", AREA_BOUND) if isinstance(task, Binary) else (
        "r2_score", "R²", EXPLAINED_BOUND
    )  # fmt: skip
    bound, found = bound or usual, report.overall.metrics.get(metric)
    if found is None or found.value is None or found.lower is None:
        lacking = found.shortfall if found else None
        return OwnFigure(what=what, bound=bound, lacking=lacking or "there is no such figure")
    rarer = min(report.overall.positives, report.overall.rows - report.overall.positives)
    best = ((1 - CONFIDENCE) / 2) ** (1 / max(rarer, 1)) if isinstance(task, Binary) else 1.0
    return OwnFigure(
        what=what, bound=bound, value=found.value, lower=found.lower, lacking=_too_few(report, best=best, bound=bound)
    )


def _avoided(report: EvaluationReport, *, bound: float) -> OwnFigure:
    """Of the errors of the constant prior, whose accuracy counts as known."""
    what, accuracy = "the share of the constant prior's errors that is avoided", report.overall.metrics.get(
        "accuracy_score"
    )  # fmt: skip
    prior = next((each.metrics.get("accuracy_score") for each in report.baselines.values()), None)
    if accuracy is None or accuracy.value is None or accuracy.lower is None or prior is None or prior.value is None:
        lacking = accuracy.shortfall if accuracy else None
        return OwnFigure(what=what, bound=bound, lacking=lacking or "there is no such figure")
    wrong = 1 - prior.value
    if wrong <= 0:
        return OwnFigure(what=what, bound=bound, lacking="the constant prior makes no error")
    z, all_hit = float(quantile(np.array([np.inf]))[0]), np.ones(1)
    best = float(wilson(all_hit, count=np.array([float(report.overall.rows)]), z=z)[0][0])
    value, lower, most = (1 - (1 - each) / wrong for each in (accuracy.value, accuracy.lower, best))
    return OwnFigure(what=what, bound=bound, value=value, lower=lower, lacking=_too_few(report, best=most, bound=bound))


def _too_few(report: EvaluationReport, *, best: float, bound: float) -> str | None:
    rows = f"{report.overall.rows} test rows are too few"
    return None if best > bound else f"{rows}: a perfect model would be {best:.4f} at the lower end"


def implausible(
    report: EvaluationReport,
    view: pa.Table,
    *,
    labels: Floats,
    features: Sequence[Feature],
    task: Task,
    gains: Mapping[str, float],
    bound: float | None = None,
) -> Implausible | None:
    """What is too good to be true, ``None`` if nothing is. ``view`` are all rows with their ``labels``, ``gains`` says
    how much each feature gained the model.
    """
    found = own_figure(report, task=task, bound=bound)
    if found.value is None or found.lower is None or found.value <= found.bound:
        return None
    surely = found.lower > found.bound and found.lacking is None
    if not surely and not (found.lacking and found.value >= PERFECT):
        return None
    looks = look_at(view, labels=labels, features=features, task=task)
    if not surely and looks.features[0][0].lower <= WORTH_A_LOOK:
        return None
    return Implausible(
        what=found.what,
        value=found.value,
        lower=found.lower,
        bound=found.bound,
        strongest=_strongest(looks, gains=gains, measure=MEASURES.get(type(task), "ROC AUC")),
    )


def _strongest(looks: Looks, *, gains: Mapping[str, float], measure: str) -> tuple[str, ...]:
    """What gained the model most, and every feature that alone is suspicious."""
    total, known = sum(gains.values()) or 1.0, {each[0].feature: each[0] for each in looks.features}
    most = sorted(gains, key=lambda name: -gains[name])[:NAMED]
    names = dict.fromkeys([*most, *(name for name, each in known.items() if each.lower > WORTH_A_LOOK)])
    alone = {name: f", alone a {measure} of {known[name].figure:.4f}" if name in known else "" for name in names}
    return tuple(f"'{name}' ({gains.get(name, 0.0) / total:.0%} of the gain{alone[name]})" for name in names)


def believable(report: EvaluationReport, *, task: Task, bound: float | None = None, why: str = "") -> CheckResult:
    """``BELIEVABLE``, as a check that warns: the figure is not implausibly good, or ``why`` it is right was said."""
    found, suspicion = own_figure(report, task=task, bound=bound), report.implausible
    figures: dict[str, Figure] = {"figure": found.what, "bound": found.bound}
    figures |= {name: each for name, each in (("value", found.value), ("lower", found.lower)) if each is not None}
    figures |= {"insufficient_data": found.lacking} if found.lacking else {}
    figures |= {"explained": why} if why and suspicion else {}
    held = suspicion is not None and not why
    return CheckResult(
        name=BELIEVABLE,
        passed=not held,
        severity=Severity.WARN,
        figures=figures,
        reasons=(suspicion.told(),) if held and suspicion else (),
    )

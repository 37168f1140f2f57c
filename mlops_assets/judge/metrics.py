"""The register of metrics: one entry each, from which report, paired tests, gates, card and UI follow.

Names carry direction: a ``…_score`` is better when higher, a ``…_loss`` or ``…_error`` when lower, anything else is
neither. How figures are computed is in ``figures.py``. A package adds a metric of its own by an entry point of the
group ``mlops_assets.metrics`` that has the metric's name and is a ``Metric``; it is loaded when metrics are asked for,
and one that fails is lacking in reports with the reason, so that only gates on it fail.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.metadata import EntryPoint

import numpy as np

from mlops_assets.contract.arrays import Floats as Floats
from mlops_assets.contract.arrays import Ints as Ints
from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.plugins import entry_points_of
from mlops_assets.contract.tasks import Binary, Multiclass, Regression, Task
from mlops_assets.judge.families import Grouped
from mlops_assets.judge.figures import (
    Figure,
    area,
    calibration_error,
    explained,
    f1,
    in_the_large,
    macro,
    mean,
    pinball,
    precision_over_recall,
    root_mean_square,
    share,
    slope,
)

GROUP = "mlops_assets.metrics"
FAILURES = (Exception, SystemExit)  # code of others may also end the process, which is no Exception


def higher_is_better(metric: str) -> bool | None:
    """The direction a metric's name carries, with or without its class; ``None`` for a rate, which has none."""
    name = metric.split("[")[0]
    if name.endswith("_score"):
        return True
    return False if name.endswith(("_loss", "_error")) else None


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric of a ``task`` (``None``: of every task): its ``figure`` of a family of segments, see ``figures.py``.

    One of two outcomes that is told ``by_class`` is told of each class against the rest too, and of their mean. With an
    ``ideal``, two models are compared by how far they are from it; a ``point`` has no interval and is not compared.
    """

    name: str
    figure: Callable[[Grouped], Figure]
    task: type[Task] | None = Binary
    by_class: bool = False
    ideal: float | None = None
    point: bool = False

    @property
    def compared(self) -> bool:
        """Whether one model can be better in it than another, beyond chance."""
        return not self.point and (self.ideal is not None or higher_is_better(self.name) is not None)


BUILT_IN = (
    Metric(name="roc_auc_score", figure=area, by_class=True),
    Metric(name="average_precision_score", figure=precision_over_recall),
    Metric(name="log_loss", figure=lambda rows: mean(rows, of=rows.losses[0], scale="log")),
    Metric(name="brier_loss", figure=lambda rows: mean(rows, of=rows.losses[1], scale="log")),
    Metric(name="expected_calibration_error", figure=calibration_error, point=True),
    Metric(name="calibration_in_the_large", figure=in_the_large, ideal=0.0),
    Metric(name="calibration_slope", figure=slope, ideal=1.0),
    Metric(name="positive_rate", figure=lambda rows: share(rows, hit=rows.labels)),
    Metric(name="predicted_positive_rate", figure=lambda rows: share(rows, hit=rows.decided)),
    Metric(
        name="precision_score",
        figure=lambda rows: share(rows, hit=rows.labels, among=rows.decided, called="predicted positives"),
        by_class=True,
    ),
    Metric(
        name="recall_score",
        figure=lambda rows: share(rows, hit=rows.decided, among=rows.labels, called="positives"),
        by_class=True,
    ),
    Metric(name="f1_score", figure=f1, by_class=True),
    Metric(name="log_loss", figure=lambda rows: mean(rows, of=rows.losses[0], scale="log"), task=Multiclass),
    Metric(name="brier_loss", figure=lambda rows: mean(rows, of=rows.losses[1], scale="log"), task=Multiclass),
    Metric(name="accuracy_score", figure=lambda rows: share(rows, hit=rows.decided == rows.labels), task=Multiclass),
    Metric(name="root_mean_squared_error", figure=root_mean_square, task=Regression),
    Metric(
        name="mean_absolute_error",
        figure=lambda rows: mean(rows, of=np.abs(rows.scores - rows.labels), scale="log"),
        task=Regression,
    ),
    Metric(name="bias", figure=lambda rows: mean(rows, of=rows.scores - rows.labels), task=Regression, ideal=0.0),
    Metric(name="r2_score", figure=explained, task=Regression),
    Metric(name="pinball_loss", figure=pinball, task=Regression),
)


def metrics_of(task: Task) -> tuple[Metric, ...]:
    """Every metric of the task, those of other packages included; of classes, one for each class and their mean."""
    every = (*BUILT_IN, *_external(tuple(sys.path)))
    found = [each for each in every if each.task in (None, type(task))]
    if isinstance(task, Multiclass):
        for each in every:
            if each.by_class:
                found += _by_class(each, task=task)
    return tuple(found)


def metric_named(name: str, *, task: Task) -> Metric:
    """Raises DeclarationError listing the metrics there are, or saying why that of another package was not loaded."""
    known = {each.name: each for each in metrics_of(task)}
    found = known.get(name)
    if found is None:
        raise DeclarationError(f"Unknown metric '{name}'. Metrics of this task: {', '.join(known)}.")
    if isinstance(found, _NotLoaded):
        raise DeclarationError(f"Metric '{name}' cannot be had: {found.why}.")
    return found


def _by_class(metric: Metric, *, task: Multiclass) -> list[Metric]:
    def of_one(family: Grouped, *, place: int) -> Figure:
        return metric.figure(family.classes[place])

    def of_all(family: Grouped) -> Figure:
        return macro([metric.figure(each) for each in family.classes], classes=task.classes)

    single = (
        replace(metric, name=f"{metric.name}[{word}]", figure=partial(of_one, place=place))
        for place, word in enumerate(task.classes)
    )
    return [replace(metric, name=f"macro_{metric.name}", figure=of_all), *single]


@dataclass(frozen=True, kw_only=True)
class _NotLoaded(Metric):
    """A metric that another package promises, and ``why`` it is not to be had."""

    why: str


@cache
def _external(_path: tuple[str, ...]) -> tuple[Metric, ...]:
    """The metrics of all distributions on the path of this moment; a name that is taken is warned of, and left out."""
    found = {each.name: each for each in BUILT_IN}
    built_in = set(found)
    for entry in sorted(entry_points_of(GROUP), key=lambda each: (_source(each), each.value)):
        if entry.name in found:
            warnings.warn(f"{_source(entry)} is left out: there is a metric of that name.", stacklevel=2)
        else:
            found[entry.name] = _loaded(entry)
    return tuple(each for name, each in found.items() if name not in built_in)


def _loaded(entry: EntryPoint) -> Metric:
    source = _source(entry)
    try:
        metric = entry.load()
        if not isinstance(metric, Metric) or metric.name != entry.name:
            raise TypeError(f"{entry.value} is no Metric of the name '{entry.name}'")
    except FAILURES as error:
        why = f"{source} does not load: {type(error).__name__}: {error}"
        return _NotLoaded(name=entry.name, task=None, figure=partial(_without, why=why), why=why)
    return replace(metric, figure=partial(_guarded, figure=metric.figure, source=source))


def _source(entry: EntryPoint) -> str:
    of = f" of {entry.dist.name} {entry.dist.version}" if entry.dist else ""
    return f"entry point '{entry.name}'{of}"


def _guarded(family: Grouped, *, figure: Callable[[Grouped], Figure], source: str) -> Figure:
    """The figure of another package; if it fails, nothing but itself is lacking."""
    try:
        found = figure(family)
        if np.shape(found.value) != (family.segments,) or len(found.lacking) != family.segments:
            raise TypeError(f"a Figure of {family.segments} segments is needed")
    except FAILURES as error:
        return _without(family, why=f"{source} fails: {type(error).__name__}: {error}")
    return found


def _without(family: Grouped, *, why: str) -> Figure:
    return Figure(value=np.full(family.segments, np.nan), lacking=[why] * family.segments)

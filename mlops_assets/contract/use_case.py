"""The contract of a use case: everything the platform must be told about one prediction problem, as data.

Each part is declared with a type of its own (a ``Source`` in ``source.py``, a ``Gate`` in ``gates.py``); this module
only puts them together and refuses a declaration that does not hang together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, get_args

from mlops_assets.contract.checked import (
    refuse_cadences,
    refuse_gated,
    refuse_hidden,
    refuse_history,
    refuse_references,
    refuse_retrained,
    refuse_watched,
    request_fields,
)
from mlops_assets.contract.declared_numbers import BETWEEN_ZERO_AND_ONE, ONE_OR_MORE, refuse_numbers
from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.monitoring import MonitoringPlan
from mlops_assets.contract.periods import Period
from mlops_assets.contract.serving import EventTimes, ServiceBudget
from mlops_assets.contract.slices import Slice
from mlops_assets.contract.tasks import BINARY, Binary, Task

if TYPE_CHECKING:
    from pydantic import BaseModel

    from mlops_assets.contract.features import AsOfView, Feature, Relation
    from mlops_assets.contract.gates import Gate
    from mlops_assets.contract.history import HistoryView
    from mlops_assets.contract.learning import Learning
    from mlops_assets.contract.retraining import Retrain
    from mlops_assets.contract.search_space import Tuning
    from mlops_assets.contract.slices import AnySlice
    from mlops_assets.contract.source import Source
    from mlops_assets.contract.splits import HashSplit, RollingOrigin, TimeSplit
    from mlops_assets.contract.thresholds import ThresholdRule

Logged: TypeAlias = Literal["hashed", "left_out"]
"""What the prediction log holds instead of a column: its keyed hash, or nothing."""
HASHED, LEFT_OUT = get_args(Logged)
NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


@dataclass(frozen=True, kw_only=True)
class _PeriodicBatches:
    """Batches are periods of time from that of ``first`` to that of ``last``, both included."""

    period: ClassVar[Period]
    has_event_times: ClassVar[bool] = True
    first: date | None = None
    last: date | None = None

    def why_not_taken(self, batch: str, *, today: date | None = None) -> str | None:
        """Why there is no such batch, or not yet on ``today`` (UTC); ``None`` if there is."""
        if self.first is not None and batch < self.period.name_of(self.first):
            return f"it is before the first {self.period}, {self.period.name_of(self.first)}"
        if self.last is not None and batch > self.period.name_of(self.last):
            return f"it is after the last {self.period}, {self.period.name_of(self.last)}"
        return self._too_early(batch, today=today)

    def _too_early(self, batch: str, *, today: date | None) -> str | None:
        """A period that has begun can be taken; what comes later in it makes it another content."""
        begins_later = today is not None and self.period.first_day(batch) > today
        return f"its {self.period} has not begun yet (UTC)" if begins_later else None


@dataclass(frozen=True, kw_only=True)
class DailyBatches(_PeriodicBatches):
    """Batches are days, such as ``2013-01-31``, taken when they are over (UTC).

    From ``first`` to ``last``, both included; ``last=None`` goes on to today. Without ``first`` the days are those that
    land, and a run goes over any of them; with it they are a calendar, and a run goes over days without a gap.
    """

    period = Period.DAY

    def _too_early(self, batch: str, *, today: date | None) -> str | None:
        early = today is not None and date.fromisoformat(batch) >= today
        return "its day is not over yet (UTC)" if early else None


@dataclass(frozen=True, kw_only=True)
class WeeklyBatches(_PeriodicBatches):
    """Batches are weeks from Monday on, such as ``2013-W05`` (ISO 8601)."""

    period = Period.WEEK


@dataclass(frozen=True, kw_only=True)
class MonthlyBatches(_PeriodicBatches):
    """Batches are months, such as ``2013-01``."""

    period = Period.MONTH


@dataclass(frozen=True, kw_only=True)
class NamedBatches:
    """Batches are drops with names of their own; a new name is a new partition.

    With ``has_event_times`` the rows have moments of their own, whichever drop they come in: they can be split by time,
    and have a past.
    """

    period: ClassVar[None] = None
    has_event_times: bool = False

    def why_not_taken(self, batch: str, *, today: date | None = None) -> str | None:
        """Every drop can be taken."""
        return None


Batches: TypeAlias = DailyBatches | WeeklyBatches | MonthlyBatches | NamedBatches


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a model of this use case is trained: XGBoost's own parameter names, rounds and seed."""

    hyperparameters: Mapping[str, float | int | str]
    rounds: int
    early_stopping_rounds: int
    seed: int = 0
    threads: int = 2

    def __post_init__(self) -> None:
        refuse_numbers(self, rounds=ONE_OR_MORE, threads=ONE_OR_MORE)


@dataclass(frozen=True, kw_only=True)
class LandedSeed:
    """How many files were written, and how many were there already with the same content."""

    written: int
    unchanged: int

    def __str__(self) -> str:
        return f"{self.written:,} files written, {self.unchanged:,} were there already"


@dataclass(frozen=True, kw_only=True)
class SeedData:
    """The committed data that a demo plays back, as the outside world would send it.

    ``land(zone, *, first, last, sources)`` lands the batches from ``first`` to ``last`` of the named sources (all of
    them for ``None``) below ``zone``. ``requests(batch)`` are the requests of one batch in the order of their events,
    each as the service takes it. A demo trains on ``first`` to ``last`` and then serves ``served``; before serving,
    the sources of ``ahead`` land for that batch, because they arrive ahead of the outcomes.
    """

    land: Callable[..., LandedSeed]
    requests: Callable[[str], Sequence[Mapping[str, Any]]]
    first: str
    last: str
    served: str
    ahead: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class UseCase:
    """One prediction problem.

    ``examples_sql`` turns validated sources into labelled examples (id, event_time, outcome_known_at, request columns,
    label, slice columns); ``features_sql`` turns examples with history and as-of columns into the model's matrix. A use
    case whose batches have names has no time axis unless they say so (``NamedBatches(has_event_times=True)``): its
    examples have no event_time and no outcome_known_at.
    ``clusters="day"`` says that the rows of one day depend on each other, so that days and not rows are what intervals
    and paired tests count; any other text is the column of the entity whose rows do. ``weight`` is the column that says
    how many of the population a row stands for, in training and in every figure. ``task`` is what the model is asked
    for, one of two outcomes unless declared otherwise. ``protected`` names slices whose groups must be treated alike:
    they get a fairness report. ``monitoring`` is what of the service's answers is watched, and how strictly.
    ``calibrated`` says that scores are mapped to probabilities by what validation rows
    choose: nothing, a sigmoid or an isotonic map. ``backtest`` says over which past windows the asset of that name
    tries the recipe; ``tuning`` which of its hyperparameters the asset ``hyperparameters`` searches; ``retrain`` when a
    challenger is trained without anybody asking, never if None. ``relations`` are named steps of SQL that several views
    read. ``learning`` is what is learnt from the training rows besides the model,
    and the features made of it. ``request`` is what a caller of the service must send for one row, ``event_times``
    how far from the day that the service knows its moment may be; ``positive_word`` says what a positive prediction
    means. A feature whose own area under the ROC curve is surely above ``suspicious_roc_auc`` is taken for leakage.
    ``seed`` plays the outside world with the committed seed data.
    ``logged`` names the columns of a request that the prediction log must not hold as they are, such as
    ``{"tailnum": "hashed", "person": "left_out"}``. Where features or history are computed from one of them, served
    answers cannot be computed once more from the log: ``parity=False`` says that this is known.
    ``committed`` refuses to publish a model whose code git does not tell the commit of, or that was changed since.
    ``budget`` is what its service may cost: a Bento that is over it becomes no champion.
    """

    name: str
    title: str
    description: str
    owner: str
    batches: Batches
    sources: tuple[Source, ...]
    examples_sql: Path
    features_sql: Path
    features: tuple[Feature, ...]
    request: type[BaseModel]
    split: TimeSplit | HashSplit
    recipe: Recipe
    slices: tuple[AnySlice, ...]
    gates: tuple[Gate, ...]
    threshold: ThresholdRule
    seed: SeedData
    monitoring: MonitoringPlan = field(default_factory=MonitoringPlan)
    relations: tuple[Relation, ...] = ()
    history: tuple[HistoryView, ...] = ()
    asof: tuple[AsOfView, ...] = ()
    learning: Learning | None = None
    clusters: str | None = None
    weight: str | None = None
    task: Task = BINARY
    protected: tuple[str, ...] = ()
    calibrated: bool = False
    backtest: RollingOrigin | None = None
    tuning: Tuning | None = None
    retrain: Retrain | None = None
    event_times: EventTimes = field(default_factory=EventTimes)
    positive_word: str = "positive"
    suspicious_roc_auc: float = 0.95
    logged: Mapping[str, Logged] = field(default_factory=dict)
    parity: bool = True
    committed: bool = False
    budget: ServiceBudget = field(default_factory=ServiceBudget)
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not NAME.match(self.name):
            raise DeclarationError(
                f"Use case name '{self.name}' must be lower-case letters, digits and underscores, a letter first."
            )
        refuse_numbers(self, suspicious_roc_auc=BETWEEN_ZERO_AND_ONE)
        unknown = sorted(set(self.protected) - {declared.name for declared in self.slices})
        if unknown:
            known = ", ".join(declared.name for declared in self.slices)
            raise DeclarationError(f"Use case '{self.name}' protects {', '.join(unknown)}, no slices. Slices: {known}.")
        if self.backtest and not self.batches.has_event_times:
            raise DeclarationError(f"Use case '{self.name}' has no time axis to roll a backtest over.")
        if self.tuning:
            self.tuning.refuse_outside(self.recipe.hyperparameters)
        if not isinstance(self.task, Binary) and (self.calibrated or self.protected):
            raise DeclarationError(f"Use case '{self.name}': only a task of two outcomes is calibrated and fair.")
        for what, names in (
            ("sources", [source.name for source in self.sources]),
            ("features", [each.name for each in (*self.features, *(self.learning.features if self.learning else ()))]),
            ("history views", [view.name for view in self.history]),
            ("slices", [declared.name for declared in self.slices]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise DeclarationError(f"Use case '{self.name}' declares {what} twice: {', '.join(twice)}.")
        names = [declared.name for declared in self.slices]
        refuse_gated(self.gates, slices=names, protected=self.protected, use_case=self.name)
        refuse_cadences(self.sources, period=self.batches.period, use_case=self.name)
        refuse_references(self.sources, use_case=self.name)
        refuse_retrained(self.retrain, split=self.split, task=self.task, use_case=self.name)
        refuse_history(self.history, use_case=self.name)
        refuse_watched(self.monitoring, request=self.request, use_case=self.name)
        refuse_hidden(
            self.logged, words=get_args(Logged), plan=self.monitoring, request=self.request, use_case=self.name
        )

    @property
    def watched_slices(self) -> tuple[str, ...]:
        """The request columns whose values are watched by themselves: as the plan says, else of the declared slices of
        one column those that a request has and the log holds as they are.
        """
        columns = [each.columns[0] for each in self.slices if isinstance(each, Slice) and len(each.columns) == 1]
        shown = set(request_fields(self.request)).difference(self.logged)
        return self.monitoring.slices or tuple(dict.fromkeys(name for name in columns if name in shown))

    @property
    def columns_beside(self) -> tuple[str, ...]:
        """What of an example is kept beside its features, each once: what slices, split, weight and clusters read."""
        sliced = [column for declared in self.slices for column in declared.columns]
        named = (getattr(self.split, "key", None), self.weight, None if self.clusters == "day" else self.clusters)
        return tuple(dict.fromkeys([*sliced, *(name for name in named if name and name != "id")]))

    @property
    def arriving(self) -> tuple[Source, ...]:
        """The sources that arrive batch by batch."""
        return tuple(source for source in self.sources if source.arrives)

    @property
    def static(self) -> tuple[Source, ...]:
        """The sources that are replaced as a whole."""
        return tuple(source for source in self.sources if not source.arrives)

    def source(self, name: str) -> Source:
        """The source of that name; an unknown one is a ``DeclarationError`` that lists the valid ones."""
        for source in self.sources:
            if source.name == name:
                return source
        known = ", ".join(source.name for source in self.sources)
        raise DeclarationError(f"Unknown source '{name}'. Sources of {self.name}: {known}.")

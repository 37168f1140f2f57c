"""The contract of a use case: everything the platform must be told about one prediction problem, as data.

Each part is declared with a type of its own (a ``Source`` in ``source.py``, a ``Gate`` in ``gates.py``); this module
only puts them together and refuses a declaration that does not hang together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, get_args

from mlops_assets.contract.by_default import ByDefault, declared, is_declared
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
from mlops_assets.contract.defaults import (
    NOTHING_COMPUTED,
    OWNER,
    description_of,
    event_times_of,
    features_of,
    gates_of,
    key_of,
    named_features,
    positive_word_of,
    refuse_unknown_columns,
    slices_of,
    split_of,
    title_of,
)
from mlops_assets.contract.derived_request import request_of
from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.examples import examples_of
from mlops_assets.contract.monitoring import MonitoringPlan
from mlops_assets.contract.periods import Period
from mlops_assets.contract.serving import EventTimes, ServiceBudget
from mlops_assets.contract.slices import Slice
from mlops_assets.contract.source import CADENCES, Source
from mlops_assets.contract.splits import AnySplit
from mlops_assets.contract.sql import Sql
from mlops_assets.contract.tasks import BINARY, Binary, Task
from mlops_assets.contract.thresholds import PositiveShare

if TYPE_CHECKING:
    from pydantic import BaseModel

    from mlops_assets.contract.features import AsOfView, Feature, Relation
    from mlops_assets.contract.gates import Gate
    from mlops_assets.contract.history import HistoryView
    from mlops_assets.contract.learning import Learning
    from mlops_assets.contract.retraining import Retrain
    from mlops_assets.contract.search_space import Tuning
    from mlops_assets.contract.slices import AnySlice
    from mlops_assets.contract.splits import RollingOrigin
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
    ``within_the_day`` takes files of the running day as well, and again whenever they have grown.
    """

    period = Period.DAY
    within_the_day: bool = False

    def _too_early(self, batch: str, *, today: date | None) -> str | None:
        if self.within_the_day:
            return super()._too_early(batch, today=today)
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


RECIPE = Recipe(
    hyperparameters={"eta": 0.1, "max_depth": 4, "subsample": 0.8, "colsample_bytree": 0.8},
    rounds=300,
    early_stopping_rounds=20,
)
"""Small trees and many rounds, stopped early: sensible from hundreds of rows to millions."""


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


@dataclass(frozen=True, kw_only=True, repr=False)
class UseCase:
    """One prediction problem. A ``name``, ``sources`` and a ``label`` make one; everything else has a default by task
    and data (``defaults.py``), worked out when it is first asked for.

    ``label`` is the column that is to be predicted, of one of the sources: each of its rows is an example. ``positive``
    is the value of it that counts as 1; without it a binary label is 0 or 1, or true or false. ``key`` are the columns
    that name a row: by default the schema's unique key, else batch and place in the file do. ``time`` is the column
    that says when it happened (``event_time``), ``weight`` how many of the population a row stands for, in training and
    in every figure (0 counts for nothing). ``left_out`` are columns that nobody is asked for: what is known too late,
    identifiers. ``features`` are declared, or named where a column of a source is one as it stands; by default they are
    every number and text that is none of these. ``features_sql`` computes further ones; ``examples_sql`` says what the
    examples are (id, event_time, outcome_known_at, request columns, label, slice columns) where they are more than the
    rows of one source. ``request`` is what a caller of the service must send for one row, ``event_times`` how far from
    the day that the service knows its moment may be; ``positive_word`` says what a positive prediction means.

    A use case whose batches have names has a time axis only if it says ``time``, or that its drops have event times
    (``NamedBatches(has_event_times=True)``).
    ``clusters="day"`` says that the rows of one day depend on each other, so that days and not rows are what intervals
    and paired tests count; any other text is the column of the entity whose rows do. ``task`` is what the model is
    asked for, one of two outcomes unless declared otherwise. ``protected`` names slices whose groups must be treated
    alike: they get a fairness report. ``monitoring`` is what of the service's answers is watched, and how strictly.
    ``calibrated`` says that scores are mapped to probabilities by what validation rows
    choose: nothing, a sigmoid or an isotonic map. ``backtest`` says over which past windows the asset of that name
    tries the recipe; ``tuning`` which of its hyperparameters the asset ``hyperparameters`` searches; ``retrain`` when a
    challenger is trained without anybody asking, never if None. ``relations`` are named steps of SQL that several views
    read. ``learning`` is what is learnt from the training rows besides the model,
    and the features made of it. A feature whose own area under the ROC curve is surely above ``suspicious_roc_auc`` is
    taken for leakage. A model whose own figure (ROC AUC; of classes the share of the constant prior's errors that it
    avoids; of numbers R²) is surely above ``implausible_above``, by default what the task finds believable, is held
    until somebody says why it is right: ``plausible`` is that sentence, for all models of this use case.
    ``seed`` plays the outside world with committed seed data; without it there is nothing to play.
    ``logged`` names the columns of a request that the prediction log must not hold as they are, such as
    ``{"tailnum": "hashed", "person": "left_out"}``. Where features or history are computed from one of them, served
    answers cannot be computed once more from the log: ``parity=False`` says that this is known.
    ``committed`` refuses to publish a model whose code git does not tell the commit of, or that was changed since.
    ``budget`` is what its service may cost: a Bento that is over it becomes no champion.

    ``dataclasses.replace`` copies what was worked out: of another label or other sources, declare a use case anew.
    """

    name: str
    sources: tuple[Source, ...]
    label: str | None = None
    task: Task = BINARY
    positive: str | int | bool | None = None
    key: ByDefault[tuple[str, ...], tuple[str, ...]] = ByDefault(key_of)
    time: str | None = None
    weight: str | None = None
    left_out: tuple[str, ...] = ()
    features: ByDefault[tuple[Feature | str, ...], tuple[Feature, ...]] = ByDefault(features_of, read=named_features)
    features_sql: Sql = NOTHING_COMPUTED
    examples_sql: ByDefault[Sql, Sql] = ByDefault(examples_of)
    request: ByDefault[type[BaseModel], type[BaseModel]] = ByDefault(request_of)
    title: ByDefault[str, str] = ByDefault(title_of)
    description: ByDefault[str, str] = ByDefault(description_of)
    owner: str = OWNER
    batches: Batches = field(default_factory=NamedBatches)
    split: ByDefault[AnySplit, AnySplit] = ByDefault(split_of)
    recipe: Recipe = RECIPE
    slices: ByDefault[tuple[AnySlice, ...], tuple[AnySlice, ...]] = ByDefault(slices_of)
    gates: ByDefault[tuple[Gate, ...], tuple[Gate, ...]] = ByDefault(gates_of)
    threshold: ThresholdRule = field(default_factory=PositiveShare)
    seed: SeedData | None = None
    monitoring: MonitoringPlan = field(default_factory=MonitoringPlan)
    relations: tuple[Relation, ...] = ()
    history: tuple[HistoryView, ...] = ()
    asof: tuple[AsOfView, ...] = ()
    learning: Learning | None = None
    clusters: str | None = None
    protected: tuple[str, ...] = ()
    calibrated: bool = False
    backtest: RollingOrigin | None = None
    tuning: Tuning | None = None
    retrain: Retrain | None = None
    event_times: ByDefault[EventTimes, EventTimes] = ByDefault(event_times_of)
    positive_word: ByDefault[str, str] = ByDefault(positive_word_of)
    suspicious_roc_auc: float = 0.95
    implausible_above: float | None = None
    plausible: str = ""
    logged: Mapping[str, Logged] = field(default_factory=dict)
    parity: bool = True
    committed: bool = False
    budget: ServiceBudget = field(default_factory=ServiceBudget)
    tags: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"UseCase({self.name!r})"

    def __post_init__(self) -> None:
        if not NAME.match(self.name):
            raise DeclarationError(
                f"Use case name '{self.name}' must be lower-case letters, digits and underscores, a letter first."
            )
        refuse_numbers(self, suspicious_roc_auc=BETWEEN_ZERO_AND_ONE, implausible_above=BETWEEN_ZERO_AND_ONE)
        self._refuse_nothing_to_predict()
        if self.time and isinstance(self.batches, NamedBatches):
            object.__setattr__(self, "batches", NamedBatches(has_event_times=True))
        if self.backtest and not self.batches.has_event_times:
            raise DeclarationError(f"Use case '{self.name}' has no time axis to roll a backtest over.")
        if self.tuning:
            self.tuning.refuse_outside(self.recipe.hyperparameters)
        if not isinstance(self.task, Binary) and (self.calibrated or self.protected):
            raise DeclarationError(f"Use case '{self.name}': only a task of two outcomes is calibrated and fair.")
        self._refuse_twice("sources", [source.name for source in self.sources])
        self._refuse_twice("history views", [view.name for view in self.history])
        features = (*(declared(self, "features") or ()), *(self.learning.features if self.learning else ()))
        self._refuse_twice("features", [each if isinstance(each, str) else each.name for each in features])
        object.__setattr__(self, "sources", tuple(self._in_batches(source) for source in self.sources))
        refuse_cadences(self.sources, period=self.batches.period, use_case=self.name)
        refuse_references(self.sources, use_case=self.name)
        refuse_retrained(self.retrain, split=self.split, task=self.task, use_case=self.name)
        over = isinstance(self.batches, DailyBatches) and not self.batches.within_the_day
        refuse_history(self.history, over_before_they_come=over, use_case=self.name)
        if is_declared(self, "slices"):
            self._refuse_misfit_slices()
        if is_declared(self, "request"):
            self._refuse_misfit_requests()

    def refuse_misfits(self) -> None:
        """Raises DeclarationError for what does not fit the columns of the sources: this reads their schemas."""
        refuse_unknown_columns(self)
        self._refuse_twice("features", [each.name for each in self.features])
        self._refuse_misfit_slices()
        self._refuse_misfit_requests()

    def _refuse_nothing_to_predict(self) -> None:
        if self.label is None and not is_declared(self, "examples_sql"):
            raise DeclarationError(
                f"Use case '{self.name}' has nothing to predict: declare label, a column, or examples_sql."
            )
        lacking = [name for name in ("features", "request") if self.label is None and not is_declared(self, name)]
        if lacking:
            raise DeclarationError(
                f"Use case '{self.name}' declares no label, so that its {' and '.join(lacking)} cannot be told from a "
                "source: declare label, or these."
            )

    def _in_batches(self, source: Source) -> Source:
        """A source that says no cadence arrives in the use case's own batches, told by its time column."""
        if self.batches.period is None or is_declared(source, "cadence"):
            return source
        by_time = (self.time,) if self.time else ()
        return replace(source, cadence=CADENCES[self.batches.period], batch_day=source.batch_day or by_time)

    def _refuse_misfit_slices(self) -> None:
        names = [declared.name for declared in self.slices]
        self._refuse_twice("slices", names)
        unknown = sorted(set(self.protected) - set(names))
        if unknown:
            raise DeclarationError(
                f"Use case '{self.name}' protects {', '.join(unknown)}, no slices. Slices: {', '.join(names)}."
            )
        refuse_gated(self.gates, slices=names, protected=self.protected, use_case=self.name)

    def _refuse_misfit_requests(self) -> None:
        refuse_watched(self.monitoring, request=self.request, use_case=self.name)
        refuse_hidden(
            self.logged, words=get_args(Logged), plan=self.monitoring, request=self.request, use_case=self.name
        )

    def _refuse_twice(self, what: str, names: Sequence[str]) -> None:
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise DeclarationError(f"Use case '{self.name}' declares {what} twice: {', '.join(twice)}.")

    @property
    def player(self) -> SeedData:
        """The seed; DeclarationError where there is none, for what plays it back."""
        if self.seed is None:
            raise DeclarationError(
                f"Use case '{self.name}' has no seed data to play back: land files of your own, or declare seed."
            )
        return self.seed

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

"""Half a year as monitoring sees it: hourly figures, request profiles, and the causes that it tells at a moment.

The product's own pure functions on the logs of ``monitoring_log.py``, in the order in which the hourly schedule would
call them; what the service says of itself is made up, as a log in batch has no service.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from functools import cached_property

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.monitoring_log import World
from mlops_assets.contract.monitoring import MonitoringPlan
from mlops_assets.contract.paths import evaluation_path
from mlops_assets.contract.slices import OVERALL
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.tables import read_parquet
from mlops_assets.steps.replay_faults import Ages, Fault
from mlops_assets.stores.models.record import PREDICTIONS
from mlops_assets.stores.models.registry import load_record, load_version
from mlops_assets.training.scoring import Scorer
from mlops_assets.watch.profiles.profile import Profile
from mlops_assets.watch.served.causes import causes
from mlops_assets.watch.served.cells import judge
from mlops_assets.watch.served.figures import figures_of_answers, figures_of_held_out, figures_of_truth
from mlops_assets.watch.served.report import Cause
from mlops_assets.watch.served.request_judgement import WHOLE_DAY, Past, RequestsJudged, judge_requests
from mlops_assets.watch.served.request_profiles import profile_requests, request_columns, request_rows
from mlops_assets.watch.served.table import ANSWERED, ERRORS, LATENCY, METRICS, REFUSED, REQUESTS, SERVICE

SECONDS, ERROR_SHARE = 0.004, 2e-4
"""What the made-up service needs for an answer, and how many requests end in an error."""


@dataclass(frozen=True, kw_only=True)
class Served:
    """What was served on some days: figures of answers with the service's own, figures of truth, and the records."""

    answers: pa.Table
    truth: pa.Table
    records: pa.Table


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Makes figures of the logs of one world."""

    world: World

    @property
    def use_case(self) -> UseCase:
        """The use case of the logs."""
        return self.world.use_case

    @cached_property
    def prior(self) -> Mapping[str, float]:
        """The share of positives that the champion learnt from."""
        learnt = load_record(self.world.snapshot, use_case=self.use_case.name, version=self.world.version).split[
            "train"
        ]
        return {self.world.version: learnt.positives / learnt.rows}

    @cached_property
    def vocabularies(self) -> Mapping[str, Mapping[str, Sequence[str]]]:
        """The categories that the champion has learnt from."""
        model = load_version(self.world.snapshot, use_case=self.use_case.name, version=self.world.version)
        return {self.world.version: Scorer.open(model.files).vocabulary.categories}

    @cached_property
    def held_out(self) -> pa.Table:
        """The rows that the champion was judged on, as if it had served them."""
        path = evaluation_path(self.use_case.name, version=self.world.version, name=PREDICTIONS)
        rows = read_parquet(self.world.snapshot.local(path))
        return figures_of_held_out(rows, use_case=self.use_case, version=self.world.version, priors=self.prior)

    def served(self, records: pa.Table, outcomes: pa.Table, *, fault: Fault, first: date) -> Served:
        """The figures of a log, with ``fault`` in what the service says of itself from ``first`` on."""
        answers = figures_of_answers(records, use_case=self.use_case, vocabularies=self.vocabularies)
        service = _service(answers)
        if fault.stage == "service":
            service = fault.alter(service, _ages(service["hour"], first), np.random.default_rng(first.toordinal()))
        return Served(
            answers=pa.concat_tables([answers, service]),
            truth=figures_of_truth(_with_labels(records, outcomes), use_case=self.use_case, priors=self.prior),
            records=records,
        )


def _with_labels(records: pa.Table, outcomes: pa.Table) -> pa.Table:
    """Each answer with its outcome and the columns of its segments, as far as an outcome has its name."""
    beside = outcomes.select(["id", "label", *(name for name in ("carrier", "origin", "hour_of_day"))])
    told = records.select(["example_id", "event_time", "model_version", "score", "predicted_positive"])
    return told.join(beside, keys="example_id", right_keys="id", join_type="inner").sort_by("event_time")


def _service(answers: pa.Table) -> pa.Table:
    """What a healthy service would have said of these hours; the same for the same hours."""
    mask = pc.and_(pc.equal(answers["metric"], ANSWERED), pc.equal(answers["scope"], OVERALL))
    hours = answers.filter(mask).group_by("hour").aggregate([("n", "sum")]).sort_by("hour")
    asked = hours["n_sum"].to_numpy()
    seconds, failed = np.empty(len(asked)), np.empty(len(asked))
    for place, hour in enumerate(hours["hour"].to_pylist()):
        drawn = np.random.default_rng(int(hour.timestamp()))
        seconds[place] = asked[place] * SECONDS * np.exp(drawn.normal(0.0, 0.1))
        failed[place] = drawn.binomial(asked[place], ERROR_SHARE)
    told = {REQUESTS: asked.astype(float), ERRORS: failed, REFUSED: np.zeros(len(asked)), LATENCY: seconds}
    return pa.concat_tables(
        pa.table(
            {
                "use_case": pa.repeat(answers["use_case"][0].as_py(), len(asked)),
                "version": pa.repeat("", len(asked)),
                "hour": hours["hour"],
                "scope": pa.repeat(SERVICE, len(asked)),
                "metric": pa.repeat(metric, len(asked)),
                "value": values,
                "n": asked,
            }
        ).cast(METRICS)
        for metric, values in told.items()
    )


def _ages(moments: pa.ChunkedArray, first: date) -> Ages:
    days = pc.cast(pc.cast(moments, pa.date32(), safe=False), pa.int32()).to_numpy()
    return np.asarray(days - (first - date(1970, 1, 1)).days, dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class Day:
    """One served day as monitoring reads it: ``answers`` and ``truth`` are METRICS."""

    answers: pa.Table
    truth: pa.Table
    profile: Profile

    def busy_hours(self, rows: int) -> list[int]:
        """The hours with at least so many answers, in order."""
        mask = pc.and_(pc.equal(self.answers["metric"], ANSWERED), pc.equal(self.answers["scope"], OVERALL))
        busy = self.answers.filter(pc.and_(mask, pc.greater_equal(self.answers["n"], rows)))
        return sorted(hour.hour for hour in busy["hour"].to_pylist())


def days_of(served: Served, *, use_case: UseCase) -> dict[date, Day]:
    """What was served, day by day."""
    profiles = profiles_of(served.records, use_case=use_case)
    answers, truth = by_day(served.answers), by_day(served.truth)
    nothing = METRICS.empty_table()
    return {
        day: Day(answers=answers[day], truth=truth.get(day, nothing), profile=profiles[day.isoformat()])
        for day in sorted(answers)
    }


def profiles_of(records: pa.Table, *, use_case: UseCase) -> dict[str, Profile]:
    """The profile of each day's requests."""
    columns, days = request_columns(use_case), pc.strftime(records["event_time"], "%Y-%m-%d")
    with duckdb.connect() as connection:
        parts = {
            day: request_rows(records.filter(pc.equal(days, day)), columns=columns, connection=connection)
            for day in sorted(pc.unique(days).to_pylist())
        }
        return profile_requests(parts, columns=columns, connection=connection)


def by_day(figures: pa.Table) -> dict[date, pa.Table]:
    """Figures by the day of their hour."""
    days = pc.cast(figures["hour"], pa.date32(), safe=False)
    return {day: figures.filter(pc.equal(days, day)) for day in sorted(pc.unique(days).to_pylist())}


@dataclass(frozen=True, kw_only=True)
class Watcher:
    """Judges days; ``judged`` remembers what was found of requests, as the product's reports do."""

    use_case: UseCase
    version: str
    held_out: pa.Table
    days: Mapping[date, Day]
    judged: dict[tuple[date, int], RequestsJudged] = field(default_factory=dict)

    @property
    def plan(self) -> MonitoringPlan:
        """What the use case watches."""
        return self.use_case.monitoring or MonitoringPlan()

    def with_days(self, days: Mapping[date, Day]) -> Watcher:
        """The same past until the first of ``days``, and these from there on."""
        first = min(days)
        past = {day: each for day, each in self.days.items() if day < first}
        judged = {key: each for key, each in self.judged.items() if key[0] < first}
        return replace(self, days={**past, **days}, judged=judged)

    def causes(self, day: date, *, until: int = WHOLE_DAY, with_truth: bool = False) -> dict[str, Cause]:
        """What a person would be told of ``day`` as far as the hour ``until``, by the cause's key.

        ``with_truth`` is the morning after, when the outcomes of the day have landed; else those of the day before.
        """
        moment = datetime.combine(day, time()) + timedelta(hours=until)
        cells = judge(
            pa.concat_tables(self._figures(day, with_truth=with_truth)),
            day=day,
            until=moment,
            version=self.version,
            plan=self.plan,
            held_out=self.held_out,
            binary=True,
        )
        return {cause.key: cause for cause in causes(cells, day=day, given=self._inputs(day, until=until))}

    def _figures(self, day: date, *, with_truth: bool) -> Iterator[pa.Table]:
        begin = day - timedelta(weeks=self.plan.weeks)
        for each, served in self.days.items():
            if begin <= each <= day:
                yield served.answers
                if each < day or with_truth:
                    yield served.truth

    def _inputs(self, day: date, *, until: int) -> tuple[Cause, ...]:
        if (day, until) not in self.judged:
            begin = day - timedelta(weeks=self.plan.weeks)
            past = {each.isoformat(): served.profile for each, served in self.days.items() if begin <= each < day}
            unusual = {key[0].isoformat(): each.unusual for key, each in self.judged.items() if key[1] == WHOLE_DAY}
            self.judged[day, until] = judge_requests(
                self.days[day].profile,
                day=day.isoformat(),
                use_case=self.use_case,
                past=Past(profiles=past, unusual=unusual),
                until=until,
            )
        return self.judged[day, until].causes

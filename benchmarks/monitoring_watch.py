"""Half a year as monitoring sees it: hourly figures, request profiles, and the causes that it tells at a moment.

The product's own pure functions on the logs of ``monitoring_log.py``, in the order in which the hourly schedule would
call them; what the service says of itself is made up, as a log in batch has no service.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.monitoring_log import World
from mlops_assets.contract.paths import evaluation_path
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.tables import read_parquet
from mlops_assets.steps.replay_faults import Ages, Fault
from mlops_assets.stores.models.record import PREDICTIONS
from mlops_assets.stores.models.registry import load_record, load_version
from mlops_assets.training.scoring import Scorer
from mlops_assets.watch.profiles.profile import Profile
from mlops_assets.watch.served.figures import figures_of_answers, figures_of_held_out, figures_of_truth
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
    mask = pc.and_(pc.equal(answers["metric"], ANSWERED), pc.equal(answers["scope"], "overall"))
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
class Profiles:
    """Makes profiles of requests."""

    use_case: UseCase

    def of(self, records: pa.Table) -> dict[str, Profile]:
        """The profile of each day's requests."""
        columns, days = request_columns(self.use_case), pc.strftime(records["event_time"], "%Y-%m-%d")
        with duckdb.connect() as connection:
            parts = {
                day: request_rows(records.filter(pc.equal(days, day)), columns=columns, connection=connection)
                for day in sorted(pc.unique(days).to_pylist())
            }
            return profile_requests(parts, columns=columns, connection=connection)

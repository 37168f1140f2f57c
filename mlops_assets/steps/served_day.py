"""One served day: what is known of it, read as it is asked for, and everything that is judged of it.

Belongs here: which rows, figures and versions a judgement is of. How they are judged is in ``watch/served/``, what is
published in ``watch.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.contract.arrays import Floats
from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.errors import LakeError
from mlops_assets.contract.gates import NotWorseThanChampion
from mlops_assets.contract.paths import evaluation_path
from mlops_assets.contract.slices import OVERALL, Slice
from mlops_assets.contract.tasks import Binary, Multiclass
from mlops_assets.contract.use_case import UseCase
from mlops_assets.judge.report import EvaluationReport, evaluate
from mlops_assets.judge.significance import Comparison, compare
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import Connect, read_parquet
from mlops_assets.steps.watch_requests import WatchedRequests, watch_requests
from mlops_assets.stores.models.champion import champion, events
from mlops_assets.stores.models.record import PREDICTIONS, ModelRecord
from mlops_assets.stores.models.registry import load_evaluation, load_record
from mlops_assets.stores.predictions.collected_files import records_of_day
from mlops_assets.stores.predictions.labels import with_labels
from mlops_assets.stores.predictions.parity import SAMPLE, audit_parity
from mlops_assets.stores.predictions.served_days import made_of, told_outcomes, wall_clock, watched_until
from mlops_assets.stores.predictions.served_metrics import added, priors_of, served_metrics
from mlops_assets.stores.predictions.watch_reports import watch_reports
from mlops_assets.watch.served.cells import judge
from mlops_assets.watch.served.estimated_truth import (
    estimate_binary,
    estimate_likeliest,
    estimate_numbers,
    score_estimates,
)
from mlops_assets.watch.served.figures import figures_of_held_out, figures_of_truth
from mlops_assets.watch.served.report import Cell, Estimated, Realised
from mlops_assets.watch.served.requests import parse
from mlops_assets.watch.served.table import ANSWERED
from mlops_assets.watch.served.truth import judge_truth

SWAPPED = timedelta(hours=1)
"""So long after a move of the pointer a service has long taken the new champion."""
MOSTLY = 0.8
"""Of the outcomes must be known before an estimate for all is scored."""
SCORED = timedelta(days=90)
"""How far back estimates are scored against what came true."""


@dataclass(frozen=True, kw_only=True)
class ServedDay:
    """``day`` as far as it is over ``now``. Everything is of the version that gave most of its answers, and of an
    example that was asked about more than once only the last answer.
    """

    head: Snapshot
    use_case: UseCase
    day: date
    lake: Lake
    connect: Connect
    now: datetime

    @cached_property
    def until(self) -> datetime:
        """How far it is judged, on the use case's wall clock."""
        return watched_until(self.day, use_case=self.use_case, clock=self._clock)

    @property
    def _clock(self) -> datetime:
        return wall_clock(self.use_case, now=self.now)

    @cached_property
    def made_of(self) -> str:
        """A name for the files that decide the report."""
        return made_of(self.head, use_case=self.use_case, day=self.day)

    @cached_property
    def records(self) -> pa.Table:
        """The collected records that are judged, of any version, with the watched slices as columns."""
        found = records_of_day(self.head, use_case=self.use_case.name, event_day=self.day)
        found = found.filter(pc.less(found["event_time"], pa.scalar(self.until, pa.timestamp("us"))))
        keys = pc.coalesce(found["example_id"], found["prediction_id"])
        rows = pa.table({"key": keys, "row": pa.array(np.arange(found.num_rows))})
        kept = found.take(rows.group_by("key").aggregate([("row", "max")])["row_max"].sort())
        asked, _ = parse(kept, columns=list(self.use_case.watched_slices))
        for name in asked.column_names:
            kept = kept.append_column(name, asked[name])
        return kept

    @cached_property
    def versions(self) -> Mapping[str, int]:
        """How many answers each version gave."""
        counted = self.records.group_by("model_version").aggregate([([], "count_all")])
        counts = dict(zip(counted["model_version"].to_pylist(), counted["count_all"].to_pylist(), strict=True))
        return dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))

    @cached_property
    def unknown_versions(self) -> tuple[str, ...]:
        """Those that answered and that the lake has no evaluation of."""
        return tuple(version for version in self.versions if not self._has_evaluation(version))

    def _has_evaluation(self, version: str) -> bool:
        return self.head.exists(evaluation_path(self.use_case.name, version=version, name=PREDICTIONS))

    @cached_property
    def replaced_versions(self) -> tuple[str, ...]:
        """Those that answered an hour and more after another one was champion in their place."""
        moves = events(self.head, use_case=self.use_case.name)
        ends = [*(move.at for move in moves[1:]), self.now]
        answered, versions, found = self.records["answered_at"], self.records["model_version"], set[str]()
        for place, (move, end) in enumerate(zip(moves, ends, strict=True)):
            first, last = (pa.scalar(at, answered.type) for at in (move.at + SWAPPED, end))
            during = pc.and_(pc.greater(answered, first), pc.less_equal(answered, last))
            former = {each.version for each in moves[:place]} - {move.version}
            found |= former.intersection(versions.filter(during).unique().to_pylist())
        return tuple(sorted(found))

    @cached_property
    def version(self) -> str:
        """The one that gave most answers, of those that the lake knows; of a day without any, the one that answered
        last before it, else the champion.
        """
        answered = self.figures.filter(pc.equal(self.figures["metric"], ANSWERED))
        if not answered.num_rows:
            raise LakeError(
                f"Nothing served for {self.day} was collected yet: serve, then materialise "
                f"{self.use_case.name}/prediction_log."
            )
        before: list[str] = list(reversed(answered.sort_by("hour")["version"].to_pylist()))
        serving = champion(self.head, use_case=self.use_case.name)
        candidates = dict.fromkeys([*self.versions, *before, *([serving.version] if serving else [])])
        known = next((version for version in candidates if self._has_evaluation(version)), None)
        if known is None:
            raise LakeError(f"No version that answered by {self.day} is in the lake, and there is no champion.")
        return known

    @cached_property
    def served(self) -> pa.Table:
        """The records of the version."""
        return self.records.filter(pc.equal(self.records["model_version"], self.version))

    @cached_property
    def labelled(self) -> pa.Table:
        """Those whose outcome is known, with their ``label``."""
        return with_labels(
            self.served,
            head=self.head,
            use_case=self.use_case,
            days=[self.day],
            told=told_outcomes(self.head, use_case=self.use_case, day=self.day),
            connect=self.connect,
        )

    @cached_property
    def record(self) -> ModelRecord:
        """The version's."""
        return load_record(self.head, use_case=self.use_case.name, version=self.version)

    @cached_property
    def promised(self) -> EvaluationReport | None:
        """What the version was judged by at promotion."""
        found = load_evaluation(self.head, use_case=self.use_case.name, version=self.version)
        return found.report if found else None

    @cached_property
    def held_out(self) -> pa.Table:
        """The rows that the version was judged on, with what it answered."""
        path = evaluation_path(self.use_case.name, version=self.version, name=PREDICTIONS)
        return read_parquet(self.head.local(path))

    @cached_property
    def held_out_figures(self) -> pa.Table:
        """``METRICS`` of them, as if the version had served them."""
        return figures_of_held_out(self.held_out, use_case=self.use_case, version=self.version, priors=self.priors)

    @cached_property
    def priors(self) -> Mapping[str, float]:
        """What one would say without a model, by version."""
        return priors_of(self.head, use_case=self.use_case, versions=[self.version])

    @cached_property
    def truth(self) -> pa.Table:
        """``METRICS`` of the outcomes that are known; empty of those that are not."""
        return figures_of_truth(self.labelled, use_case=self.use_case, priors=self.priors)

    @cached_property
    def figures(self) -> pa.Table:
        """``METRICS`` of the weeks before, and of the day so far."""
        first = self.day - timedelta(weeks=self.use_case.monitoring.weeks)
        return served_metrics(self.head, use_case=self.use_case.name, first=first, last=self.day)

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """Every figure of the day against what is usual."""
        begin = pa.scalar(datetime.combine(self.day, datetime.min.time()), pa.timestamp("us"))
        known = pc.is_in(self.figures["metric"], value_set=pc.unique(self.truth["metric"]))
        stale = pc.and_(known, pc.greater_equal(self.figures["hour"], begin))
        return judge(
            added([self.figures.filter(pc.invert(stale)), self.truth]),
            day=self.day,
            until=self.until,
            over=min(self.until, self._clock.replace(minute=0, second=0, microsecond=0)),
            version=self.version,
            plan=self.use_case.monitoring,
            held_out=self.held_out_figures,
            binary=isinstance(self.use_case.task, Binary),
        )

    @cached_property
    def requests(self) -> WatchedRequests:
        """What was asked, judged like a landed file; and its profile."""
        served = {self.day.isoformat(): self.records} if self.records.num_rows else {}
        return watch_requests(
            self.head,
            served,
            use_case=self.use_case,
            version=self.version,
            until=self.until,
            connect=self.connect,
        )

    @cached_property
    def parity(self) -> CheckResult:
        """A sample of the answers computed once more from the lake, as of their own moment."""
        draw = np.random.default_rng(int(self.made_of, 16)).permutation(self.served.num_rows)[:SAMPLE]
        told = audit_parity(
            self.served.take(np.sort(draw)),
            of=self.served.num_rows,
            use_case=self.use_case,
            lake=self.lake,
            connect=self.connect,
            seed=int(self.made_of[:8], 16),
        )
        return replace(told, batch=self.day.isoformat())

    @cached_property
    def realised(self) -> tuple[Realised, ...]:
        """Every metric of evaluation on the rows whose outcome is known, beside the prior and the promise. Of classes
        records hold too little for that: what is known of them is among the figures.
        """
        if not self.labelled.num_rows or isinstance(self.use_case.task, Multiclass):
            return ()
        slices = [Slice(name=name, columns=(name,)) for name in self.use_case.watched_slices]
        labels, scores = (_floats(self.labelled[name]) for name in ("label", "score"))
        task, threshold = self.use_case.task, self.record.threshold
        report = evaluate(labels, scores, slice_columns=self.labelled, slices=slices, task=task, threshold=threshold)
        return judge_truth(
            report,
            against_prior=self._against_prior(labels, scores, slices=slices),
            promised=self.promised,
            margins={
                gate.metric: gate.margin for gate in self.use_case.gates if isinstance(gate, NotWorseThanChampion)
            },
        )

    def _against_prior(self, labels: Floats, scores: Floats, *, slices: Sequence[Slice]) -> Comparison | None:
        prior = self.priors.get(self.version)
        if prior is None:
            return None
        return compare(
            labels,
            scores,
            champion=np.full(len(labels), prior),
            opponent="the constant prior",
            slice_columns=self.labelled,
            slices=slices,
            task=self.use_case.task,
            thresholds=(self.record.threshold, self.record.threshold),
            baseline=True,
        )

    @cached_property
    def estimated(self) -> tuple[Estimated, ...]:
        """Metrics by the scores alone, with what came true of them, and how far such estimates were off before."""
        if not self.served.num_rows:
            return ()
        came = {each.metric: each.value for each in self.realised if each.scope == OVERALL}
        off = score_estimates(self._past_estimates())
        return tuple(
            each.model_copy(
                update={
                    "realised": came.get(each.metric) if self._nearly_all_labelled else None,
                    "usual_error": off.get(each.metric, (None, 0))[0],
                    "days": off.get(each.metric, (None, 0))[1],
                }
            )
            for each in self._estimates()
        )

    def _estimates(self) -> tuple[Estimated, ...]:
        scores, task = _floats(self.served["score"]), self.use_case.task
        if isinstance(task, Binary):
            decided = _floats(self.served["predicted_positive"])
            return estimate_binary(scores, decided=decided, held_out=self.held_out.num_rows)
        if isinstance(task, Multiclass):
            return estimate_likeliest(scores, held_out=self.held_out.num_rows)
        held_out = {name: _floats(self.held_out[name]) for name in ("score", "label")}
        return estimate_numbers(scores, held_out_scores=held_out["score"], held_out_labels=held_out["label"])

    @property
    def _nearly_all_labelled(self) -> bool:
        """Whether nearly all outcomes are there: those of a part say little about the estimate for all."""
        return bool(self.labelled.num_rows >= MOSTLY * self.served.num_rows)

    def _past_estimates(self) -> list[tuple[date, dict[str, float], dict[str, float]]]:
        """What was estimated and came true on the days before, of the same version."""
        first, last = (self.day - back for back in (SCORED, timedelta(days=1)))
        return [
            (
                report.day,
                {each.metric: each.value for each in report.estimated},
                {each.metric: each.realised for each in report.estimated if each.realised is not None},
            )
            for report in watch_reports(self.head, use_case=self.use_case.name, first=first, last=last)
            if report.version == self.version
        ]


def _floats(column: pa.ChunkedArray) -> Floats:
    return np.asarray(pc.cast(column, pa.float64()).to_numpy(), dtype=np.float64)

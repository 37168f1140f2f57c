"""Has a batch moved away from its reference? Judged from profiles alone: by how far, and whether chance explains it.

A batch is compared with the merge of its reference batches (the trailing window, the same weekdays, or the batches of a
training window), column by column and segment by segment. A batch that was unusual in a column, as recorded or as
found by this very comparison, says nothing of what is usual there until a person accepts it; after that, batches like
those since the accepted one are as usual as those like the window. Its distance is no part of the past, and the few
that are farthest off are none of the reference (``references.py``). A distance is a verdict only if

- it is over its bound. Unless a use case declares one, the bound is learnt from the past of the same comparison
  (``bounds.py``), corrected by Bonferroni for the number of comparisons, so that ``false_alarm_rate`` batches alarm
  where nothing happened, whatever the number of rows. It is never below the least effect worth a look. A bound that
  lies above what a batch can reach (``reaches.py``) judges nothing: the verdict is *cannot be judged*;
- and chance does not explain it: Pearson's chi-squared test of homogeneity, corrected by Holm over columns and
  segments;
- on enough rows, batches and past distances: else the verdict is *insufficient data*.

Beside the distances stand the faults that need no scale (``plain_faults.py``). Whether a shift is new or goes on from
the batches before is in ``levels.py``, what explains it in ``explanations.py``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mlops_assets.contract.drift import LEAST_EFFECTS, DriftPlan
from mlops_assets.contract.slices import OVERALL
from mlops_assets.judge.corrections import holm
from mlops_assets.watch.profiles.bounds import learn_bounds
from mlops_assets.watch.profiles.cells import Flags, Floats, Ints
from mlops_assets.watch.profiles.levels import Levels, Unusual
from mlops_assets.watch.profiles.measures import (
    Compared,
    Referred,
    measure_gap,
    measure_scopes,
    measure_series,
    steady_batches,
)
from mlops_assets.watch.profiles.plain_faults import FEWEST_ROWS, PlainFaults, SeriesFacts
from mlops_assets.watch.profiles.profile import Profile
from mlops_assets.watch.profiles.references import ordinals, reference_batches, without_farthest
from mlops_assets.watch.profiles.series import ColumnSeries, column_series
from mlops_assets.watch.profiles.shift import DriftReport, Shift, Verdict

_SHARES = ("missing_share", "unseen_share")
_FEWEST = 5
"""A share of fewer rows than this has not moved: the test is no good on so few."""
_NAMED_BATCHES = 3
"""So many batches with names are a past, though too short to learn from."""
_PASSES = 400


def compare(
    profiles: Mapping[str, Profile],
    *,
    batches: Sequence[str],
    plan: DriftPlan,
    ignored: Collection[str] = (),
    training: Collection[str] = (),
    unusual: Unusual | None = None,
    accepted: Collection[str] = (),
    order: Sequence[str] = (),
    going_on: Collection[str] = (),
    every_scope: bool = False,
) -> dict[str, DriftReport]:
    """Judge ``batches`` among ``profiles``, which hold their references and past as well, by batch.

    With ``training`` all are compared with those batches instead of the plan's reference. The columns in ``ignored``
    are not compared, such as the date that names the batch. ``unusual`` is what is recorded of batches that are not
    judged now; of those, and of the ones judged, the ``accepted`` count as usual. ``order`` is that of batches with
    names: given, a past that is too short to learn from is judged by effect and chance; of the columns ``going_on``
    from batch to batch, such as dates, only what is missing, for how far they usually go must be learnt.
    ``every_scope`` tells the shifts of segments that have not moved as well.
    """
    names = [name for name in order if name in profiles] if order else sorted(profiles)
    comparison = _Comparison(
        names=names,
        profiles=profiles,
        batches=batches,
        plan=plan,
        ignored=ignored,
        training=training,
        accepted=accepted,
        by_effect=bool(order),
        going_on=going_on,
        every_scope=every_scope,
    )
    recorded = {batch: columns for batch, columns in (unusual or {}).items() if batch not in batches}
    known, open_ = dict(recorded), list(batches)
    reports: dict[str, DriftReport] = {}
    for _ in range(_PASSES):  # a batch depends on those before it: each pass settles one more, mostly many
        reports |= comparison.reports(known, of=open_)
        found = recorded | {name: report.moved_columns for name, report in reports.items() if report.moved}
        changed = [name for name in batches if found.get(name) != known.get(name)]
        known, open_ = found, comparison.after(changed)
        if training or not open_:
            break
    if training:
        return {batch: reports[batch] for batch in batches}
    still = {batch: columns for batch, columns in known.items() if batch not in accepted}
    return {batch: comparison.levels.continued(reports[batch], unusual=still) for batch in batches}


@dataclass(frozen=True, kw_only=True)
class _Comparison:
    """Everything about ``batches`` among ``profiles`` that stays the same however many of them turn out unusual."""

    names: Sequence[str]
    profiles: Mapping[str, Profile]
    batches: Sequence[str]
    plan: DriftPlan
    ignored: Collection[str]
    training: Collection[str]
    accepted: Collection[str]
    by_effect: bool
    going_on: Collection[str]
    every_scope: bool
    _measured: dict[tuple[str, bytes], tuple[tuple[Compared, ...], dict[str, Floats]]] = field(default_factory=dict)

    @cached_property
    def ordinal(self) -> Ints:
        return np.arange(len(self.names), dtype=np.int64) if self.by_effect else ordinals(self.names)

    @cached_property
    def chosen(self) -> Flags:
        return reference_batches(self.names, ordinal=self.ordinal, plan=self.plan, training=self.training)

    @cached_property
    def _accepted(self) -> Flags:
        return np.isin(self.names, list(self.accepted))

    @cached_property
    def looked_at(self) -> Ints:
        """The batches to judge and the past that calibrates them."""
        judged = self.ordinal[np.isin(self.names, list(self.batches))]
        back = judged[:, None] - self.ordinal[None, :]
        return np.flatnonzero(((back >= 0) & (back <= self.plan.window)).any(axis=0))

    @cached_property
    def minimum_batches(self) -> int:
        if self.training or self.plan.reference == "previous":
            return 1
        return min(self.plan.minimum_batches, _NAMED_BATCHES) if self.by_effect else self.plan.minimum_batches

    @cached_property
    def series(self) -> dict[str, dict[str, ColumnSeries]]:
        """The series by column and scope."""
        ordered = {name: self.profiles[name] for name in self.names}
        fewest = min(self.plan.minimum_rows, FEWEST_ROWS)
        grouped: dict[str, dict[str, ColumnSeries]] = {}
        for each in column_series(ordered, ignored=self.ignored, minimum_rows=fewest):
            grouped.setdefault(each.column, {})[each.scope] = each
        return grouped

    @cached_property
    def plain(self) -> PlainFaults:
        return PlainFaults(
            facts=[SeriesFacts(series=each) for scopes in self.series.values() for each in scopes.values()],
            names=self.names,
            rate=self.plan.false_alarm_rate,
            minimum_batches=self.minimum_batches,
            minimum_past=self.minimum_batches if self.by_effect else self.plan.minimum_past,
        )

    @cached_property
    def levels(self) -> Levels:
        return Levels(names=self.names, series=self.series, chosen=self.chosen, rate=self.plan.false_alarm_rate)

    def after(self, changed: Collection[str]) -> list[str]:
        """The batches to judge whose past has one of the ``changed``."""
        place = self.ordinal[np.isin(self.names, list(changed))]
        back = self.ordinal[:, None] - place[None, :]
        concerned: Flags = np.asarray(((back > 0) & (back <= 2 * self.plan.window)).any(axis=1))
        wanted = set(self.batches)
        return [name for name, later in zip(self.names, concerned, strict=True) if later and name in wanted]

    def reports(self, unusual: Unusual, *, of: Sequence[str]) -> dict[str, DriftReport]:
        """The verdicts on these batches, where those in ``unusual`` count as such."""
        counted = {}
        compared: list[Compared] = []
        raw: dict[str, dict[str, Floats]] = {}
        for column in self.series:
            moved = np.array([column in unusual.get(name, ()) for name in self.names], dtype=np.bool_)
            odd, accepted = moved & ~self._accepted, moved & self._accepted
            counted[column] = ~odd
            key = (column, odd.tobytes() + accepted.tobytes())
            if key not in self._measured:
                self._measured[key] = self._measure(column, odd=odd, accepted=accepted)
            compared += self._measured[key][0]
            raw[column] = self._measured[key][1]
        judging = _Judging(comparison=self, compared=compared, raw=raw, counted=counted)
        return {batch: judging.report(self.names.index(batch)) for batch in of}

    def _measure(self, column: str, *, odd: Flags, accepted: Flags) -> tuple[tuple[Compared, ...], dict[str, Floats]]:
        """Every comparison of a column in all scopes, and the further distances of the whole batch."""
        base, minimum = self.chosen[self.looked_at], self.minimum_batches
        if OVERALL in self.series[column] and not self.training:
            whole = self.series[column][OVERALL]
            base = without_farthest(self.chosen, rows=self.looked_at, whole=whole, odd=odd, minimum=minimum)
        usual, further = self._against(column, base=base, minimum=minimum)
        since = self.chosen[self.looked_at] & self._since(accepted)[self.looked_at]
        if not since.any():
            return usual, further
        anew, _ = self._against(column, base=since, minimum=1)
        return tuple(one.or_nearer(other) for one, other in zip(usual, anew, strict=True)), further

    def _since(self, accepted: Flags) -> Flags:
        """(batches, batches): whether the second is the last accepted one before the first, or later."""
        place = np.arange(len(self.names))
        before = np.where(accepted & (place[None, :] < place[:, None]), place[None, :], -1).max(axis=1, initial=-1)
        return np.asarray((before[:, None] >= 0) & (place[None, :] >= before[:, None]))

    def _against(self, column: str, *, base: Flags, minimum: int) -> tuple[tuple[Compared, ...], dict[str, Floats]]:
        """Every comparison of a column with these references."""
        compared: list[Compared] = []
        further: dict[str, Floats] = {}
        scopes = self.series[column]
        referred = self._referred(base, minimum=minimum)
        for scope, series in scopes.items():
            if scope == OVERALL or series.rows.max(initial=0) >= self.plan.minimum_rows:
                measured = measure_series(series, referred=self._stepped(series, usual=referred, minimum=minimum))
                compared += measured.compared
                further = measured.further if scope == OVERALL else further
            if scope != OVERALL and series.kind == "number" and OVERALL in scopes:
                gap = measure_gap(series, whole=scopes[OVERALL], referred=referred)
                compared += [gap] if gap else []
        return tuple(compared), further

    def _stepped(self, series: ColumnSeries, *, usual: Referred, minimum: int) -> Referred:
        """The reference of a series: the batch before, alone, where the column is steady."""
        if self.training or self.plan.reference != "trailing":
            return usual
        steady = steady_batches(series, chosen=self.chosen[self.looked_at], minimum=self.plan.minimum_batches)
        if not steady.any():
            return usual
        against = np.where(steady[:, None], self._previous[self.looked_at], usual.against)
        return self._referred(against, minimum=minimum, steady=steady)

    def _referred(self, against: Flags, *, minimum: int, steady: Flags | None = None) -> Referred:
        enough = against.sum(axis=1) >= minimum
        if steady is not None:
            enough |= steady & against.any(axis=1)
        return Referred.of(against, rows=self.looked_at, enough=enough)

    @cached_property
    def _previous(self) -> Flags:
        """(batches, batches): whether the second is the last one before the first, in its reference."""
        place = np.arange(len(self.names))
        return np.asarray(self.chosen & (place[:, None] - 1 == place[None, :]))


@dataclass(frozen=True, kw_only=True)
class _Judging:
    """Verdicts from all comparisons together; ``counted`` says by column which batches are its past."""

    comparison: _Comparison
    compared: Sequence[Compared]
    raw: Mapping[str, Mapping[str, Floats]]
    counted: Mapping[str, Flags]
    _stacked: dict[str, Floats] = field(default_factory=dict)

    def report(self, number: int) -> DriftReport:
        """The verdicts on one batch."""
        comparison, plan = self.comparison, self.comparison.plan
        at = int(np.searchsorted(comparison.looked_at, number))
        figures = self._figures(at)
        bounds, learnt = self._bounds(number, count=int(figures.testable.sum()))
        judged = figures.testable & np.isfinite(bounds)
        blind = judged & (bounds >= figures.reach)
        judged &= ~blind
        corrected = np.full(len(judged), np.nan)
        corrected[judged] = holm(figures.p_value[judged].tolist()) if judged.any() else ()
        shares = np.array([each.measure in _SHARES for each in self.compared], dtype=np.bool_)
        several = ~shares | (figures.found * figures.rows >= _FEWEST)
        moved = judged & (figures.found > bounds) & (corrected < plan.false_alarm_rate) & several
        moved &= ~self._calm(number, moved, bounds=bounds)
        told = np.isfinite(figures.found) & (moved | comparison.every_scope | self._overall)
        verdicts = np.select([moved, judged, blind], ["moved", "normal", "cannot be judged"], "insufficient data")
        shifts = [
            self._shift(i, at, bound=bounds[i], p_value=corrected[i], verdict=verdicts[i], learnt=learnt[i])
            for i in np.flatnonzero(told).tolist()
        ]
        return DriftReport(
            batch=comparison.names[number],
            reference=self._named(comparison.chosen[number]),
            shifts=(*shifts, *self._plain(number)),
            raw={
                column: {name: float(values[at]) for name, values in measures.items() if np.isfinite(values[at])}
                for column, measures in self.raw.items()
                if measures
            },
            judged=int(judged.sum()),
            blind=int(blind.sum()),
        )

    def _calm(self, number: int, moved: Flags, *, bounds: Floats) -> Flags:
        """Which of the ``moved`` are within their bound of the batches that were not odd: after many storms, calm days
        are far from most of the window, and usual all the same."""
        comparison, calm = self.comparison, np.zeros_like(moved)
        places = np.flatnonzero(moved).tolist()
        for column in {self.compared[i].column for i in places}:
            others = comparison.chosen[number] & self.counted[column]
            if others.sum() < comparison.minimum_batches or (others == comparison.chosen[number]).all():
                continue
            referred = Referred.of(others[None, :], rows=np.array([number]), enough=np.ones(1, dtype=np.bool_))
            near = measure_scopes(comparison.series[column], referred=referred)
            for i in places:
                one = self.compared[i]
                if one.column == column:
                    calm[i] = near[one.scope, one.measure].found[0] <= bounds[i]
        return calm

    def _figures(self, at: int) -> _Figures:
        fewest = self.comparison.plan.minimum_rows
        gaps = np.array([each.measure == "segment_gap" for each in self.compared], dtype=np.bool_)
        enough = np.where(gaps, min(fewest, FEWEST_ROWS), fewest)
        found, rows = self._of("found")[:, at], self._of("rows")[:, at]
        typical = self._of("reference_rows")[:, at] / np.maximum(self._batches[:, at], 1)
        return _Figures(
            found=found,
            p_value=self._of("p_value")[:, at],
            reach=self._of("reach")[:, at],
            rows=rows,
            testable=np.isfinite(found) & (rows >= enough) & (typical >= enough),
        )

    def _of(self, name: str) -> Floats:
        """(comparisons, batches looked at): one figure of all comparisons."""
        if name not in self._stacked:
            none = np.zeros((0, len(self.comparison.looked_at)))
            self._stacked[name] = np.stack([getattr(each, name) for each in self.compared]) if self.compared else none
        return self._stacked[name]

    @cached_property
    def _batches(self) -> Ints:
        """(comparisons, batches looked at): how many batches the reference has."""
        if not self.compared:
            return np.zeros((0, len(self.comparison.looked_at)), dtype=np.int64)
        sums = {id(each.against): each.against.sum(axis=1) for each in self.compared}
        return np.stack([sums[id(each.against)] for each in self.compared])

    @cached_property
    def _overall(self) -> Flags:
        return np.array([each.scope == OVERALL for each in self.compared], dtype=np.bool_)

    @cached_property
    def _declared(self) -> Flags:
        bounds = self.comparison.plan.bounds
        return np.array([(each.column, each.measure) in bounds for each in self.compared], dtype=np.bool_)

    @cached_property
    def _distances(self) -> Floats:
        """(comparisons, batches looked at), NaN where a batch does not count as the past of its column."""
        looked_at = self.comparison.looked_at
        if not self.compared:
            return np.zeros((0, len(looked_at)))
        return np.stack([np.where(self.counted[each.column][looked_at], each.found, np.nan) for each in self.compared])

    @cached_property
    def _assumed(self) -> Floats:
        """The bound of each comparison while its past is too short to learn from; NaN where none can be assumed."""
        going_on, by_effect = self.comparison.going_on, self.comparison.by_effect
        told = [
            by_effect and (each.column not in going_on or each.measure == "missing_share") for each in self.compared
        ]
        return np.where(told, [LEAST_EFFECTS[each.measure] for each in self.compared], np.nan)

    def _bounds(self, number: int, *, count: int) -> tuple[Floats, Flags]:
        """The bound of each comparison, declared or learnt from its past (NaN where that is too short), and whether it
        was learnt."""
        plan, ordinal = self.comparison.plan, self.comparison.ordinal
        measures = [each.measure for each in self.compared]
        back = ordinal[number] - ordinal[self.comparison.looked_at]
        past = self._distances[:, (back > 0) & (back <= plan.window)]
        bounds = learn_bounds(past, measures=measures, count=count, rate=plan.false_alarm_rate)
        learnt: Flags = np.isfinite(past).sum(axis=1) >= plan.minimum_past
        bounds = np.where(learnt, bounds, self._assumed)
        declared = [plan.bounds.get((each.column, each.measure)) for each in self.compared]
        told = [bound if own is None else own for bound, own in zip(bounds, declared, strict=True)]
        return np.array(told, dtype=np.float64), learnt

    def _shift(self, i: int, at: int, *, bound: float, p_value: float, verdict: Verdict, learnt: bool) -> Shift:
        compared, plan = self.compared[i], self.comparison.plan
        judged = verdict in ("moved", "normal")
        return Shift(
            scope=compared.scope,
            column=compared.column,
            measure=compared.measure,
            found=float(compared.found[at]),
            bound=float(bound) if judged or verdict == "cannot be judged" else None,
            p_value=float(p_value) if judged else None,
            rows=int(compared.rows[at]),
            reference_rows=int(compared.reference_rows[at]),
            verdict=str(verdict),  # type: ignore[arg-type]
            why=_why(verdict, rows=int(compared.rows[at]), learnt=learnt or self._declared[i], bound=bound, plan=plan),
            reach=float(compared.reach[at]),
            rarest=float(compared.rarest[at]),
            against=self._named(compared.against[at]),
        )

    def _plain(self, number: int) -> Iterator[Shift]:
        """What needs no scale. A training window is no past in this sense: its batches are no sequence."""
        comparison = self.comparison
        if comparison.training:
            return
        yield from comparison.plain.of(number, chosen=comparison.chosen[number], counted=self.counted.__getitem__)

    def _named(self, used: Flags) -> tuple[str, ...]:
        return tuple(self.comparison.names[at] for at in np.flatnonzero(used).tolist())


@dataclass(frozen=True, kw_only=True)
class _Figures:
    """One batch in every comparison. ``testable`` says where it and its reference have enough rows."""

    found: Floats
    p_value: Floats
    reach: Floats
    rows: Floats
    testable: Flags


def _why(verdict: str, *, rows: int, learnt: bool, bound: float, plan: DriftPlan) -> str:
    """Why there is no verdict, or what it rests on if not on what is usual."""
    if verdict == "cannot be judged":
        return f"the past is too wild: only more than {bound:.2f} would be unusual, which no batch can reach"
    if verdict == "insufficient data":
        few = f"{rows} rows, needs {plan.minimum_rows}"
        return (
            few
            if rows < plan.minimum_rows
            else f"fewer than {plan.minimum_past} earlier batches to learn from what is normal"
        )
    return "" if learnt else "too few earlier batches to know what is usual: judged by effect and chance"

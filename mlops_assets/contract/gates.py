"""Rules that must hold for promotion, declared as data.

A gate judges an evaluation report, or the comparison with the champion. How it is judged is in ``gate_verdicts.py``;
computing figures belongs in ``report.py`` and ``significance.py``. ``needs`` says in words what a gate demands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from mlops_assets.contract.declared_numbers import ONE_OR_MORE, ZERO_OR_MORE, refuse_numbers
from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.severity import Severity

Judge = Literal["interval", "point"]
FewRows = Literal["fail", "skip"]
Baselines = Literal["constant and linear", "constant"]
Rate = Literal["selection_rate", "true_positive_rate", "false_positive_rate", "score_bias"]


@dataclass(frozen=True, kw_only=True)
class MetricBound:
    """The overall figure of ``metric`` is at least, or at most, a bound.

    By default the interval is judged: its lower end must reach ``at_least``, its upper end stay within
    ``at_most``. ``judge="point"`` judges the value alone.
    """

    metric: str
    at_least: float | None = None
    at_most: float | None = None
    judge: Judge = "interval"
    severity: Severity = Severity.ERROR

    def __post_init__(self) -> None:
        _refuse_empty_bound(self)
        refuse_numbers(self)

    @property
    def name(self) -> str:
        return f"{_plain(self.metric)}_within_bounds"

    @property
    def needs(self) -> str:
        return _bounds(self.at_least, self.at_most, judge=self.judge)


@dataclass(frozen=True, kw_only=True)
class SliceBound:
    """The figure of ``metric`` is within bounds on every segment of ``slice`` that has at least ``min_rows``
    rows.

    A segment with fewer rows fails, unless ``few_rows="skip"`` says that small ones are expected there; then
    at least one segment must be left to judge. ``required`` names segments (``carrier=UA``) that must be
    there with enough rows whatever else holds.
    """

    slice: str
    metric: str
    min_rows: int
    at_least: float | None = None
    at_most: float | None = None
    judge: Judge = "interval"
    few_rows: FewRows = "fail"
    required: tuple[str, ...] = ()
    severity: Severity = Severity.ERROR

    def __post_init__(self) -> None:
        _refuse_empty_bound(self)
        refuse_numbers(self, min_rows=ONE_OR_MORE)

    @property
    def name(self) -> str:
        return f"{_plain(self.metric)}_within_bounds_by_{self.slice}"

    @property
    def needs(self) -> str:
        bounds = _bounds(self.at_least, self.at_most, judge=self.judge)
        return f"{bounds}, on every segment of {self.min_rows} rows or more"


@dataclass(frozen=True, kw_only=True)
class NotWorseThanChampion:
    """A paired test on the same rows rules out that ``metric`` is worse than the champion's by more than
    ``margin``.

    Without a champion the model must be better than the constant prior beyond chance, and the test must rule out that
    it is worse than the simple linear model by more than ``margin``; with ``first="constant"`` the prior is enough.
    """

    metric: str
    margin: float = 0.0
    first: Baselines = "constant and linear"
    severity: Severity = Severity.ERROR

    def __post_init__(self) -> None:
        refuse_numbers(self, margin=ZERO_OR_MORE)

    @property
    def name(self) -> str:
        return f"{_plain(self.metric)}_not_worse_than_champion"

    @property
    def needs(self) -> str:
        gain = _bounds(0 - self.margin, None, judge="interval")
        return f"a gain of {gain}; of a first model above 0 against the constant prior"


@dataclass(frozen=True, kw_only=True)
class BetterThanChampion:
    """A paired test on the same rows shows that ``metric`` is better than the champion's by more than ``by``.

    For use cases where a change must pay. Without a champion the same is demanded against each baseline.
    """

    metric: str
    by: float = 0.0
    severity: Severity = Severity.ERROR

    def __post_init__(self) -> None:
        refuse_numbers(self, by=ZERO_OR_MORE)

    @property
    def name(self) -> str:
        return f"{_plain(self.metric)}_better_than_champion"

    @property
    def needs(self) -> str:
        return f"a gain above {self.by:.4g} at the lower end of the interval"


@dataclass(frozen=True, kw_only=True)
class NoSliceRegressed:
    """On no segment of ``slice`` is ``metric`` worse than the opponent's by more than ``margin``, beyond chance.

    One paired test per segment with enough rows, at the level 0.05 for all of them together (Holm 1979). A segment
    where a small loss cannot be ruled out passes: that is for ``NotWorseThanChampion`` overall. A segment with too few
    rows to test fails, unless ``few_rows="skip"`` says that small ones are expected; one that the champion was judged
    on and that is gone fails always.
    """

    slice: str
    metric: str
    margin: float = 0.0
    few_rows: FewRows = "fail"
    severity: Severity = Severity.ERROR

    def __post_init__(self) -> None:
        refuse_numbers(self, margin=ZERO_OR_MORE)

    @property
    def name(self) -> str:
        return f"{_plain(self.metric)}_regressed_on_no_{self.slice}"

    @property
    def needs(self) -> str:
        return f"no segment worse by more than {self.margin:.4g} beyond chance"


@dataclass(frozen=True, kw_only=True)
class TrainTestGap:
    """``metric`` on rows that were trained on is better than on test rows by at most ``at_most``.

    By default the upper end of the gap's interval is judged, ``judge="point"`` judges the gap alone. A larger gap is a
    model that learnt its rows by heart, or test rows that are not like them.
    """

    metric: str
    at_most: float
    judge: Judge = "interval"
    severity: Severity = Severity.ERROR

    def __post_init__(self) -> None:
        refuse_numbers(self)

    @property
    def name(self) -> str:
        return f"{_plain(self.metric)}_gap_to_training_within_bounds"

    @property
    def needs(self) -> str:
        return _bounds(None, self.at_most, judge=self.judge)


@dataclass(frozen=True, kw_only=True)
class FairnessBound:
    """The groups of the protected slice ``slice`` differ in ``rate`` by at most a gap, or at least keep a ratio.

    By default the interval is judged: the upper end of the largest gap must be within ``largest_gap``, the lower end
    of the smallest ratio must reach ``smallest_ratio``. A group without enough rows fails, unless ``few_rows="skip"``
    says that small ones are expected; ``required`` names those that must be judged all the same. A group that the
    champion was judged on and that is gone fails always.
    """

    slice: str
    rate: Rate
    largest_gap: float | None = None
    smallest_ratio: float | None = None
    judge: Judge = "interval"
    few_rows: FewRows = "fail"
    required: tuple[str, ...] = ()
    severity: Severity = Severity.ERROR

    def __post_init__(self) -> None:
        if self.largest_gap is None and self.smallest_ratio is None:
            raise DeclarationError(f"Gate {self.name} needs largest_gap, smallest_ratio or both.")
        refuse_numbers(self, largest_gap=ZERO_OR_MORE, smallest_ratio=ZERO_OR_MORE)

    @property
    def name(self) -> str:
        return f"{self.rate}_is_fair_by_{self.slice}"

    @property
    def needs(self) -> str:
        gap = _bounds(None, self.largest_gap, judge=self.judge)
        ratio = _bounds(self.smallest_ratio, None, judge=self.judge)
        return " and ".join(
            f"{what} {bound}" for what, bound in (("largest gap", gap), ("smallest ratio", ratio)) if bound
        )


AgainstChampion = NotWorseThanChampion | BetterThanChampion
Gate = MetricBound | SliceBound | AgainstChampion | NoSliceRegressed | TrainTestGap | FairnessBound


def _refuse_empty_bound(gate: MetricBound | SliceBound) -> None:
    if gate.at_least is None and gate.at_most is None:
        raise DeclarationError(f"Gate {gate.name} needs at_least, at_most or both.")


def _plain(metric: str) -> str:
    """``recall_score_bee`` of ``recall_score[bee]``: a check's name has only letters, digits and underscores."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", metric).strip("_")


def _bounds(least: float | None, most: float | None, *, judge: Judge) -> str:
    """``at least 0.65 at the lower end of the interval``; nothing without a bound."""
    lower, upper = (f" at the {end} end of the interval" if judge == "interval" else "" for end in ("lower", "upper"))
    told = [] if least is None else [f"at least {least:.4g}{lower}"]
    return " and ".join(told if most is None else [*told, f"at most {most:.4g}{upper}"])

"""Whether the label was sampled alike over time: its shares, or its mean, by period, and where they change for good.

Three things are told. *By period*: the share of positives, of each class, or the mean. *Whether periods differ at all*:
Pearson's chi-square, of numbers Kruskal and Wallis's test, which is the same sum over ranks; of many rows it finds the
smallest season, so it warns of nothing. *Whether sampling changed*: the one cut into before and after that explains
most. Periods differ by more than chance in nature, so what the cut explains is held against how much periods differ on
either side of it (quasi-likelihood: McCullagh & Nelder 1989, section 4.5): an F test, times the number of cuts tried
(Bonferroni). With fewer than four periods nothing tells how much they differ by nature, and rows alone count.

A warning needs both: a change beyond chance at 0.01, and one that matters, Cohen's h of 0.5 or more in a share (1988;
10 % against 28 %, or 50 % against 26 %), of numbers 64 % of pairs in which the later is larger, or smaller (Vargha &
Delaney 2000). Where rows would not show such a change in four of five cases, the check says that it cannot tell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import TypeAdapter
from scipy.special import chdtrc, chdtri, fdtrc, fdtri, ndtri
from scipy.stats import rankdata

from mlops_assets.contract.arrays import Floats, Ints
from mlops_assets.contract.checks import CheckResult, Figure
from mlops_assets.contract.severity import Severity
from mlops_assets.contract.tasks import Binary, Multiclass, Task

SAMPLED_ALIKE = "label_is_sampled_alike_over_time"
LEVEL = 0.01
POWER = 0.9  # four of five in simulation, as dispersion is estimated too and never below 1
MATTERS, MATTERS_OF_NUMBERS = 0.5, 0.14
FEWEST_ROWS = 30
"""How many rows each side of a cut needs, and a period on average."""
FEWEST_EXPECTED = 5.0
"""How many of the rarest outcome a period is to be expected to have, or chi-square does not hold (Cochran 1954)."""
OVERDISPERSED_FROM = 4
UNITS = ("day", "week", "month", "quarter", "year")
FEWEST_PERIODS = 4


@dataclass(frozen=True, kw_only=True)
class Period:
    """One period: its ``rows`` and, for each of what is told, the share or the mean, with its standard error."""

    name: str
    rows: int
    values: tuple[float, ...]
    errors: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Change:
    """Where the label changed most: from period ``at`` on ``what`` is ``after`` and was ``before``."""

    at: str
    what: str
    before: float
    after: float
    rows_before: int
    rows_after: int
    effect: float
    p_value: float
    matters: bool


@dataclass(frozen=True, kw_only=True)
class LabelByTime:
    """The label by period. ``p_value`` is that of no difference at all, ``dispersion`` how many times more than by
    chance periods differ; ``lacking`` says why a change could not be told.
    """

    by: str
    what: tuple[str, ...]
    periods: tuple[Period, ...]
    p_value: float | None
    dispersion: float
    change: Change | None
    lacking: str | None = None

    def to_json(self) -> bytes:
        return TypeAdapter(LabelByTime).dump_json(self, indent=1)

    @classmethod
    def from_json(cls, text: bytes | str) -> LabelByTime:
        return TypeAdapter(LabelByTime).validate_json(text)


@dataclass(frozen=True, kw_only=True)
class _Scored:
    """Sums per period of what is tested, of shapes (periods,) and (periods, columns); ``factors`` make squares around
    the mean a chi-square of ``freedom`` degrees per period.
    """

    rows: Floats
    sums: Floats
    factors: Floats
    freedom: int

    @property
    def chi_square(self) -> float:
        return self._between(self.rows, self.sums)

    def of_cuts(self) -> Floats:
        """What each cut explains of it: the first is after the first period."""
        rows, sums = np.cumsum(self.rows), np.cumsum(self.sums, axis=0)
        return np.array(
            [
                self._between(np.array([rows[i], rows[-1] - rows[i]]), np.stack([sums[i], sums[-1] - sums[i]]))
                for i in range(len(rows) - 1)
            ]
        )

    def _between(self, rows: Floats, sums: Floats) -> float:
        mean = sums.sum(axis=0) / rows.sum()
        return float((rows[:, None] * np.square(sums / rows[:, None] - mean) * self.factors).sum())


def periods_of(times: np.ndarray) -> tuple[str, Ints, list[str]]:
    """The unit that times are told by, the place of each row's period, and the periods' names in order.

    Months, or weeks or days where there are not four; longer ones where they hold too few rows.
    """
    days = times.astype("datetime64[D]")
    finest = next(
        (unit for unit in ("month", "week", "day") if len(np.unique(_cut(days, unit))) >= FEWEST_PERIODS), "day"
    )
    for unit in UNITS[UNITS.index(finest) :]:
        starts, codes = np.unique(_cut(days, unit), return_inverse=True)
        if len(days) >= FEWEST_ROWS * len(starts) or unit == UNITS[-1]:
            break
    return unit, codes, [_named(start, unit=unit) for start in starts]


def _cut(days: np.ndarray, unit: str) -> np.ndarray:
    if unit == "quarter":
        return (days.astype("datetime64[M]").astype(np.int64) // 3 * 3).astype("datetime64[M]").astype("datetime64[D]")
    if unit == "week":  # day 0 was a Thursday; weeks begin on Mondays
        return ((days.astype(np.int64) + 3) // 7 * 7 - 3).astype("datetime64[D]")
    return days.astype({"day": "datetime64[D]", "month": "datetime64[M]", "year": "datetime64[Y]"}[unit]).astype(
        "datetime64[D]"
    )


def _named(start: np.datetime64, *, unit: str) -> str:
    text = str(start)
    return {"year": text[:4], "quarter": f"{text[:4]}-Q{(int(text[5:7]) + 2) // 3}", "month": text[:7]}.get(unit, text)


def label_by_time(labels: Floats, *, codes: Ints, names: Sequence[str], by: str, task: Task) -> LabelByTime:
    """``labels`` by period: ``codes`` are the places of the rows' periods in ``names``, each of which has rows."""
    told, what = _told(labels, task=task)
    rows = np.bincount(codes, minlength=len(names)).astype(np.float64)
    means = _sums(told, codes, len(names)) / rows[:, None]
    squares = _sums(np.square(told - means[codes]), codes, len(names))
    errors = np.sqrt(squares / np.maximum(rows - 1, 1)[:, None] / rows[:, None])
    periods = [
        Period(name=name, rows=int(count), values=tuple(mean), errors=tuple(error))
        for name, count, mean, error in zip(names, rows, means.tolist(), errors.tolist(), strict=True)
    ]
    lacking = _too_little(rows) or (None if len(np.unique(labels)) > 1 else "the label is the same in every row")
    if lacking:
        return LabelByTime(
            by=by, what=what, periods=tuple(periods), p_value=None, dispersion=1.0, change=None, lacking=lacking
        )
    tested = _scored(labels, told, codes=codes, periods=len(names), task=task)
    return _judged(tested, means, by=by, what=what, periods=periods, task=task)


def _told(labels: Floats, *, task: Task) -> tuple[Floats, tuple[str, ...]]:
    """One column per thing that is told of each row, and what each is."""
    if isinstance(task, Multiclass):
        one_hot = (labels[:, None] == np.arange(len(task.classes))).astype(np.float64)
        return one_hot, tuple(f"the share of '{word}'" for word in task.classes)
    return labels[:, None], ("the share of positives" if isinstance(task, Binary) else "the mean",)


def _sums(values: Floats, codes: Ints, periods: int) -> Floats:
    return np.stack([np.bincount(codes, weights=column, minlength=periods) for column in values.T], axis=1)


def _scored(labels: Floats, told: Floats, *, codes: Ints, periods: int, task: Task) -> _Scored:
    rows = np.bincount(codes, minlength=periods).astype(np.float64)
    if isinstance(task, Binary | Multiclass):
        share = told.mean(axis=0)
        rest = 1 - share if isinstance(task, Binary) else np.ones(len(share))
        factors = np.divide(1, share * rest, out=np.zeros_like(share), where=share * rest > 0)
        freedom = max(int((share > 0).sum()) - 1, 1) if isinstance(task, Multiclass) else 1
        return _Scored(rows=rows, sums=_sums(told, codes, periods), factors=factors, freedom=freedom)
    ranks = rankdata(labels)
    spread = np.square(ranks - ranks.mean()).sum()
    factor = np.array([(len(labels) - 1) / spread if spread else 0.0])
    return _Scored(rows=rows, sums=_sums(ranks[:, None], codes, periods), factors=factor, freedom=1)


def _too_little(rows: Floats) -> str | None:
    if len(rows) < 2:
        return "there is one period only"
    return None if rows.sum() >= FEWEST_ROWS * 2 else f"{int(rows.sum())} rows, needs {FEWEST_ROWS * 2}"


def _judged(
    tested: _Scored, means: Floats, *, by: str, what: tuple[str, ...], periods: list[Period], task: Task
) -> LabelByTime:
    rows, whole, cuts = tested.rows, tested.chi_square, tested.of_cuts()
    count, before = len(rows), np.cumsum(tested.rows)[:-1]
    allowed = (before >= FEWEST_ROWS) & (rows.sum() - before >= FEWEST_ROWS)
    best = int(np.argmax(np.where(allowed, cuts, -1)))
    freedom, within = tested.freedom, tested.freedom * (count - 2)
    known = count >= OVERDISPERSED_FROM
    dispersion = max((whole - cuts[best]) / within, 1.0) if known else 1.0
    p = fdtrc(freedom, within, cuts[best] / freedom / dispersion) if known else chdtrc(freedom, cuts[best])
    change = _change(best, rows, means, tested, what=what, periods=periods, task=task, p=min(p * (count - 1), 1.0))
    lacking = None if allowed.any() else f"no cut leaves {FEWEST_ROWS} rows on both sides"
    return LabelByTime(
        by=by,
        what=what,
        periods=tuple(periods),
        p_value=_p_of_any(tested, whole) if isinstance(task, Binary | Multiclass) else float(chdtrc(count - 1, whole)),
        dispersion=float(dispersion),
        change=change if allowed.any() else None,
        lacking=lacking or _powerless(tested, change, dispersion=dispersion, task=task),
    )


def _p_of_any(tested: _Scored, whole: float) -> float | None:
    """That of no difference, ``None`` where too few of an outcome are to be expected in more than a fifth of cells."""
    share = tested.sums.sum(axis=0) / tested.rows.sum()
    rarest = np.minimum(share, 1 - share) if len(share) == 1 else share[share > 0]
    thin = (tested.rows[:, None] * rarest < FEWEST_EXPECTED).mean()
    return None if thin > 1 / 5 else float(chdtrc(tested.freedom * (len(tested.rows) - 1), whole))


def _change(
    best: int,
    rows: Floats,
    means: Floats,
    tested: _Scored,
    *,
    what: tuple[str, ...],
    periods: list[Period],
    task: Task,
    p: float,
) -> Change:
    sides = np.arange(len(rows)) > best
    before, after = (np.average(means[chosen], axis=0, weights=rows[chosen]) for chosen in (~sides, sides))
    if isinstance(task, Binary | Multiclass):
        effects = 2 * np.arcsin(np.sqrt(after)) - 2 * np.arcsin(np.sqrt(before))
        least = MATTERS
    else:
        ranks = [tested.sums[chosen].sum() / rows[chosen].sum() for chosen in (~sides, sides)]
        effects, least = np.array([(ranks[1] - ranks[0]) / rows.sum()]), MATTERS_OF_NUMBERS
    most = int(np.abs(effects).argmax())
    return Change(
        at=periods[best + 1].name,
        what=what[most],
        before=float(before[most]),
        after=float(after[most]),
        rows_before=int(rows[~sides].sum()),
        rows_after=int(rows[sides].sum()),
        effect=float(effects[most]),
        p_value=float(p),
        matters=bool(p < LEVEL and abs(effects[most]) >= least),
    )


def _powerless(tested: _Scored, change: Change, *, dispersion: float, task: Task) -> str | None:
    """That a change in the middle that matters would be missed in more than one case of five; none if one was found."""
    rows, cuts, freedom = tested.rows, len(tested.rows) - 1, tested.freedom
    if len(rows) >= OVERDISPERSED_FROM:
        critical = freedom * float(fdtri(freedom, freedom * (cuts - 1), 1 - LEVEL / cuts))
    else:
        critical = float(chdtri(freedom, LEVEL / cuts))
    half, z = rows.sum() / 2, math.sqrt(critical) + float(ndtri(POWER))
    if isinstance(task, Binary | Multiclass):
        least, error = MATTERS, math.sqrt(2 / half)
    else:
        least, error = MATTERS_OF_NUMBERS, math.sqrt((2 * half + 1) / (12 * half * half))
    needed = math.ceil(rows.sum() * (z * error * math.sqrt(dispersion) / least) ** 2)
    if change.matters or needed <= rows.sum():
        return None
    by_nature = f", as periods differ {dispersion:.0f} times as much as by chance" if dispersion >= 2 else ""
    return f"{int(rows.sum())} rows, needs {needed}{by_nature}"


def audit_label_by_time(found: LabelByTime, *, task: Task) -> CheckResult:
    """``SAMPLED_ALIKE``, as a check that warns."""
    change, figures = found.change, {"periods": len(found.periods), "by": found.by, "dispersion": found.dispersion}
    told: dict[str, Figure] = {name: each for name, each in figures.items() if isinstance(each, Figure)}
    if found.p_value is not None:
        told["p_of_no_difference"] = found.p_value
    if change is not None:
        told |= {"changes_most_at": change.at, "before": change.before, "after": change.after, "p": change.p_value}
    if found.lacking:
        told["insufficient_data"] = found.lacking
    matters = change is not None and change.matters
    return CheckResult(
        name=SAMPLED_ALIKE,
        passed=not matters,
        severity=Severity.WARN,
        figures=told,
        reasons=(told_change(change, task=task),) if change is not None and matters else (),
    )


def told_change(change: Change, *, task: Task) -> str:
    """As two sentences."""
    form = ".1%" if isinstance(task, Binary | Multiclass) else ".4g"
    return (
        f"From {change.at} on {change.what} is {change.after:{form}} of {change.rows_after:,} rows; before it was "
        f"{change.before:{form}} of {change.rows_before:,}. Was it sampled otherwise? What was learnt from one does "
        "not hold for the other: scores, threshold and calibration."
    )

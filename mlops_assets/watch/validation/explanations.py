"""Real change or artefact? What explains that a column moved, in one sentence with its evidence.

Works on profiles alone: of the batch as it landed, and of its reference. That something moved is decided in
``drift.py``; an explanation is tried from the most particular (two columns swapped) to the most general (everything
moved a little), and must leave a distance that is usual for the column, so that a cold day is not taken for Celsius.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mlops_assets.contract.anomalies import Cause
from mlops_assets.contract.slices import MISSING, OVERALL
from mlops_assets.watch.profiles.cells import Floats
from mlops_assets.watch.profiles.profile import CATEGORY, ColumnProfile, Profile
from mlops_assets.watch.validation.value_forms import Form

CONVERSIONS: tuple[tuple[str, float, float], ...] = (
    ("miles to kilometres", 1.609344, 0.0),
    ("kilometres to miles", 0.621371, 0.0),
    ("feet to metres", 0.3048, 0.0),
    ("metres to feet", 3.28084, 0.0),
    ("inches to millimetres", 25.4, 0.0),
    ("inches to centimetres", 2.54, 0.0),
    ("millibar to inches of mercury", 0.02953, 0.0),
    ("millibar to kilopascal", 0.1, 0.0),
    ("miles an hour to metres a second", 0.44704, 0.0),
    ("miles an hour to knots", 0.868976, 0.0),
    ("pounds to kilograms", 0.453592, 0.0),
    ("kilograms to pounds", 2.20462, 0.0),
    ("degrees Fahrenheit to Celsius", 5 / 9, -160 / 9),
    ("degrees Celsius to Fahrenheit", 9 / 5, 32.0),
    ("degrees Fahrenheit to kelvin", 5 / 9, 255.3722),
    ("angles in degrees to radians", 0.0174533, 0.0),
    ("minutes to hours", 1 / 60, 0.0),
    ("hours or minutes to minutes or seconds", 60.0, 0.0),
    ("thousandfold", 1000.0, 0.0),
    ("a thousandth", 0.001, 0.0),
    ("hundredfold", 100.0, 0.0),
    ("percent to shares", 0.01, 0.0),
    ("tenfold", 10.0, 0.0),
    ("with the sign turned", -1.0, 0.0),
)
"""What a unit change does to a number: name, factor, and what is added after."""
_SHARES = np.arange(0.02, 0.99, 0.02)
_LEFT = 0.3
"""A conversion explains a shift if it leaves at most this part of it,"""
_GOOD, _TYPICAL = 0.1, 0.25
"""and either the first part of it, or the second of what is usual: of so many one always fits a bit."""
_KNOWN = 0.5
"""Where more values than this part are known as they are, and fewer once converted back, no unit changed."""
_ROUNDED_FACTOR = 2e-4
"""People write 0.447 for 0.44704."""
_SPREAD = 3.0
"""A conversion changes the deviation by its factor, within this much: calm days have constant values, too."""
_HOT = 160.0
"""What is higher is no temperature of the air."""
_COMPLETE = 0.05
"""A shift that an explanation leaves less of (in deviations) is gone."""
_LARGE = 0.02
"""Segments and values with a smaller share of the reference are too rare to be missed."""
_MANY_MISSING = 0.1
"""Where so much more is missing than usual, what is there says little of what is not."""
_GONE = 0.2
"""A segment is missing if it has less than this part of its usual rows."""
_SEGMENT_ROWS = 30
_AS_MUCH = 0.25
"""A segment moves along with all rows if it moves by at least this part of what they do."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """A profile whose columns are looked up often."""

    profile: Profile
    _read: dict[int, ColumnProfile] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def _places(self) -> dict[tuple[str, str], int]:
        names = zip(*(self.profile.table[name].to_pylist() for name in ("scope", "column")), strict=True)
        return {name: place for place, name in enumerate(names)}

    @cached_property
    def rows(self) -> dict[str, int]:
        """Rows by scope."""
        table = self.profile.table
        return dict(zip(table["scope"].to_pylist(), table["rows"].to_pylist(), strict=True))

    def of(self, column: str, *, scope: str = OVERALL) -> ColumnProfile | None:
        """One column's figures; ``None`` where there are none."""
        place = self._places.get((scope, column))
        if place is not None and place not in self._read:
            self._read[place] = self.profile.at(place)
        return None if place is None else self._read[place]


@dataclass(frozen=True, kw_only=True)
class Moved:
    """The column to explain, in the batch and in its reference, which are ``batches`` merged.

    ``usual`` is the distance, in deviations, that is usual for a number; ``outside`` says whether nearly all numbers
    lie beyond the reference. ``scope`` is the segment that moved, if one did alone.
    """

    column: str
    found: Figures
    reference: Figures
    batches: int
    usual: float = 0.0
    outside: bool = False
    scope: str = OVERALL


def explain(moved: Moved) -> Form | None:
    """The first explanation that its evidence carries."""
    found, reference = (each.of(moved.column, scope=moved.scope) for each in (moved.found, moved.reference))
    if found is None or reference is None or not found.rows or not reference.rows:
        return None
    for explanation in _EXPLANATIONS:
        form = explanation(moved, found, reference)
        if form is not None:
            return form
    return None


def _constant(moved: Moved, found: ColumnProfile, reference: ColumnProfile) -> Form | None:
    """One value in all rows, where there usually are several."""
    if found.present < _SEGMENT_ROWS or found.distinct != 1.0 or (reference.distinct or 2.0) < 2:
        return None
    value = found.values[0] if found.kind == CATEGORY else f"{found.minimum:g}"
    before = _value_shares(reference).get(value, 0.0)
    if before > _KNOWN:
        return None
    said = f"{moved.column} is {value} in all {found.present} rows, usually in {before:.1%} of them."
    return Form(cause=Cause.CONSTANT, explanation=said)


def _values_missing(moved: Moved, found: ColumnProfile, reference: ColumnProfile) -> Form | None:
    """Many more values are missing than usual, and that alone moved the others: the rows are there."""
    risen = (found.missing_share or 0.0) - (reference.missing_share or 0.0)
    if risen < _MANY_MISSING:
        return None
    per_batch = reference.rows / moved.batches
    shares = f"{found.missing_share:.0%} of the rows, usually in {reference.missing_share:.0%}"
    there = f"values are missing, the rows are there ({found.rows}, usually {per_batch:.0f})"
    said = f"{moved.column} is missing in {shares}: {there}."
    return Form(cause=Cause.VALUES_MISSING, explanation=said)


def _swapped(moved: Moved, found: ColumnProfile, reference: ColumnProfile) -> Form | None:
    """Another column has this one's values, and this one has that other's."""
    if found.kind == CATEGORY:
        return None
    own = _apart(found, reference)
    for name in moved.reference.profile.columns:
        other, others_past = moved.found.of(name), moved.reference.of(name)
        if name == moved.column or not other or not others_past or others_past.kind != found.kind:
            continue
        crossed = max(_apart(found, others_past), _apart(other, reference))
        straight = min(own, _apart(other, others_past))
        if np.isfinite(crossed) and straight > _COMPLETE * 4 and crossed < _LEFT * straight:
            said = f"{moved.column} has the values of {name}, and {name} those of {moved.column}."
            return Form(cause=Cause.SWAPPED_COLUMNS, explanation=said)
    return None


def _missing_as_constant(moved: Moved, found: ColumnProfile, reference: ColumnProfile) -> Form | None:
    """Fewer values are missing, and about as many more are one and the same."""
    fallen = (reference.missing_share or 0.0) - (found.missing_share or 0.0)
    if fallen < _LARGE or not len(found.counts):
        return None
    now, before = _value_shares(found), _value_shares(reference)
    risen = {value: share - before.get(value, 0.0) for value, share in now.items()}
    value = max(risen, key=lambda each: risen[each])
    next_most = max((rise for each, rise in risen.items() if each != value), default=0.0)
    if not 0.6 * fallen < risen[value] < 1.6 * fallen or risen[value] < 2 * next_most:
        return None
    said = (
        f"Missing values have become {value}: {reference.missing_share:.1%} are usually missing, now "
        f"{found.missing_share:.1%}, and {value} rose from {before.get(value, 0.0):.1%} to {now[value]:.1%}."
    )
    return Form(cause=Cause.MISSING_AS_CONSTANT, explanation=said)


def _renamed(moved: Moved, found: ColumnProfile, reference: ColumnProfile) -> Form | None:
    """A value vanished and one appeared that is as frequent and has the same companions."""
    if found.kind != CATEGORY:
        return None
    now, before = _value_shares(found), _value_shares(reference)
    vanished = {value: share for value, share in before.items() if share >= _LARGE and value not in now}
    appeared = {value: share for value, share in now.items() if share >= _LARGE / 2 and value not in before}
    pairs = [
        (old, new)
        for old in vanished
        for new in appeared
        if 0.5 < appeared[new] / vanished[old] < 2.0 and _same_companions(moved, old=old, new=new)
    ]
    if not pairs:
        return None
    old, new = min(pairs, key=lambda pair: abs(np.log(appeared[pair[1]] / vanished[pair[0]])))
    more = f" ({min(len(vanished), len(appeared))} values in all)" if min(len(vanished), len(appeared)) > 1 else ""
    said = (
        f"'{old}' vanished ({vanished[old]:.1%} of the rows before) and '{new}' appeared ({appeared[new]:.1%}), with "
        f"the same companions{more}."
    )
    return Form(cause=Cause.CATEGORY_RENAMED, explanation=said)


def _same_companions(moved: Moved, *, old: str, new: str) -> bool:
    """The rows of both values look alike in the other categories; held for true where no segment tells."""
    apart = []
    for name in moved.reference.profile.columns:
        before = moved.reference.of(name, scope=f"{moved.column}={old}")
        now = moved.found.of(name, scope=f"{moved.column}={new}")
        if before and now and before.kind == CATEGORY and name != moved.column and before.present and now.present:
            shares, others = _value_shares(now), _value_shares(before)
            apart.append(sum(abs(shares.get(v, 0.0) - others.get(v, 0.0)) for v in {*shares, *others}) / 2)
    return not apart or float(np.median(apart)) < 0.5


def _converted(moved: Moved, found: ColumnProfile, reference: ColumnProfile) -> Form | None:
    """A known unit change, or one factor or offset that fits nearly perfectly."""
    if found.kind == CATEGORY or not found.present or not reference.present:
        return None
    now, before = _quantiles(found), _quantiles(reference)
    deviation, apart = reference.deviation or 0.0, _distance(now, before, reference.deviation)
    if apart <= _COMPLETE or (apart <= moved.usual and not moved.outside) or np.mean(before != 0) < 0.5:
        return None
    allowed = min(_LEFT * apart, max(moved.usual, _COMPLETE), max(_GOOD * apart, _TYPICAL * moved.usual))
    exact = moved.reference.of(moved.column) or reference
    as_is = _known_share(found, exact, factor=1.0, added=0.0)
    fitting = []
    for name, factor, added in CONVERSIONS:
        left = _distance(np.sort((now - added) / factor), before, deviation)
        spread = (found.deviation or 0.0) / (abs(factor) * deviation) if deviation else 1.0
        fits = not name.startswith("degrees") or np.abs(before).max() < _HOT
        fits = fits and not _already_known(found, reference, factor=factor, added=added)
        known = _known_share(found, exact, factor=factor, added=added)
        sure = known > _KNOWN and as_is < known / 2
        near = left <= apart if sure else left <= allowed and 1 / _SPREAD < spread < _SPREAD
        if fits and near:
            fitting.append((not sure, left, name, factor))
    if fitting:
        _, _, name, factor = min(fitting)
        said = f"{moved.column} is as usual if converted from {name}"
        shown = f" (times {factor:.4g})" if not name.startswith("degrees") and "sign" not in name else ""
        return Form(cause=Cause.FACTOR, explanation=f"{said}{shown}: {_medians(found, reference)}.")
    return _offset(moved, found, reference)


def _already_known(found: ColumnProfile, reference: ColumnProfile, *, factor: float, added: float) -> bool:
    """Most values are ones that the reference has, and fewer would be if they were converted back.

    Wind from one side all day has the directions of every day, not those in another unit.
    """
    if found.width or reference.width:
        return False
    shares = [
        float(found.counts[np.isclose(values[:, None], reference.lows, rtol=1e-6).any(axis=1)].sum()) / found.present
        for values in (found.lows, (found.lows - added) / factor)
    ]
    return shares[0] > _KNOWN and shares[1] < shares[0]


def _known_share(found: ColumnProfile, reference: ColumnProfile, *, factor: float, added: float) -> float:
    """The share of values that the reference has once they are converted back, as exactly as they are written, less
    the share that any values would have: that of the reference's range that lies as near to one of its own."""
    if found.width or reference.width or not found.present:
        return 0.0
    digits = next((n for n in range(7) if np.allclose(found.lows, np.round(found.lows, n), rtol=0, atol=1e-9)), 7)
    back = (found.lows - added) / factor
    near = np.maximum(0.5 * 10.0**-digits / abs(factor), _ROUNDED_FACTOR * np.abs(back)) + 1e-9
    known = (np.abs(back[:, None] - reference.lows) <= near[:, None]).any(axis=1)
    span = max(float(reference.lows[-1] - reference.lows[0]), 1e-9)
    by_chance = min(2 * float(np.average(near, weights=found.counts)) * len(reference.lows) / span, 1.0)
    return float(found.counts[known].sum()) / found.present - by_chance


def _offset(moved: Moved, found: ColumnProfile, reference: ColumnProfile) -> Form | None:
    """The same distribution, a constant further on."""
    now, before = _quantiles(found), _quantiles(reference)
    deviation = reference.deviation or 0.0
    by = float(np.median(now - before))
    apart, left = _distance(now, before, deviation), _distance(now - by, before, deviation)
    whole = deviation == 0 and found.minimum == found.maximum
    if not whole and (left > 0.15 * apart or left > 2 * _COMPLETE or abs(by) < 0.1 * deviation):
        return None
    unit = " hours" if found.kind == "time" else ""
    said = f"{moved.column} is as usual but for {by:+.4g}{unit} in every value: {_medians(found, reference)}."
    return Form(cause=Cause.OFFSET, explanation=said)


def _rows_missing(moved: Moved, found: ColumnProfile, reference: ColumnProfile) -> Form | None:
    """A segment has far fewer rows than usual, the others have theirs; or the rows end early."""
    own = f"{moved.column}="
    for scope, expected, rows in sorted(_segments(moved), key=lambda each: (not each[0].startswith(own), -each[1])):
        if expected >= _LARGE * reference.rows / moved.batches and rows < _GONE * expected:
            said = (
                f"Rows of {scope} are missing: {rows} instead of about {expected:.0f}; the other segments have theirs."
            )
            return Form(cause=Cause.ROWS_MISSING, explanation=said)
    return _cut_off(moved, found, reference)


def _cut_off(moved: Moved, found: ColumnProfile, reference: ColumnProfile) -> Form | None:
    """No row beyond a value where usually many are, and fewer rows by as much."""
    per_batch = reference.rows / moved.batches
    if found.kind == CATEGORY or found.minimum is None or found.maximum is None or found.rows > 0.9 * per_batch:
        return None
    if (found.missing_share or 0.0) - (reference.missing_share or 0.0) > _MANY_MISSING:
        return None  # values are missing, the rows are there
    middle = reference.lows + reference.width / 2
    total = max(int(reference.counts.sum()), 1)
    for lacking, said in (
        (middle > found.maximum + reference.width, f"beyond {found.maximum:g}"),
        (middle < found.minimum - reference.width, f"below {found.minimum:g}"),
    ):
        share = float(reference.counts[lacking].sum()) / total
        if share > 0.1 and abs(found.rows / per_batch - (1 - share)) < 0.15:
            said = (
                f"Rows with {moved.column} {said} are missing, {share:.0%} of a usual batch: {found.rows} rows instead "
                f"of {per_batch:.0f}."
            )
            return Form(cause=Cause.ROWS_MISSING, explanation=said)
    return None


def _broad(moved: Moved, found: ColumnProfile, reference: ColumnProfile) -> Form | None:
    """The same direction in nearly every segment, or the segments that stand out."""
    signs: dict[str, float] = {}
    figure = _figure(found, reference)
    for scope, _, rows in _segments(moved):
        now, before = moved.found.of(moved.column, scope=scope), moved.reference.of(moved.column, scope=scope)
        values = (figure(now), figure(before)) if now and before and rows >= _SEGMENT_ROWS else (None, None)
        if values[0] is not None and values[1] is not None:
            signs[scope] = values[0] - values[1]
    whole = (figure(found), figure(reference))
    if len(signs) < 3 or whole[0] is None or whole[1] is None:
        return None
    direction = np.sign(whole[0] - whole[1])
    least = abs(whole[0] - whole[1]) * _AS_MUCH
    same = [scope for scope, change in signs.items() if change * direction > least]
    name = "mean" if figure is _mean else "missing share"
    if len(same) < 0.8 * len(signs):
        return None
    word = "rose" if direction > 0 else "fell"
    told = [f"{value:.4g}" if figure is _mean else f"{value:.1%}" for value in whole]
    said = (
        f"The {name} of {moved.column} {word} in {len(same)} of {len(signs)} segments, overall from {told[1]} to "
        f"{told[0]}: a broad change."
    )
    return Form(cause=Cause.BROAD_CHANGE, explanation=said)


_Explanation = Callable[[Moved, ColumnProfile, ColumnProfile], Form | None]
_EXPLANATIONS: tuple[_Explanation, ...] = (
    _missing_as_constant,
    _constant,
    _renamed,
    _swapped,
    _rows_missing,
    _converted,
    _values_missing,
    _broad,
)


def _mean(column: ColumnProfile) -> float | None:
    return column.mean


def _figure(found: ColumnProfile, reference: ColumnProfile) -> Callable[[ColumnProfile], float | None]:
    """What to compare by segment: the missing share if that moved, else the mean."""
    moved = abs((found.missing_share or 0.0) - (reference.missing_share or 0.0))
    return (lambda column: column.missing_share) if moved > _LARGE or found.kind == CATEGORY else _mean


def _segments(moved: Moved) -> Iterator[tuple[str, float, int]]:
    """Every segment of the reference: rows expected in a batch, and rows found. Of a column that is constant now, no
    segment tells anything."""
    constant = {name for name in moved.found.profile.columns if _one_value(moved.found.of(name))}
    for scope, before in moved.reference.rows.items():
        if scope != OVERALL and not scope.endswith(f"={MISSING}") and scope.split("=")[0] not in constant:
            yield scope, before / moved.batches, moved.found.rows.get(scope, 0)


def _one_value(column: ColumnProfile | None) -> bool:
    return column is not None and column.present >= _SEGMENT_ROWS and column.distinct == 1.0


def _value_shares(column: ColumnProfile) -> dict[str, float]:
    """The share of all rows by value, numbers by the beginning of their cell."""
    names = column.values if column.kind == CATEGORY else tuple(f"{low:g}" for low in column.lows)
    return {name: float(count) / column.rows for name, count in zip(names, column.counts, strict=True)}


def _quantiles(column: ColumnProfile) -> Floats:
    found = column.quantiles(_SHARES)
    return np.zeros(len(_SHARES)) if found is None else found


def _distance(one: Floats, other: Floats, deviation: float | None) -> float:
    """Mean distance of quantiles, in deviations."""
    apart = float(np.mean(np.abs(one - other)))
    return apart / deviation if deviation else apart


def _apart(found: ColumnProfile, reference: ColumnProfile) -> float:
    """The same of two columns; infinite where one has no values."""
    if not found.present or not reference.present:
        return float("inf")
    return _distance(_quantiles(found), _quantiles(reference), reference.deviation)


def _medians(found: ColumnProfile, reference: ColumnProfile) -> str:
    return f"median {found.quantile(0.5):.4g}, usually {reference.quantile(0.5):.4g}"

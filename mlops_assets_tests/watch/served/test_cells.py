"""Cells: quiet on usual days, loud on strange ones, and never "usual" where nothing could have been found."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.watch.served.drafts import Rare, Smooth
from mlops_assets_tests.watch.served.served import DAY, PLAN, cell_of, judged, make_figures, unusual


def test_usual_days_raise_no_alarm() -> None:
    assert [unusual(judged(make_figures(seed=seed))) for seed in range(5)] == [set()] * 5


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"last": {"overall": 0.4}}, ("score", "overall", "day")),
        ({"last": {"carrier=UA": 0.15}}, ("score", "carrier=UA", "day")),
        ({"shuffled": True}, ("score_pattern:hours", "overall", "day")),
        ({"rows_last": 27}, ("answered", "overall", "hour")),
        ({"rows_last": 120}, ("answered", "overall", "day")),
    ],
)
def test_a_strange_day_is_found(changed: dict[str, object], found: tuple[str, str, str]) -> None:
    assert found in unusual(judged(make_figures(**changed)))  # type: ignore[arg-type]


def test_decisions_that_are_not_the_scores_are_found_on_an_ordinary_day() -> None:
    figures = make_figures()
    undecided = pc.and_(pc.equal(figures["metric"], "positives"), _between(figures, 0, -1))
    figures = figures.set_column(5, "value", pc.if_else(undecided, 0.0, figures["value"]))
    assert ("positives_at_scores", "overall", "day") in unusual(judged(figures))


def test_a_weather_that_moves_all_rows_is_not_told_of_segments() -> None:
    cells = judged(make_figures(last={"overall": 0.4}))
    assert not {scope for _, scope, span in unusual(cells) if scope != "overall" and span == "day"}


def test_the_judged_day_is_no_part_of_what_it_is_judged_by() -> None:
    calm, wild = (judged(make_figures(last={"overall": up})) for up in (0.0, 0.5))
    assert cell_of(calm, "score").usual == cell_of(wild, "score").usual


def test_an_old_incident_hardly_moves_what_is_usual() -> None:
    figures = make_figures()
    week = pc.and_(pc.equal(figures["metric"], "score"), _between(figures, 30, 24))
    spoilt = pc.if_else(week, pc.multiply(pc.cast(figures["n"], pa.float64()), 0.95), figures["value"])
    after = cell_of(judged(figures.set_column(5, "value", spoilt)), "score")
    before = cell_of(judged(figures), "score")
    assert after.usual == pytest.approx(before.usual, abs=0.02)
    assert (after.detectable or 1) < 1.6 * (before.detectable or 1)


def test_a_day_that_goes_on_is_compared_with_other_days_until_then() -> None:
    noon = datetime.combine(DAY, datetime.min.time()) + timedelta(hours=12)
    cells = judged(make_figures(), until=noon)
    assert max(cell.hour for cell in cells if cell.hour is not None) == 11
    assert cell_of(cells, "answered").value == 6 * 60
    assert {cell.span for cell in cells} == {"hour", "day"}
    assert unusual(cells) == set()


def test_a_new_version_is_judged_by_its_held_out_rows_until_it_has_served() -> None:
    figures = make_figures(days=1, last={"overall": 0.4})
    held_out = make_figures(days=40, seed=3)
    held_out = held_out.filter(pc.less(held_out["hour"], pa.scalar(datetime.combine(DAY, datetime.min.time()))))
    assert cell_of(judged(figures), "score").verdict == "cannot be judged"
    assert cell_of(judged(figures, held_out=held_out), "score").verdict == "unusual"


def test_traffic_is_not_judged_on_the_first_such_day_of_the_week() -> None:
    held_out = make_figures(days=41, seed=3)
    mondays = pc.equal(pc.day_of_week(held_out["hour"]), DAY.weekday())
    known, unknown = (
        judged(make_figures(days=1), held_out=rows) for rows in (held_out, held_out.filter(pc.invert(mondays)))
    )
    assert cell_of(known, "answered").verdict == "usual"
    assert cell_of(unknown, "answered").verdict == "cannot be judged"
    assert cell_of(unknown, "answered").why == "no such day of the week before it"


def test_rows_without_times_are_one_pool() -> None:
    held_out = make_figures(days=5, seed=3, weather=0)
    held_out = held_out.set_column(2, "hour", pa.nulls(held_out.num_rows, pa.timestamp("us")))
    calm, wild = (judged(make_figures(days=1, weather=0, last={"overall": up}), held_out=held_out) for up in (0.0, 0.4))
    assert cell_of(calm, "score").verdict == "usual"
    assert cell_of(wild, "score").verdict == "unusual"


def test_numbers_are_judged_as_they_are() -> None:
    figures = make_figures(last={"overall": 0.5})
    wanted = pc.is_in(figures["metric"], pa.array(["answered", "score", "score_squared"]))
    cell = cell_of(judged(figures.filter(wanted), binary=False), "score")
    assert cell.verdict == "unusual"


def test_what_is_lacking_is_said() -> None:
    cell = cell_of(judged(make_figures(days=8)), "score")
    assert cell.verdict == "cannot be judged"
    assert cell.why == "7 days before it in 7 days, needs 10 in 28"


def test_every_judged_cell_says_what_it_would_find() -> None:
    for cell in judged(make_figures()):
        known = cell.verdict != "cannot be judged"
        assert (cell.detectable is not None) == known
        assert bool(cell.why) or (known and cell.low is not None and cell.high is not None)


def test_detectable_shifts_are_found_four_times_in_five() -> None:
    draft = Smooth(
        order="predictions", family="overall", metric="residual", scope="overall", span="day", n=900, value=0.0,
        figure=0.0, scale="number", seen=0.0, level=0.0, deviation=0.1, freedom=1e6,
    )  # fmt: skip
    shift = draft.judged(chance=0.001).detectable
    assert shift is not None
    seen = np.random.default_rng(0).normal(shift, 0.1, 2000)
    found = [replace(draft, seen=float(each)).judged(chance=0.001).verdict == "unusual" for each in seen]
    assert np.mean(found) == pytest.approx(0.8, abs=0.03)


CHANCES = st.floats(1e-8, 0.1)
SHARES = st.floats(0.0, 1.0)


@given(
    level=SHARES, base=SHARES, deviation=st.floats(1e-4, 3), n=st.integers(1, 10**6), gap=st.booleans(), chance=CHANCES
)
@settings(max_examples=300, deadline=None)
def test_no_share_is_usual_that_could_not_have_been_unusual(
    level: float, base: float, deviation: float, n: int, gap: bool, chance: float
) -> None:
    at, below = float(np.arcsin(np.sqrt(level))), float(np.arcsin(np.sqrt(base))) if gap else 0.0
    draft = Smooth(
        order="predictions", family="slices", metric="score", scope="carrier=UA", span="day", n=n, value=level,
        figure=level, scale="share", seen=at - below, level=at - below, deviation=deviation, freedom=24.0, base=below,
        gap="rest" if gap else "",
    )  # fmt: skip
    extremes = [replace(draft, seen=end - below).judged(chance=chance).verdict for end in (0.0, np.pi / 2)]
    assert (draft.judged(chance=chance).verdict == "cannot be judged") == ("unusual" not in extremes)


@given(
    rate=SHARES,
    rows=st.integers(1, 10**5),
    between=st.floats(0, 4),
    error=st.floats(0, 1),
    share=SHARES,
    chance=CHANCES,
)
@settings(max_examples=300, deadline=None)
def test_no_count_is_usual_that_could_not_have_been_unusual(
    rate: float, rows: int, between: float, error: float, share: float, chance: float
) -> None:
    count = float(round(share * rows))
    draft = Rare(
        order="exact", family="requests", metric="flagged:no history", scope="overall", span="day", n=rows,
        value=count / rows, figure=count / rows, count=count, of=float(rows), rate=rate, between=between, error=error,
        worth=0.05,
    )  # fmt: skip
    extremes = [replace(draft, count=end).judged(chance=chance).verdict for end in (0.0, float(rows))]
    assert (draft.judged(chance=chance).verdict == "cannot be judged") == ("unusual" not in extremes)


def test_a_fall_to_nothing_that_is_usual_cannot_be_seen() -> None:
    draft = Rare(
        order="exact", family="traffic", metric="answered", scope="overall", span="hour", n=1, value=1.0, figure=1.0,
        count=1.0, of=None, rate=2.0, between=0.1, error=0.01,
    )  # fmt: skip
    cell = draft.judged(chance=1e-3)
    assert cell.low is None
    assert cell.why == "no fall would be an alarm, only a rise"


def test_rows_without_a_time_do_not_say_how_far_outcomes_and_patterns_move() -> None:
    held_out = make_figures(days=40, weather=0)
    gone = held_out.set_column(2, "hour", pa.nulls(held_out.num_rows, pa.timestamp("us")))
    day = make_figures(days=1, weather=0)
    residual = [each.set_column(4, "metric", pa.array(["residual"] * each.num_rows)) for each in (gone, day)]
    cells = judged(pa.concat_tables([day, residual[1]]), held_out=pa.concat_tables([gone, residual[0]]))
    assert cell_of(cells, "score").verdict == "usual"
    assert cell_of(cells, "residual").verdict == "cannot be judged"
    assert cell_of(cells, "score_pattern:segments").verdict == "cannot be judged"


def test_no_figures_make_no_cells() -> None:
    assert judged(make_figures(days=1).slice(0, 0), plan=PLAN) == ()


def _between(figures: pa.Table, oldest: int, newest: int) -> pa.ChunkedArray:
    first, last = (datetime.combine(DAY - timedelta(days=age), datetime.min.time()) for age in (oldest, newest))
    return pc.and_(pc.greater_equal(figures["hour"], pa.scalar(first)), pc.less(figures["hour"], pa.scalar(last)))

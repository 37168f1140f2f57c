"""Charts show every value that there is, and nothing where there is none."""

from __future__ import annotations

import re

import numpy as np

from mlops_assets.reports.time_charts import Band, Line, Tick, bars, chart, heat, spark

NAN = np.nan


def paths(drawn: str, kind: str) -> list[str]:
    return re.findall(rf'<path class="{kind}" d="([^"]*)"', drawn)


def make_chart(values: list[float], **looks: object) -> str:
    line = Line(values=np.array(values), kind="line")
    return str(chart([line], title="A <title>", told="said", written=str, **looks).svg)  # type: ignore[arg-type]


def test_a_line_is_cut_where_there_is_nothing_and_a_value_by_itself_is_a_point() -> None:
    (drawn,) = paths(make_chart([1.0, 2.0, NAN, 3.0, NAN]), "line")

    assert [len(part.split("L")) for part in drawn.split("M")[1:]] == [2, 1]
    assert drawn.endswith("h0")


def test_the_picture_has_a_name_and_a_description_and_neither_is_markup() -> None:
    drawn = make_chart([1.0, 2.0])

    assert 'role="img"' in drawn
    assert "<title>A &lt;title&gt;</title><desc>said</desc>" in drawn


def test_ticks_are_round_values_within_what_is_drawn() -> None:
    drawn = chart(
        [Band(low=np.array([0.11]), high=np.array([0.43]))], title="", told="", written="{:.1f}".format,
        columns=[Tick(at=0.5, text="day")],
    )  # fmt: skip

    assert [tick.text for tick in drawn.rows] == ["0.2", "0.3", "0.4"]
    assert all(0 <= tick.at <= 1 for tick in drawn.rows)
    assert [tick.text for tick in drawn.columns] == ["day"]


def test_hours_that_cannot_be_judged_are_hatched_and_hints_are_of_slots_that_have_one() -> None:
    drawn = make_chart([1.0, 2.0, 3.0], grey=np.array([False, True, False]), hints=["", "<b>", "c"])

    assert len(paths(drawn, "unjudged")) == 1
    assert re.findall(r"<rect[^>]*><title>(.*?)</title>", drawn) == ["&lt;b&gt;", "c"]


def test_nothing_at_all_and_values_that_are_all_the_same_can_be_drawn() -> None:
    assert paths(make_chart([NAN, NAN]), "line") == [""]
    assert "nan" not in make_chart([4.0, 4.0])
    assert "nan" not in str(spark(np.array([0.0, 0.0]), title="", told=""))


def test_a_map_has_one_cell_for_each_that_has_a_kind() -> None:
    drawn = str(heat(np.array([["usual", ""], ["unjudged", "usual"]]), title="", told=""))

    assert [len(found.split("z")) - 1 for kind in ("usual", "unjudged") for found in paths(drawn, kind)] == [2, 1]


def test_bars_name_their_bins_with_both_shares() -> None:
    drawn = str(bars([0.25, 0.75], marks=[0.5, 0.5], labels=["<a>", "b"], title="", told=""))

    assert "&lt;a&gt;: 25.0%, before 50.0%" in drawn

"""Causes: one for one thing, and the rest of what is unusual as what follows from it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from mlops_assets.contract.alerts import Urgency
from mlops_assets.watch.served.causes import causes, headline
from mlops_assets.watch.served.report import Cause, Cell
from mlops_assets_tests.watch.served.served import DAY, judged, make_figures


def make_cell(**overrides: Any) -> Cell:
    told: dict[str, Any] = {
        "order": "predictions", "metric": "score", "scope": "overall", "span": "day", "n": 900, "value": 0.5,
        "figure": 0.5, "usual": 0.2, "low": 0.1, "high": 0.4, "detectable": 0.25, "p_value": 1e-5, "verdict": "unusual",
    }  # fmt: skip
    return Cell.model_validate(told | overrides)


def make_segment(scope: str, *, value: float = 0.3, p_value: float = 1e-5, **overrides: Any) -> Cell:
    return make_cell(scope=scope, gap="rest", value=value, usual=0.0, low=-0.1, high=0.1, p_value=p_value, **overrides)


NULL_TAILS = Cause(
    key="input:tailnum", order="inputs", urgency=Urgency.INFORM, what="tailnum is missing.", since=datetime(2013, 9, 16)
)


def keys(*cells: Cell, given: tuple[Cause, ...] = ()) -> list[str]:
    return [cause.key for cause in causes(cells, day=DAY, given=given)]


def test_hours_days_and_weeks_of_a_segment_are_one_cause() -> None:
    cells = [make_segment("carrier=UA", span=span) for span in ("day", "week", "slow")]
    assert keys(*cells) == ["predictions:carrier=UA"]


def test_unusual_answers_follow_from_an_unusual_input() -> None:
    cells = [make_cell(), make_segment("origin=JFK"), make_cell(order="truth", metric="residual")]
    (cause,) = causes(cells, day=DAY, given=[NULL_TAILS])
    assert cause.key == "input:tailnum"
    assert len(cause.consequences) == 3


def test_entities_that_nobody_knows_follow_from_an_unusual_input_and_page_people() -> None:
    cell = make_cell(order="exact", metric="flagged:no history", value=1.0, figure=1.0)
    (cause,) = causes([cell], day=DAY, given=[NULL_TAILS])
    assert cause.consequences == (
        "100 % flagged no history in the day. Usual is 20 %; an alarm would be below 10 % or above 40 %.",
    )
    assert cause.urgency is Urgency.PAGE


def test_more_traffic_follows_from_requests_that_are_sent_twice() -> None:
    cells = [make_cell(order="exact", metric="answered"), make_cell(order="exact", metric="doubled")]
    (cause,) = causes(cells, day=DAY)
    assert cause.key == "requests:doubled"
    assert cause.order == "exact"


def test_segments_follow_from_all_rows() -> None:
    assert keys(make_cell(), make_segment("carrier=UA", p_value=1e-7)) == ["predictions:overall"]


def test_all_rows_follow_from_a_segment_that_is_far_less_likely() -> None:
    assert keys(make_cell(), make_segment("carrier=UA", p_value=1e-9)) == ["predictions:carrier=UA"]


def test_what_shares_rows_or_is_the_rest_is_no_cause_of_its_own() -> None:
    cells = [
        make_segment("carrier=UA", p_value=1e-9),
        make_segment("origin=EWR"),
        make_segment("carrier=DL", value=-0.2),
        make_segment("carrier=AA", value=0.2),
    ]
    assert keys(*cells) == ["predictions:carrier=UA", "predictions:carrier=AA"]


def test_a_segment_beside_a_strange_one_differs_less_and_is_no_cause() -> None:
    cells = [
        make_segment("origin=LGA", p_value=1e-9),
        make_segment("origin=LGA", metric="score_spread", value=-0.2, p_value=1e-9),
        make_segment("origin=JFK", metric="score_spread", value=-0.2),
    ]
    assert keys(*cells) == ["predictions:origin=LGA"]


def test_outcomes_of_rows_whose_answers_are_unusual_follow_from_them() -> None:
    truth = make_segment("carrier=UA", order="truth", metric="residual")
    assert keys(make_segment("carrier=UA"), truth) == ["predictions:carrier=UA"]
    assert keys(make_segment("carrier=DL"), truth) == ["predictions:carrier=DL", "truth:carrier=UA"]


def test_only_exact_facts_page_people() -> None:
    cells = [
        make_cell(order="exact", metric="answered", span="hour", hour=9),
        make_cell(order="truth", metric="residual"),
    ]
    (cause,) = causes(cells, day=DAY)
    assert (cause.key, cause.urgency, cause.since.hour) == ("traffic", Urgency.PAGE, 9)
    assert [cause.urgency for cause in causes(cells[1:], day=DAY)] == [Urgency.INFORM]


def test_a_slow_service_explains_no_answers() -> None:
    cells = [make_cell(order="exact", metric="latency_seconds", scope="service"), make_cell()]
    assert keys(*cells) == ["service:latency_seconds", "predictions:overall"]


def test_a_slow_change_is_told_since_it_began() -> None:
    (cause,) = causes([make_cell(span="slow", since=date(2013, 9, 2))], day=DAY)
    assert cause.since == datetime(2013, 9, 2)
    assert "a slow change since 2013-09-02" in cause.what


def test_a_cause_shows_what_its_figure_was() -> None:
    figures = make_figures(last={"overall": 0.4})
    (cause,) = causes(judged(figures), day=DAY, figures=figures)
    assert len(cause.chart) == 28
    assert cause.chart[-1] == max(cause.chart)


def test_sentences_name_segment_figure_and_what_is_usual() -> None:
    (cause,) = causes([make_segment("carrier=UA")], day=DAY)
    assert cause.what == "carrier=UA: mean score 0.5 in the day, 0.3 above the other rows."
    assert cause.normal == "Usual is 0 above; an alarm would be below -0.1 or above +0.1."


def test_the_headline_says_how_the_day_was() -> None:
    for up, kind, rank in ((0.0, "Usual day", ""), (0.3, "Unusual day", ", the highest of 71 days")):
        figures = make_figures(last={"overall": up}, seed=1)
        cells = judged(figures)
        told = headline(cells, causes=(), figures=figures, day=DAY, positive_word="late", facts=["scoring exact"])
        assert told.startswith(f"{kind}: ")
        assert "% predicted late where" in told
        assert told.endswith(f"% is usual{rank}; scoring exact, traffic usual.")


def test_the_headline_calls_a_day_unusual_that_has_a_cause_and_says_it() -> None:
    figures = make_figures(last={"overall": 0.3}, seed=1)
    cells = judged(figures)
    found = causes(cells, day=DAY)
    told = headline(cells, causes=found, figures=figures, day=DAY)
    assert told.startswith("Unusual day: ")
    assert told.endswith(f" {len(found)} to look at: {found[0].what}")

"""The faults that ``monitoring.py`` plays into half a year of flights, and how soon a person would want each found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from mlops_assets.steps.replay_faults import (
    Fault,
    answers_stuck,
    clock_ahead,
    crowded,
    drifting,
    emptied,
    failing,
    history_late,
    history_stops,
    labels_flipped,
    renamed,
    scores_shifted,
    scores_shuffled,
    sent_twice,
    slower,
    stopped,
    stuck,
    thinned,
    unit_changed,
)

HALF_YEAR = date(2013, 7, 1), date(2013, 12, 30)
STARTS = tuple(date(2013, 8, 26) + timedelta(days=11 * number) for number in range(10))
"""Of every weekday; before each lie eight weeks that were served."""
WHOLE_DAY = 24
HOUR, DAY, WEEK, FORTNIGHT = 1, WHOLE_DAY, 7 * WHOLE_DAY, 14 * WHOLE_DAY
LANDED = WHOLE_DAY
"""Hours until the outcomes of a day have landed."""
BAD_WEATHER = {"visib": 0.5, "precip": 0.2, "wind_speed": 34.5, "wind_gust": 46.0, "pressure": 995.0}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A fault, ``within`` how many hours it is to be found, and how many days after its start it can be seen at all."""

    fault: Fault
    kind: str
    within: int
    seen_after: int = 0

    @property
    def days(self) -> int:
        """How many days are played."""
        return self.seen_after + max(self.within // 24 + 2, 3)


CASES = (
    Case(fault=crowded("flight", by=1400), kind="exact", within=HOUR),
    Case(fault=thinned(share=0.5), kind="exact", within=HOUR),
    Case(fault=sent_twice(), kind="exact", within=HOUR),
    Case(fault=failing(share=0.05), kind="exact", within=HOUR),
    Case(fault=slower(times=3), kind="exact", within=HOUR),
    Case(fault=history_late(days=28), kind="exact", within=HOUR),
    Case(fault=history_stops(), kind="exact", within=HOUR, seen_after=1),
    Case(fault=unit_changed("distance"), kind="input", within=DAY),
    Case(fault=emptied("tailnum"), kind="input", within=DAY),
    Case(fault=renamed("carrier", old="UA", new="UX"), kind="input", within=DAY),
    Case(fault=clock_ahead("sched_dep_at"), kind="input", within=DAY),
    Case(fault=stopped("weather"), kind="input", within=DAY),
    Case(fault=stuck("weather", where=("origin", "EWR"), values=BAD_WEATHER), kind="slice", within=DAY),
    Case(fault=answers_stuck(score=0.9, where=("origin", "EWR")), kind="slice", within=DAY),
    Case(fault=answers_stuck(score=0.1, where=("origin", "JFK")), kind="slice", within=DAY),
    Case(fault=answers_stuck(score=0.02), kind="answers", within=DAY),
    Case(fault=scores_shifted(by=0.1), kind="answers", within=DAY),
    Case(fault=scores_shuffled(), kind="answers", within=LANDED + WEEK),
    Case(
        fault=drifting("weather", add={"temp": 3.0}, grow={"wind_speed": 0.1, "wind_gust": 0.1}),
        kind="drift",
        within=FORTNIGHT,
    ),
    Case(fault=labels_flipped(share=0.3), kind="labels", within=LANDED + WEEK),
    Case(fault=labels_flipped(where=("carrier", "UA")), kind="labels", within=LANDED + WEEK),
)

"""Whether a champion keeps what it promised when it was promoted: its realised loss, two weeks running."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from mlops_assets.contract.slices import OVERALL
from mlops_assets.judge.few_days import p_above
from mlops_assets.watch.served.report import Realised, WatchReport

WEEK = timedelta(days=7)
FEWEST = 4
"""Days with outcomes that a week needs to be judged."""
SIGNIFICANT = 0.05
"""Of one week; two running are needed."""


@dataclass(frozen=True, kw_only=True)
class _Day:
    day: date
    realised: Realised


def worse_than_promised(reports: Iterable[WatchReport], *, metric: str) -> str:
    """By how much ``metric``, a loss, was worse than promised in each of the last two weeks; empty unless in both.

    The last week ends with the last day whose outcomes are known. A week is worse where the mean of its days' excess is
    above zero beyond chance. Days are the units: what one says of itself takes its rows for independent, and after a
    week of storms most days say that they are worse.
    """
    known = [_Day(day=report.day, realised=each) for report in reports for each in _overall(report, metric)]
    if not known:
        return ""
    last = max(each.day for each in known)
    weeks = [[each for each in known if end - WEEK < each.day <= end] for end in (last - WEEK, last)]
    if not all(map(_is_worse, weeks)):
        return ""
    (first, second), promised = map(_loss, weeks), weeks[1][-1].realised.promised
    return (
        f"{metric} was {first:.4g} and {second:.4g} in the weeks to {last - WEEK} and {last}, where "
        f"{promised:.4g} was promised"
    )


def _overall(report: WatchReport, metric: str) -> Sequence[Realised]:
    return [
        each
        for each in report.realised
        if (each.metric, each.scope) == (metric, OVERALL) and None not in (each.value, each.promised)
    ]


def _is_worse(week: Sequence[_Day]) -> bool:
    if len(week) < FEWEST:
        return False
    excess = np.array([(e.realised.value or 0.0) - (e.realised.promised or 0.0) for e in week], dtype=np.float64)
    return p_above(excess) <= SIGNIFICANT


def _loss(week: Sequence[_Day]) -> float:
    """Of all rows of the week."""
    rows = sum(each.realised.n for each in week)
    return sum((each.realised.value or 0.0) * each.realised.n for each in week) / rows

"""The inputs of a monitoring page, then and now: each column of the requests on the last day beside the days before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow.compute as pc

from mlops_assets.contract.slices import OVERALL
from mlops_assets.reports.monitoring_figures import NOTHING, Timeline, percent, plain
from mlops_assets.reports.profile_figures import columns_figures
from mlops_assets.reports.time_charts import Floats, bars, spark
from mlops_assets.watch.profiles.profile import CATEGORY, Profile, merge
from mlops_assets.watch.served.view import MonitoringView

FEWEST_DAYS = 10
"""Of fewer no spread is told."""
LEAST_OFF, FAR_OFF = 0.05, 100.0
"""Between so many deviations a number says something."""


def input_cards(view: MonitoringView, timeline: Timeline) -> list[dict[str, Any]]:
    """A card for each column: its distribution then and now. First come columns that a cause names, then those that are
    farthest off their days.

    Then are all days before the last one with requests. How far two distributions differ is the share of rows that
    would have to be elsewhere (total variation); whether that is unusual is said by the alerts.
    """
    profiles = [view.inputs[day] for day in timeline.days if day in view.inputs]
    if not profiles:
        return []
    now = _of_all(profiles[-1])
    past = [found for profile in profiles[:-1] if (found := _of_all(profile, like=now)).table.num_rows]
    if not past:
        return []
    told = columns_figures(now, reference=merge(past), drift=None, past=past)
    named = {cause.key.rsplit(":", 1)[-1] for cause in view.last.causes} if view.last else set()
    cards = [_card(each, named=named) for each in told if each["scopes"][OVERALL]]
    return sorted(cards, key=lambda card: (not card["named"], -card["off"], -card["moved"], card["name"]))


def _of_all(profile: Profile, *, like: Profile | None = None) -> Profile:
    """The profile of all rows; of columns that ``like`` has and that are of the same kind there, if it is given."""
    table = profile.table.filter(pc.equal(profile.table["scope"], OVERALL))
    if like is not None:
        own, other = (pc.binary_join_element_wise(each["column"], each["kind"], "\n") for each in (table, like.table))
        table = table.filter(pc.is_in(own, value_set=other))
    return Profile(table=table)


def _card(column: dict[str, Any], *, named: set[str]) -> dict[str, Any]:
    """One column; ``named`` are those that a cause of the last day is about."""
    scope = column["scopes"][OVERALL]
    shares, marks = scope["bars"], scope["marks"]
    moved = float(np.abs(np.array(shares) - np.array(marks)).sum() / 2) if len(shares) == len(marks) and shares else 0.0
    statistic = "missing" if column["kind"] == CATEGORY else "mean"
    lines = {name: _line(column, name) for name in dict.fromkeys((statistic, "missing"))}
    line, off = lines[statistic], max(map(_deviations, lines.values()))
    told = f"{percent(moved)} of the rows lie elsewhere than before" if any(shares) else "no values on the last day"
    if off >= LEAST_OFF:
        told += f", {off:.1f} deviations off its days" if off < FAR_OFF else ", unlike any day before"
    write = percent if statistic == "missing" else plain
    return {
        "name": column["name"],
        "kind": column["kind"],
        "named": column["name"] in named,
        "moved": moved,
        "off": off,
        "told": told,
        "bars": bars(shares, marks=marks, labels=scope["labels"], title=f"{column['name']}, then and now", told=told)
        if shares
        else "",
        "ends": scope["labels"] if column["kind"] == CATEGORY else _ends(scope["labels"]),
        "rows": [_figures(name, scope) for name in ("missing", "mean") if scope["found"].get(name) is not None],
        "line": spark(line, title=f"{statistic} of {column['name']} by day", told=f"last {write(line[-1])}")
        if np.isfinite(line).sum() > 1 and np.isfinite(line[-1])
        else "",
        "statistic": statistic,
    }


def _line(column: dict[str, Any], statistic: str) -> Floats:
    """A statistic by day, NaN where there is none."""
    return np.array([np.nan if value is None else value for value in column["lines"].get(statistic, ())])


def _deviations(line: Floats) -> float:
    """How many standard deviations of the days before the last value is off their mean; 0 if there are too few."""
    past = line[:-1][np.isfinite(line[:-1])]
    if len(past) < FEWEST_DAYS or not np.isfinite(line[-1]):
        return 0.0
    off, rounding = abs(line[-1] - past.mean()), NOTHING * max(1.0, abs(past.mean()))
    return 0.0 if off <= rounding else float(min(off / max(past.std(ddof=1), rounding), FAR_OFF))


def _figures(name: str, scope: dict[str, Any]) -> dict[str, str]:
    """A statistic now and then."""
    write = percent if name == "missing" else plain
    before = (scope["reference"] or {}).get(name)
    return {"name": name, "now": write(scope["found"][name]), "then": "–" if before is None else write(before)}


def _ends(labels: list[str]) -> list[str]:
    """What stands at the two ends below bars of numbers."""
    return [labels[0].split(" to ")[0], labels[-1].split(" to ")[-1]] if labels else []

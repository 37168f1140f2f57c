"""From unusual cells to what a person must know: one cause for one thing, and everything else as what follows from it.

The rule. An exact fact or an input that is unusual is a cause of its own, and what is unusual the same day in answers
or outcomes follows from it. Without one, answers are: all of them, if the day, the week or a slow change of all is
unusual, and segments follow, unless one is far less likely than all rows are. Else the segment that is least likely,
together with segments of other columns (they share rows) and those of the same column that moved the other way (they
are its "rest"). Outcomes likewise, unless the answers
of the same rows are unusual already. Hours, days and weeks of one scope are one cause. Only exact facts page people.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time

import numpy as np
import pyarrow as pa

from mlops_assets.contract.alerts import Urgency
from mlops_assets.contract.slices import OVERALL
from mlops_assets.watch.served.context import SPREAD
from mlops_assets.watch.served.report import Cause, Cell
from mlops_assets.watch.served.sentences import describe, told_metric
from mlops_assets.watch.served.series import ordinals, series
from mlops_assets.watch.served.table import ANSWERED, DOUBLED, FLAGGED, POSITIVES, SCORE, SERVICE

CHART_DAYS = 28
_CLEARER = 1e-3
"""So much less likely a segment must be than all rows to be the cause of both."""
_RANKED, _PLACES = 10, ("", "second ", "third ")
_SERVICE, _REQUESTS, _TRAFFIC = "service:", "requests:", "traffic"
_FLAGS, _TWICE = f"{_REQUESTS}{FLAGGED}", f"{_REQUESTS}{DOUBLED}"
_TO_DO = {
    "exact": "Look at the service and at who calls it: mlops status, its log, the requests of the last hour.",
    "inputs": "Look at where the column comes from; answers of these rows are not to be trusted until it is right.",
    "predictions": "Look at the requests of these rows; if they are right, wait for outcomes before retraining.",
    "truth": "Compare with the prior on the same rows; if it stays for a week, retrain.",
}


def causes(
    cells: Sequence[Cell],
    *,
    day: date,
    given: Sequence[Cause] = (),
    figures: pa.Table | None = None,
    positive_word: str = "positive",
) -> tuple[Cause, ...]:
    """One for each thing, in order of trust; none if nothing is unusual.

    ``given`` are those found elsewhere on the same day: of inputs, and exact ones such as scores that were not the
    model's. ``figures`` (METRICS) are what the small charts are drawn from.
    """
    groups: dict[str, list[Cell]] = {}
    for cell in sorted((each for each in cells if each.verdict == "unusual"), key=_least_likely_first):
        groups.setdefault(_key(cell), []).append(cell)

    def made(key: str) -> Cause:
        return _cause(key, groups[key], day=day, figures=figures, word=positive_word)

    roots = {cause.key: cause for cause in given}
    for key in sorted((key for key, group in groups.items() if group[0].order == "exact"), key=_TRAFFIC.__eq__):
        root = _root_of(key, roots)
        roots[root or key] = _joined(roots[root], groups[key], word=positive_word) if root else made(key)
    explaining = sorted((each for each in roots.values() if not each.key.startswith(_SERVICE)), key=_explains_first)
    for order in ("predictions", "truth"):
        own = {key: group for key, group in groups.items() if group[0].order == order}
        for key, followers in _grouped(own).items():
            cause = made(key)
            cause = cause.model_copy(update={"consequences": (*cause.consequences, *_said(followers, positive_word))})
            above = explaining[:1] or [each for each in roots.values() if _same_rows(each, cause)]
            if above:
                told = (cause.what, *cause.consequences)
                roots[above[0].key] = _with(roots[above[0].key], told)
            else:
                roots[key] = cause
    return tuple(roots.values())


def headline(
    cells: Sequence[Cell],
    *,
    causes: Sequence[Cause],
    figures: pa.Table,
    day: date,
    positive_word: str = "positive",
    facts: Sequence[str] = (),
) -> str:
    """One sentence that a person reads first: how the day's answers were, and what is known besides.

    ``figures`` (METRICS) are of the day and of the days that it is compared with. ``facts`` are more to tell, such as
    "scoring exact".
    """
    names, alarm = (POSITIVES, SCORE), f" {len(causes)} to look at: {causes[0].what}" if causes else ""
    cell = next((c for name in names for c in cells if (c.metric, c.scope, c.span) == (name, OVERALL, "day")), None)
    if cell is None:
        return f"Nothing was answered.{alarm}"
    rank = _rank(figures, cell.metric, day=day)
    kind = "Unusual day" if causes else _kind(cells, rank=rank)
    usual = "" if cell.usual is None else f" where {told_metric(cell, cell.usual)} is usual"
    shown = f"{kind}: {told_metric(cell, cell.figure, word=positive_word)}{usual}{rank}"
    traffic = [c for c in cells if c.metric == ANSWERED]
    told = "unusual" if any(c.verdict == "unusual" for c in traffic) else "usual"
    known = any(c.verdict != "cannot be judged" for c in traffic)
    rest = [*facts, f"traffic {told}" if known else "traffic cannot be judged yet"]
    return f"{shown}; {', '.join(rest)}.{alarm}"


def _kind(cells: Sequence[Cell], *, rank: str) -> str:
    """What a day without causes is called; usual only if its answers could have been called something else."""
    if all(cell.verdict == "cannot be judged" for cell in cells if cell.order == "predictions"):
        return "Day that cannot be judged yet"
    if rank.startswith((", the highest", ", the lowest")):
        return "Unusual day"
    return "High day" if "highest" in rank else "Low day" if "lowest" in rank else "Usual day"


def _grouped(groups: dict[str, list[Cell]]) -> dict[str, list[Cell]]:
    """By the key of each cause among them, the cells of those that follow from it."""
    overall = next((key for key, group in groups.items() if group[0].scope == OVERALL), None)
    segments = [key for key in groups if key != overall]
    clear = overall is None or (bool(segments) and _chance(groups[segments[0]]) < _CLEARER * _chance(groups[overall]))
    if overall and not clear and any(cell.span != "hour" for cell in groups[overall]):
        return {overall: [cell for key in segments for cell in groups[key]]}
    found: dict[str, list[Cell]] = {}
    if segments:
        first = groups[segments[0]]
        alike = [key for key in segments if key == segments[0] or _moved_alike(groups[key], first)]
        found = {key: [] for key in alike}
        others = (key for key in groups if key not in alike and (clear or key != overall))
        found[segments[0]] = [cell for key in others for cell in groups[key]]
    return found | ({overall: []} if overall and not clear else {})


def _key(cell: Cell) -> str:
    """The identity of what a cell is a sign of: the same on every day."""
    if cell.order in ("predictions", "truth"):
        return f"{cell.order}:{cell.scope}"
    if cell.scope == SERVICE:
        return f"{_SERVICE}{cell.metric}"
    return _TRAFFIC if cell.metric == ANSWERED else f"{_REQUESTS}{cell.metric}"


def _cause(key: str, group: list[Cell], *, day: date, figures: pa.Table | None, word: str) -> Cause:
    worst = group[0]
    since = min((cell.since for cell in group if cell.since), default=day)
    hours = [cell.hour for cell in group if cell.hour is not None]
    first = min(hours) if since == day and len(hours) == len(group) else 0
    what, normal = describe(worst, word=word)
    return Cause(
        key=key,
        order=worst.order,
        urgency=Urgency.PAGE if worst.order == "exact" else Urgency.INFORM,
        what=what,
        scope="" if worst.scope in (OVERALL, SERVICE) else worst.scope,
        normal=normal,
        to_do=_TO_DO[worst.order],
        since=datetime.combine(since, time(first)),
        chart=() if figures is None else _chart(figures, worst, day=day),
        consequences=_said(group[1:], word),
    )


def _said(cells: Iterable[Cell], word: str) -> tuple[str, ...]:
    """One sentence for each metric and scope, of the least likely cell."""
    first: dict[tuple[str, str], str] = {}
    for cell in cells:
        first.setdefault((cell.metric, cell.scope), " ".join(describe(cell, word=word)))
    return tuple(first.values())


def _root_of(key: str, roots: Mapping[str, Cause]) -> str | None:
    """The cause that an unusual exact figure follows from: values that nobody knows from an input that has changed, and
    more traffic from requests that are sent twice.
    """
    if key.startswith(_FLAGS):
        return next((cause.key for cause in roots.values() if cause.order == "inputs"), None)
    return _TWICE if key == _TRAFFIC and _TWICE in roots else None


def _joined(cause: Cause, cells: list[Cell], *, word: str) -> Cause:
    """With what follows from it exactly: that pages people, whatever the cause by itself would."""
    return _with(cause, _said(cells, word)).model_copy(update={"urgency": Urgency.PAGE})


def _with(cause: Cause, told: Iterable[str]) -> Cause:
    return cause.model_copy(update={"consequences": tuple(dict.fromkeys((*cause.consequences, *told)))})


def _chart(figures: pa.Table, cell: Cell, *, day: date) -> tuple[float, ...]:
    """The last daily figures of the cell's metric and scope; of what is derived from scores, the mean score."""
    names = set(figures["metric"].unique().to_pylist())
    metric = cell.metric if cell.metric in names else SCORE if cell.order == "predictions" else ""
    if metric not in names:
        return ()
    days = np.arange(day.toordinal() - CHART_DAYS + 1, day.toordinal() + 1)
    daily = series(figures, metric=metric, days=days).of((cell.scope,)).daily()
    value, n = daily.value[0, :, 0], daily.n[0, :, 0]
    shown = value if metric == ANSWERED else value / np.maximum(n, 1)
    return tuple(float(each) for each in shown[n > 0])


def _rank(figures: pa.Table, metric: str, *, day: date) -> str:
    """ ", the highest of 84 days" (or the second or third, or lowest) of at least ten; empty if it is none of these."""
    daily = series(figures, metric=metric, days=ordinals(figures)).of((OVERALL,)).daily()
    n = daily.n[0, :, 0]
    shown, at = daily.value[0, n > 0, 0] / n[n > 0], daily.days[n > 0]
    today = shown[at == day.toordinal()]
    if len(shown) < _RANKED or not len(today):
        return ""
    for end, beyond in (("highest", shown > today[0]), ("lowest", shown < today[0])):
        if beyond.sum() < len(_PLACES) and (shown == today[0]).sum() == 1:
            return f", the {_PLACES[int(beyond.sum())]}{end} of {len(shown)} days"
    return ""


def _least_likely_first(cell: Cell) -> tuple[float, str, str]:
    return (cell.p_value or 0.0, cell.scope, cell.metric)


def _chance(group: list[Cell]) -> float:
    return group[0].p_value or 0.0


def _explains_first(cause: Cause) -> int:
    return ("inputs", "exact", "predictions", "truth").index(cause.order)


def _same_rows(above: Cause, cause: Cause) -> bool:
    """Whether outcomes that are unusual are of rows whose answers are, or of all rows and so of these too."""
    return (
        above.order == "predictions"
        and cause.order == "truth"
        and (cause.scope == "" or above.scope in ("", cause.scope))
    )


def _moved_alike(group: list[Cell], first: list[Cell]) -> bool:
    """Whether segments of the same column moved the same way, which "rest" alone does not make them do. Of how far
    scores differ nothing follows: it is less beside a rest in which one segment is strange.
    """
    moves = [
        {(cell.scope.split("=", 1)[0], cell.metric, cell.value > (cell.usual or 0.0)) for cell in each}
        for each in (group, first)
    ]
    return any(metric != SPREAD for _, metric, _ in moves[0] & moves[1])

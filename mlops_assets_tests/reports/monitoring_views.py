"""Ninety days of plausible monitoring: an incident, a promotion, late labels, hours that nobody can judge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from mlops_assets.contract.alerts import Alert, Finding, Silence, Urgency
from mlops_assets.contract.slices import OVERALL
from mlops_assets.watch.profiles.profile import Profile
from mlops_assets.watch.profiles.profiling import profile_batches
from mlops_assets.watch.served.report import Cause, Cell, Estimated, Realised, WatchReport
from mlops_assets.watch.served.table import METRICS
from mlops_assets.watch.served.view import MonitoringView, Move

LAST = date(2013, 9, 29)
NOW = datetime(2013, 9, 29, 23, 20, tzinfo=UTC)
OLD, NEW = "2013-06-30-5f1c0a77", "2013-08-14-9be2d410"
PROMOTED, INCIDENT, SERVED, LABELS_LATE = 45, (62, 63), 29, 3
NIGHT = range(1, 5)
CARRIERS = ("AA", "B6", "DL", "EV", "UA", "WN")
_HOURS = np.arange(24)
_SHAPE = 42 * np.exp(-(((_HOURS - 9) / 4.0) ** 2)) + 50 * np.exp(-(((_HOURS - 17) / 3.5) ** 2))
_SHAPE[list(NIGHT)] = 1.2
SINCE = datetime(2013, 9, 29, 6, tzinfo=UTC)


def make_view(
    task: str = "binary", *, days: int = 90, carriers: Sequence[str] = CARRIERS, **overrides: Any
) -> MonitoringView:
    """``task`` is binary, multiclass or regression."""
    random = np.random.default_rng(7)
    dates = [LAST - timedelta(days=back) for back in range(days - 1, -1, -1)]
    levels = _levels(random, days=days)
    rows: list[tuple[Any, ...]] = []
    reports = []
    for i, day in enumerate(dates):
        hourly = _traffic(random, day=day)
        reports.append(
            _report(random, i, day, level=levels[i], hourly=hourly, task=task, days=days, carriers=carriers, rows=rows)
        )
    told = {
        "use_case": "flights",
        "title": "Will this flight arrive more than 15 minutes late?",
        "positive_word": "late",
        "days": reports,
        "figures": pa.table([list(column) for column in zip(*rows, strict=True)], schema=METRICS),
        "alerts": make_alerts(),
        "moves": [
            Move(version=OLD, at=datetime(2013, 6, 30, 20, tzinfo=UTC), action="promoted", by="alice", why="first"),
            Move(
                version=NEW,
                at=datetime(2013, 8, 14, 2, tzinfo=UTC),
                action="promoted",
                by="schedule",
                why="retrained: the log loss of 7 days was worse than promised twice running",
            ),
        ],
        "promised": {"log_loss": 0.485},
        "inputs": make_profiles(days=min(days, 40)),
    }
    return MonitoringView(**{**told, **overrides})


def make_alerts() -> list[Alert]:
    """One to page somebody for, one to look at, one that is silenced."""
    broken = Finding(
        use_case="flights",
        cause="monitoring/inputs#input:tailnum",
        urgency=Urgency.PAGE,
        scope="tailnum",
        since=SINCE,
        what="'tailnum' is missing in 100 % of the requests since 06:00; usually in 0.3 %.",
        normal="0.3 % missing, at most 2.1 % on any of the last 56 days",
        likely_cause="The booking system stopped sending the tail number.",
        to_do="Ask the owner of the booking feed; scores fall back on the route's history meanwhile.",
        evidence="http://127.0.0.1:3002/pages/flights/flights/2013-09-29.html",
        chart=(0.003, 0.002, 0.004, 0.003, 0.002, 0.003, 0.005, 0.003, 0.004, 1.0),
    )
    slow = Finding(
        use_case="flights",
        cause="monitoring/predictions#score",
        urgency=Urgency.INFORM,
        scope="all rows",
        since=SINCE - timedelta(days=12),
        what="The mean score has been rising since 17 September, by .04 so far.",
        normal="0.24, changing by less than .02 over two weeks",
        likely_cause="Temperatures are 6 °F above usual.",
        to_do="Nothing yet: truth of 26 September is as promised.",
        evidence="flights/monitoring/2013-09-29.json",
        chart=tuple(np.linspace(0.24, 0.28, 14).tolist()),
    )
    known = Finding(
        use_case="flights",
        cause="validated_weather/matches_schema#wind_gust",
        urgency=Urgency.INFORM,
        scope="wind_gust",
        since=SINCE - timedelta(days=20),
        what="Column 'wind_gust' has 81 % missing values.",
    )
    silence = Silence(until=SINCE + timedelta(days=30), reason="the sensor is being replaced")
    return [
        Alert(finding=broken, places={"2013-09-29": "run"}, number=1),
        Alert(finding=slow, places={"2013-09-28": "run", "2013-09-29": "run"}, number=1, acknowledged=True),
        Alert(finding=known, places={"2013-09-29": "run"}, number=1, silence=silence),
    ]


def make_profiles(*, days: int) -> dict[date, Profile]:
    """Requests of the last days; on the last one the tail number is gone and distances are in kilometres."""
    import duckdb

    random = np.random.default_rng(3)
    tables = {}
    for back in range(days - 1, -1, -1):
        rows, last = 300, back == 0
        tables[(LAST - timedelta(days=back)).isoformat()] = pa.table(
            {
                "carrier": random.choice(CARRIERS, rows, p=(0.1, 0.2, 0.15, 0.25, 0.2, 0.1)),
                "origin": random.choice(["EWR", "JFK", "LGA"], rows),
                "distance": random.gamma(2.2, 450, rows).round() * (1.609 if last else 1.0),
                "temp": random.normal(66 + 6 * last, 9, rows).round(1),
                "sched_dep": random.integers(5, 24, rows).astype(float),
                "tailnum": pa.array(
                    [None if last or k % 40 == 0 else f"N{k % 60:03d}" for k in range(rows)], pa.string()
                ),
            }
        )
    names = next(iter(tables.values())).column_names
    with duckdb.connect() as connection:
        found = profile_batches(tables, columns=names, slices=("origin",), connection=connection)
    return {date.fromisoformat(day): profile for day, profile in found.items()}


def _levels(random: np.random.Generator, *, days: int) -> np.ndarray:
    """A day's own level: it goes slowly up and down, and is far off during the incident."""
    noise = np.zeros(days)
    for i in range(1, days):
        noise[i] = 0.6 * noise[i - 1] + random.normal(0, 0.045)
    level = 0.25 + noise
    for i in INCIDENT:
        if i < days:
            level[i] = 0.52
    return np.clip(level, 0.06, 0.7)


def _traffic(random: np.random.Generator, *, day: date) -> np.ndarray:
    hourly = random.poisson(_SHAPE * (0.75 if day.weekday() == 5 else 1.0))
    return np.where(np.arange(24) == 0, 0, hourly)


def _report(
    random: np.random.Generator,
    i: int,
    day: date,
    *,
    level: float,
    hourly: np.ndarray,
    task: str,
    days: int,
    carriers: Sequence[str],
    rows: list,
) -> WatchReport:
    version = OLD if i < PROMOTED else NEW
    answered = int(hourly.sum())
    enough = i >= 21
    cells: list[Cell] = []
    for metric, center, wide in _metrics(task, level):
        hours = center * (1 + 0.35 * np.sin((np.arange(24) - 12) / 24 * 2 * np.pi)) if wide < 1 else np.full(24, center)
        for hour, n in enumerate(hourly.tolist()):
            if n:
                value = hours[hour] + random.normal(0, wide / np.sqrt(n)) * 0.8
                value = float(np.clip(value, 0, 1)) if wide < 1 else float(value)
                rows.append(
                    ("flights", version, datetime(day.year, day.month, day.day, hour), OVERALL, metric, value * n, n)
                )
                cells.append(
                    _hour(
                        metric,
                        hour,
                        n=n,
                        value=value,
                        level=center,
                        usual=hours[hour] - center,
                        wide=wide,
                        enough=enough,
                    )
                )
        usual = center if wide >= 1 else _usual(metric, task)
        band = 0.5 * wide / 1.6 if wide < 1 else wide / 2
        cells.append(_day(metric, OVERALL, n=answered, figure=center, usual=usual, band=band, enough=enough))
    cells += _segments(
        random,
        level=level,
        n=answered,
        metric=_metrics(task, level)[0][0],
        odd=i == SERVED,
        enough=enough,
        carriers=carriers,
    )
    for hour, n in enumerate(hourly.tolist()):
        at = datetime(day.year, day.month, day.day, hour)
        missing = n if i == days - 1 and hour >= 6 else int(random.binomial(n, 0.004))
        rows += [
            ("flights", version, at, OVERALL, "answered", float(n), n),
            ("flights", version, at, OVERALL, "missing:tailnum", float(missing), n),
            ("flights", version, at, OVERALL, "unseen:tailnum", float(random.binomial(n, 0.01)), n),
            ("flights", version, at, OVERALL, "flagged:drifted", float(random.binomial(n, 0.02)), n),
            ("flights", "", at, "service", "requests", float(n), n),
            ("flights", "", at, "service", "refused", float(random.binomial(n, 0.002)), n),
            ("flights", "", at, "service", "errors", float(random.binomial(n, 0.001 + 0.05 * (i in INCIDENT))), n),
            ("flights", "", at, "service", "latency_seconds", n * 0.0042 * float(random.lognormal(0, 0.1)), n),
        ]
    cells += [*_inputs(last=i == days - 1, n=answered, enough=enough), *_counts(answered, hourly=hourly, enough=enough)]
    labelled = 0 if i >= days - LABELS_LATE else int(answered * 0.97)
    causes = tuple(_causes(i, days=days))
    split = {OLD: answered // 2, NEW: answered - answered // 2} if i == PROMOTED else {version: answered}
    return WatchReport(
        use_case="flights",
        day=day,
        version=version,
        versions=split,
        answered=answered,
        labelled=labelled,
        until=datetime(day.year, day.month, day.day) + timedelta(hours=23 if i == days - 1 else 24),
        headline=_headline(i, day, level=level, days=days, causes=causes),
        cells=tuple(cells),
        causes=causes,
        estimated=(_estimate(random, level, i, labelled=labelled),) if task != "regression" else (),
        realised=tuple(_realised(random, level, i, n=labelled, task=task)) if labelled else (),
    )


def _metrics(task: str, level: float) -> list[tuple[str, float, float]]:
    """Name, level of the day, and how wide it varies."""
    if task == "regression":
        return [("score", 12 + 60 * (level - 0.25), 14.0)]
    if task == "multiclass":
        rest = 1 - level
        return [
            ("class:late", level, 0.4),
            ("class:on time", 0.7 * rest, 0.4),
            ("class:early", 0.25 * rest, 0.4),
            ("class:<b>cancelled</b>", 0.05 * rest, 0.2),
        ]
    return [("positives", level, 0.4), ("score", 0.12 + 0.5 * level, 0.16)]


def _usual(metric: str, task: str) -> float:
    return next(level for name, level, _ in _metrics(task, 0.25) if name == metric)


def _hour(
    metric: str, hour: int, *, n: int, value: float, level: float, usual: float, wide: float, enough: bool
) -> Cell:
    """An hour less its day; at night there are too few rows ever to find anything."""
    base: dict[str, Any] = {
        "order": "predictions",
        "metric": metric,
        "scope": OVERALL,
        "span": "hour",
        "hour": hour,
        "gap": "day",
        "n": n,
        "value": value - level,
        "figure": value,
    }
    if hour in NIGHT or not enough:
        why = (
            "with so few answers not even a share of 0 % or 100 % would be unusual" if enough else "fewer than 3 weeks"
        )
        return Cell(**base, usual=usual if enough else None, verdict="cannot be judged", why=why)
    band = 3.4 * wide * np.sqrt(1 / max(n, 1) + 0.03)
    off = abs(value - level - usual) > band
    least, most = (-level, 1 - level) if wide < 1 else (-np.inf, np.inf)
    return Cell(
        **base,
        usual=usual,
        low=max(usual - band, least),
        high=min(usual + band, most),
        detectable=1.25 * band,
        p_value=0.0002 if off else 0.4,
        verdict="unusual" if off else "usual",
    )


def _day(
    metric: str,
    scope: str,
    *,
    n: int,
    figure: float,
    usual: float,
    band: float,
    enough: bool,
    gap: str = "",
    value: float | None = None,
) -> Cell:
    base: dict[str, Any] = {
        "order": "predictions",
        "metric": metric,
        "scope": scope,
        "span": "day",
        "gap": gap,
        "n": n,
        "value": figure if value is None else value,
        "figure": figure,
    }
    if not enough:
        return Cell(**base, verdict="cannot be judged", why="fewer than 3 weeks")
    off = abs(base["value"] - usual) > band
    return Cell(
        **base,
        usual=usual,
        low=usual - band,
        high=usual + band,
        detectable=1.25 * band,
        p_value=0.0001 if off else 0.5,
        verdict="unusual" if off else "usual",
    )


def _segments(
    random: np.random.Generator, *, level: float, n: int, metric: str, odd: bool, enough: bool, carriers: Sequence[str]
) -> Iterator[Cell]:
    for k, carrier in enumerate(carriers):
        usual = 0.03 * (k - 2.5)
        value = usual + random.normal(0, 0.03) + (0.3 if odd and carrier == "EV" else 0.0)
        scope = f"carrier={carrier}"
        if carrier == "WN":
            yield Cell(
                order="predictions",
                metric=metric,
                scope=scope,
                span="day",
                gap="rest",
                n=9,
                value=value,
                figure=level + value,
                verdict="cannot be judged",
                why="9 answers: at least 10 are needed",
            )
        else:
            yield _day(
                metric,
                scope,
                n=n // 6,
                figure=level + value,
                usual=usual,
                band=0.12,
                enough=enough,
                gap="rest",
                value=value,
            )


def _inputs(*, last: bool, n: int, enough: bool) -> Iterator[Cell]:
    share = 0.78 if last else 0.004
    yield _day("missing:tailnum", OVERALL, n=n, figure=share, usual=0.004, band=0.02, enough=enough).model_copy(
        update={"order": "inputs"}
    )


def _counts(answered: int, *, hourly: np.ndarray, enough: bool) -> Iterator[Cell]:
    """Traffic by day and hour: at night nothing would be too little."""
    cell = _day("answered", OVERALL, n=answered, figure=float(answered), usual=560.0, band=190.0, enough=enough)
    yield cell.model_copy(update={"order": "exact"})
    for hour, n in enumerate(hourly.tolist()):
        usual = float(_SHAPE[hour])
        if enough and n:
            low, high = usual - 4.5 * usual**0.5, usual + 4.5 * usual**0.5 + 3
            yield cell.model_copy(
                update={
                    "span": "hour",
                    "hour": hour,
                    "n": n,
                    "value": float(n),
                    "figure": float(n),
                    "usual": usual,
                    "low": low if low > 0 else None,
                    "high": high,
                    "detectable": 6 * usual**0.5,
                    "verdict": "usual",
                }
            )


def _causes(i: int, *, days: int) -> Iterator[Cause]:
    if i == days - 1:
        yield Cause(
            key="input:tailnum",
            order="inputs",
            urgency=Urgency.PAGE,
            scope="tailnum",
            what="'tailnum' is missing in 100 % of the requests since 06:00; usually in 0.3 %.",
            since=datetime(2013, 9, 29, 6),
            consequences=("24 features made of the tail number are empty.", "The share late of the day is low."),
        )
    if i in INCIDENT:
        yield Cause(
            key="positives",
            order="predictions",
            urgency=Urgency.INFORM,
            what="Twice as many flights are predicted late.",
            since=datetime(2013, 9, 1),
        )


def _headline(i: int, day: date, *, level: float, days: int, causes: tuple[Cause, ...]) -> str:
    if i == days - 1:
        return "The tail number is missing in every request since 06:00 (usually in 0.3 %); traffic is usual."
    if i in INCIDENT:
        return f"Unusual day: {level:.0%} predicted late, 25 % usual, the highest of {i + 1} days."
    return "As usual."


def _estimate(random: np.random.Generator, level: float, i: int, *, labelled: int) -> Estimated:
    value = 0.38 + 0.4 * level
    return Estimated(
        metric="log_loss",
        value=value,
        low=value - 0.03,
        high=value + 0.03,
        usual_error=0.107,
        days=max(0, i - 3),
        realised=value + 0.01 if labelled else None,
    )


def _realised(random: np.random.Generator, level: float, i: int, *, n: int, task: str) -> Iterator[Realised]:
    if task == "regression":
        error = 31 + 40 * abs(level - 0.25) + random.normal(0, 2)
        yield Realised(
            metric="root_mean_squared_error",
            scope=OVERALL,
            n=n,
            value=error,
            low=error - 3,
            high=error + 3,
            prior=41.0,
            promised=32.0,
            verdict="as promised" if error < 38 else "worse than promised",
        )
        return
    loss = 0.39 + 0.38 * level + random.normal(0, 0.05) + (0.25 if i in INCIDENT else 0.0)
    bad = loss > 0.62
    yield Realised(
        metric="log_loss",
        scope=OVERALL,
        n=n,
        value=loss,
        low=loss - 0.05,
        high=loss + 0.05,
        prior=loss + 0.07 + 0.1 * bad,
        promised=0.485,
        verdict="worse than promised" if bad else "as promised",
    )
    area = 0.71 + random.normal(0, 0.02)
    yield Realised(
        metric="roc_auc_score",
        scope=OVERALL,
        n=n,
        value=area,
        low=area - 0.04,
        high=area + 0.04,
        prior=0.5,
        promised=0.71,
        verdict="as promised",
    )
    yield Realised(
        metric="log_loss",
        scope="carrier=EV",
        n=n // 6,
        value=loss + 0.1,
        low=loss,
        high=loss + 0.2,
        prior=loss,
        promised=0.5,
        verdict="worse than the prior",
        why="its weather is bad",
    )

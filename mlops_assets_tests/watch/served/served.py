"""Made-up figures of what was served: small, visible, and with a weather that moves whole days."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa

from mlops_assets.contract.monitoring import MonitoringPlan
from mlops_assets.watch.served.cells import judge
from mlops_assets.watch.served.report import Cell
from mlops_assets.watch.served.table import METRICS

PLAN = MonitoringPlan(slices=("carrier",))
DAY = date(2013, 9, 16)
CARRIERS = ("AA", "DL", "UA")
HOURS = np.arange(6, 22)
RISING = np.linspace(-0.1, 0.1, len(HOURS))


def make_figures(
    *,
    seed: int = 0,
    days: int = 71,
    rows: int = 60,
    usual: float = 0.25,
    weather: float = 0.05,
    last: dict[str, float] | None = None,
    rows_last: int | None = None,
    shuffled: bool = False,
    version: str = "v1",
) -> pa.Table:
    """Hourly figures up to ``DAY``: ``rows`` an hour, shared by the carriers; the mean score rises over the day.

    ``last`` adds to the judged day's mean score by scope (``overall``, ``carrier=UA``).
    """
    draw = np.random.default_rng(seed)
    made: list[tuple[object, ...]] = []
    for age in reversed(range(days)):
        level = usual + weather * draw.normal()
        pattern = draw.permutation(RISING) if shuffled and not age else RISING
        count = rows if age or rows_last is None else rows_last
        for hour, above in zip(HOURS, pattern, strict=True):
            moment = datetime.combine(DAY - timedelta(days=age), datetime.min.time()) + timedelta(hours=int(hour))
            shift = last or {} if not age else {}
            of = {
                f"carrier={name}": np.clip(
                    level + above + shift.get("overall", 0) + shift.get(f"carrier={name}", 0)
                    + draw.normal(0, 0.1, count // len(CARRIERS)), 0, 1
                )
                for name in CARRIERS
            }  # fmt: skip
            of["overall"] = np.concatenate([*of.values()])
            for scope, scores in of.items():
                for metric, values in _measures(scores).items():
                    made.append(("flights", version, moment, scope, metric, float(values.sum()), len(values)))
    columns = zip(*made, strict=True)
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, METRICS, strict=True)], METRICS)


def _measures(scores: np.ndarray) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    return {
        "answered": np.ones(len(scores)),
        "score": scores,
        "score_squared": scores**2,
        "positives": (scores > 0.4).astype(float),
    }


def judged(figures: pa.Table, *, until: datetime | None = None, **options: object) -> tuple[Cell, ...]:
    """The cells of ``DAY``, over if not said otherwise."""
    end = until or datetime.combine(DAY + timedelta(days=1), datetime.min.time())
    return judge(figures, day=DAY, until=end, version="v1", **{"plan": PLAN, "binary": True, **options})  # type: ignore[arg-type]


def unusual(cells: tuple[Cell, ...]) -> set[tuple[str, str, str]]:
    """Metric, scope and span of what is."""
    return {(cell.metric, cell.scope, cell.span) for cell in cells if cell.verdict == "unusual"}


def cell_of(cells: tuple[Cell, ...], metric: str, scope: str = "overall", span: str = "day") -> Cell:
    """The one cell of that name."""
    (found,) = (c for c in cells if (c.metric, c.scope, c.span) == (metric, scope, span) and c.hour is None)
    return found

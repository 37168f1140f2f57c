"""Counts against what is usual of them: answers by hour and day, and rows for which holds what seldom does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mlops_assets.contract.arrays import Floats, Ints
from mlops_assets.contract.slices import OVERALL
from mlops_assets.watch.profiles.cells import Flags
from mlops_assets.watch.served.context import WEEK, Context
from mlops_assets.watch.served.drafts import WORTH_OF_TRAFFIC, Draft, Rare
from mlops_assets.watch.served.series import Series
from mlops_assets.watch.served.table import ANSWERED
from mlops_assets.watch.served.usual import Usual, learn

_NO_SUCH_DAY = "no such day of the week before it"


def traffic(answered: Series, context: Context) -> Iterator[Draft]:
    lacking = context.lacking(answered.days[answered.n.sum((0, 2)) > 0])
    for of in (answered, answered.daily()):
        hours = of.value.shape[2]
        counts, days = of.value[0].ravel(), np.repeat(of.days, hours)
        bucket = days % WEEK * hours + np.tile(np.arange(hours), len(of.days))
        rates = _Rates.of(counts, exposure=np.ones_like(counts), bucket=bucket, past=days < context.day.toordinal())
        for at in range(len(counts) - hours, len(counts)):
            rate, between, error = rates.at(int(bucket[at]))
            if hours == 1 or counts[at] or rate >= 1:
                yield Rare(
                    order="exact",
                    family="traffic",
                    metric=ANSWERED,
                    scope=OVERALL,
                    span="hour" if hours > 1 else "day",
                    hour=at - len(counts) + hours if hours > 1 else None,
                    n=int(counts[at]),
                    value=float(counts[at]),
                    figure=float(counts[at]),
                    count=float(counts[at]),
                    of=None,
                    rate=rate,
                    between=between,
                    error=error,
                    worth=WORTH_OF_TRAFFIC * rate,
                    lacking=lacking or ("" if rate else _NO_SUCH_DAY),
                )


def events(of: Series, name: str, context: Context, *, worth: float) -> Iterator[Draft]:
    """The share of rows for which something holds that seldom does, on the day. What is within ``worth`` of the usual
    share is nothing to tell.
    """
    count, n = of.daily().value[0, :, 0], of.daily().n[0, :, 0]
    if not n[-1]:
        return
    past = (of.days < context.day.toordinal()) & (n > 0)
    rates = _Rates.of(count, exposure=n, bucket=np.zeros(len(n), dtype=np.int64), past=past)
    rate, between, error = rates.at(0)
    yield Rare(
        order="exact",
        family="requests",
        metric=name,
        scope=of.scopes[0],
        span="day",
        n=int(n[-1]),
        value=float(count[-1] / n[-1]),
        figure=float(count[-1] / n[-1]),
        count=float(count[-1]),
        of=float(n[-1]),
        rate=rate,
        between=between,
        error=error,
        worth=worth,
        lacking=context.lacking(of.days[n > 0]),
    )


@dataclass(frozen=True, kw_only=True)
class _Rates:
    """Counts a unit of exposure, by bucket: ``plain`` ones (0 if nothing is known), relative to which ``usual`` is
    learnt.
    """

    plain: Floats
    usual: Usual

    @classmethod
    def of(cls, counts: Floats, *, exposure: Floats, bucket: Ints, past: Flags) -> _Rates:
        size = int(bucket.max()) + 1
        sums, exposed = (np.bincount(bucket[past], weights=each[past], minlength=size) for each in (counts, exposure))
        plain = np.where(exposed > 0, np.maximum(sums, 0.5) / np.maximum(exposed, 1e-9), 0.0)
        expected = plain[bucket] * exposure
        with np.errstate(divide="ignore", invalid="ignore"):
            relative, noise = np.where(expected > 0, counts / expected, np.nan), 1 / expected
        return cls(plain=plain, usual=learn(relative[None], noise=noise[None], bucket=bucket, past=past))

    def at(self, bucket: int) -> tuple[float, float, float]:
        """The rate, its relative variance from time to time, and the relative variance of the rate itself."""
        level = float(np.nan_to_num(self.usual.level[0, bucket], nan=1.0))
        return float(self.plain[bucket]) * level, float(self.usual.between[0]), float(self.usual.error[0, bucket])

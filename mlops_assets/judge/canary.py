"""Whether a version that answers a share of the rows may answer more of them: the guards of a canary.

Rows come to either version by a hash of their key, so both see the same kind of rows and what differs is the version. A
guard holds, is breached, or has no power yet; one without power holds nothing up and lets nothing through.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import NormalDist

CALLS = 30
"""Calls of either version from which on their times are compared."""
LEVEL = 0.05
ALWAYS_LOOKED_AT = 0.0025
"""A breach is looked for every second: at 5 % one in a few canaries without a fault would be sent back."""


@dataclass(frozen=True, kw_only=True)
class Guards:
    """What a canary may cost. ``rows`` is what each version must have answered in a step before it can end.

    No row may be left for the champion to answer because the version failed. ``slower`` is how many times the
    champion's time an answer may take, ``refused`` the share of requests that the service may refuse for being busy,
    ``shares`` how far the share of positives, or of any class, may lie from the champion's.
    """

    rows: int = 200
    slower: float = 2.0
    refused: float = 0.01
    shares: float = 0.05


@dataclass(frozen=True, kw_only=True)
class Arm:
    """What one version did in a step: ``decided`` counts its decisions, ``log_seconds`` adds up the logarithms of what
    its ``calls`` took.
    """

    rows: int = 0
    errors: int = 0
    calls: int = 0
    log_seconds: float = 0.0
    decided: Mapping[str, int] = field(default_factory=dict)

    def plus(self, other: Arm) -> Arm:
        """Both together, as of two workers."""
        labels = {*self.decided, *other.decided}
        return Arm(
            rows=self.rows + other.rows,
            errors=self.errors + other.errors,
            calls=self.calls + other.calls,
            log_seconds=self.log_seconds + other.log_seconds,
            decided={label: self.decided.get(label, 0) + other.decided.get(label, 0) for label in sorted(labels)},
        )


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What happened in a step of a canary, in one worker or in all."""

    champion: Arm = Arm()
    canary: Arm = Arm()
    requests: int = 0
    refused: int = 0

    def plus(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(
            champion=self.champion.plus(other.champion),
            canary=self.canary.plus(other.canary),
            requests=self.requests + other.requests,
            refused=self.refused + other.refused,
        )


class State(StrEnum):
    """What a guard says."""

    HOLDS = "holds"
    BREACHED = "breached"
    NO_POWER = "cannot tell yet"


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """What one guard says, and by which figures."""

    guard: str
    state: State
    told: str

    def __str__(self) -> str:
        return f"{self.guard} {self.state.value}: {self.told}"


def rulings(tally: Tally, *, guards: Guards, whole: bool = False) -> tuple[Ruling, ...]:
    """What every guard says. ``whole`` is a canary that answers every row: there is no champion to compare it with."""
    alone = (_errors(tally, guards), _refused(tally, guards))
    return alone if whole else (*alone, _time(tally, guards), *_shares(tally, guards))


def _errors(tally: Tally, guards: Guards) -> Ruling:
    arm = tally.canary
    state = State.BREACHED if arm.errors else State.HOLDS if arm.rows >= guards.rows else State.NO_POWER
    told = f"{arm.errors} beside {arm.rows} rows answered, {guards.rows} are needed"
    return Ruling(guard="errors", state=state, told=told)


def _refused(tally: Tally, guards: Guards) -> Ruling:
    breached = tally.refused > guards.refused * max(tally.requests, guards.rows)
    told = f"{tally.refused} of {tally.requests} requests, at most {guards.refused:.1%}"
    return Ruling(guard="refused", state=State.BREACHED if breached else State.HOLDS, told=told)


def _time(tally: Tally, guards: Guards) -> Ruling:
    """Geometric means: one answer that waited for a busy machine is no reason."""
    new, old = tally.canary, tally.champion
    if min(new.calls, old.calls) < CALLS:
        told = f"{new.calls} calls beside the champion's {old.calls}, {CALLS} of each are needed"
        return Ruling(guard="time", state=State.NO_POWER, told=told)
    times = math.exp(new.log_seconds / new.calls - old.log_seconds / old.calls)
    told = f"{times:.2f} times the champion's, at most {guards.slower:g}"
    return Ruling(guard="time", state=State.BREACHED if times > guards.slower else State.HOLDS, told=told)


def _shares(tally: Tally, guards: Guards) -> Iterator[Ruling]:
    """Of each decision, by the interval of Agresti and Caffo (2000), corrected for the number of decisions."""
    new, old = tally.canary, tally.champion
    labels = sorted({*new.decided, *old.decided})
    for label in labels:
        name = f"share of {label}"
        if min(new.rows, old.rows) < guards.rows:
            told = f"{new.rows} rows beside the champion's {old.rows}, {guards.rows} of each are needed"
            yield Ruling(guard=name, state=State.NO_POWER, told=told)
            continue
        apart, error = _difference(new.decided.get(label, 0), new.rows, old.decided.get(label, 0), old.rows)
        breach, held = (-NormalDist().inv_cdf(level / len(labels) / 2) * error for level in (ALWAYS_LOOKED_AT, LEVEL))
        breached = abs(apart) - breach > guards.shares
        within = abs(apart) + held <= guards.shares
        state = State.BREACHED if breached else State.HOLDS if within else State.NO_POWER
        told = f"{apart:+.3f} ± {held:.3f} from the champion's, at most {guards.shares:g}"
        yield Ruling(guard=name, state=state, told=told)


def _difference(new: int, new_rows: int, old: int, old_rows: int) -> tuple[float, float]:
    shares = [(count + 1) / (rows + 2) for count, rows in ((new, new_rows), (old, old_rows))]
    variance = sum(share * (1 - share) / (rows + 2) for share, rows in zip(shares, (new_rows, old_rows), strict=True))
    return shares[0] - shares[1], math.sqrt(variance)

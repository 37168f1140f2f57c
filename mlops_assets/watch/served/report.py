"""What watching one served day found: every judged cell, estimated and realised truth, and the causes behind them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from mlops_assets.contract.alerts import Urgency
from mlops_assets.contract.errors import EvaluationError

Verdict = Literal["usual", "unusual", "cannot be judged"]
Span = Literal["hour", "day", "week", "slow"]
Order = Literal["exact", "inputs", "predictions", "truth"]
"""The order of trust: what pages people comes first."""


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Cell(_Kept):
    """One figure of one scope over one span against what is usual there.

    ``gap`` says what ``value`` is of: "" the figure itself, "rest" the figure less that of the day's other rows (a
    segment), "day" the figure less that of its day (an hour). Outside of ``low`` to ``high`` it is unusual.
    ``detectable`` is the smallest shift that would be found four times in five; None where nothing can be found, and
    then the verdict is *cannot be judged* and ``why`` says it. ``since`` is the day a slow change is dated to.
    """

    order: Order
    metric: str
    scope: str
    span: Span
    hour: int | None = None
    gap: Literal["", "rest", "day"] = ""
    n: int
    value: float
    figure: float
    usual: float | None = None
    low: float | None = None
    high: float | None = None
    detectable: float | None = None
    p_value: float | None = None
    verdict: Verdict
    why: str = ""
    since: date | None = None


class Estimated(_Kept):
    """A metric by the scores alone, written down before outcomes are known; ``realised`` once they are.

    ``usual_error`` is the root mean square of realised minus estimated over the days that have both, ``days`` of them.
    """

    metric: str
    value: float
    low: float
    high: float
    realised: float | None = None
    usual_error: float | None = None
    days: int = 0


class Realised(_Kept):
    """A metric of evaluation once outcomes are known; ``prior`` on the same rows, ``promised`` at promotion."""

    metric: str
    scope: str
    n: int
    value: float | None
    low: float | None = None
    high: float | None = None
    prior: float | None = None
    promised: float | None = None
    verdict: Literal["as promised", "worse than promised", "worse than the prior", "cannot be judged"]
    why: str = ""


class Cause(_Kept):
    """One thing that a person must know, with everything that follows from it.

    ``key`` is its identity (``input:tailnum``): the same cause has the same key on every day. ``consequences`` are
    sentences on what else is unusual because of it, which are no causes of their own. ``chart`` are the figure's last
    values, oldest first, to be drawn small; the last one is the one that is judged.
    """

    key: str
    order: Order
    urgency: Urgency
    what: str
    scope: str = ""
    normal: str = ""
    likely_cause: str = ""
    to_do: str = ""
    since: datetime
    chart: tuple[float, ...] = ()
    consequences: tuple[str, ...] = ()


class InputShift(_Kept):
    """How a column of the requests is distributed in a day, beside what it is compared with.

    ``measure`` is the distance that is farthest beyond (or nearest to) its ``bound``; ``detectable`` the smallest
    change of it that would be noticed. ``now`` and ``then`` are means of numbers and of hours, and ``value``'s share of
    texts; ``missing_now`` and ``missing_then`` shares of rows. ``since`` is the day from which a level goes on.
    """

    column: str
    looked_up: bool
    rows: int
    measure: str = ""
    figure: float | None = None
    bound: float | None = None
    detectable: float | None = None
    verdict: Verdict
    why: str = ""
    value: str = ""
    now: float | None = None
    then: float | None = None
    missing_now: float | None = None
    missing_then: float | None = None
    since: str = ""


class WatchReport(_Kept):
    """One served day as far as ``until`` (its end, once it is over), on the use case's wall clock.

    ``made_of`` names what it was made of, so that somebody can see whether that has changed since. ``versions`` are
    the answers of each version, ``version`` the one that gave most. ``headline`` is one sentence that a person reads
    first. ``labelled`` of ``answered`` rows have an outcome. ``inputs`` are the columns of its requests against those
    of ``compared_with``.
    """

    use_case: str
    day: date
    until: datetime
    made_of: str = ""
    version: str
    versions: Mapping[str, int]
    answered: int
    labelled: int = 0
    headline: str
    cells: tuple[Cell, ...] = ()
    estimated: tuple[Estimated, ...] = ()
    realised: tuple[Realised, ...] = ()
    causes: tuple[Cause, ...] = ()
    inputs: tuple[InputShift, ...] = ()
    compared_with: str = ""

    @property
    def unusual(self) -> tuple[Cell, ...]:
        """The cells that are unusual, the least likely first."""
        found = [cell for cell in self.cells if cell.verdict == "unusual"]
        return tuple(sorted(found, key=lambda cell: (cell.p_value or 0.0, cell.scope)))

    def to_json(self) -> bytes:
        """As the lake keeps it; ``from_json`` reads it back equal."""
        return self.model_dump_json(indent=1).encode()

    @classmethod
    def from_json(cls, text: bytes | str) -> WatchReport:
        """EvaluationError when the text is no report, such as one of an earlier version of the platform."""
        try:
            return cls.model_validate_json(text)
        except ValueError as error:
            raise EvaluationError(f"This is no monitoring report: {error}. Watch the day again.") from error

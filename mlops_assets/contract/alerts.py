"""What a person must know: one alert for each cause, which opens, is updated and resolves. Pure transitions.

A **look** is one judgement of a subject at some places: a check over the batches of a run, a figure over an hour. What
it found stands at these places; what it did not find there any more is over there. An alert is resolved when its cause
stands nowhere. Keeping and delivering is in ``stores/alerts/``, what is looked at is read elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict

PART = "#"
"""Between a subject and the part of it that is the cause: ``validated_flights/matches_schema#tailnum``."""
_BARS = "▁▂▃▄▅▆▇█"


class Urgency(StrEnum):
    """PAGE wakes somebody, INFORM is read in the morning."""

    PAGE = "page"
    INFORM = "inform"


class State(StrEnum):
    """Where an alert stands; SILENCED goes before ACKNOWLEDGED."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    SILENCED = "silenced"
    RESOLVED = "resolved"


class News(StrEnum):
    """What is told of an alert."""

    OPENED = "opened"
    UPDATED = "updated"
    RESOLVED = "resolved"


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True)


class Finding(_Kept):
    """One cause as one look found it. Use case and ``cause`` are its identity; everything else may change.

    ``what`` is one sentence, ``scope`` the slice or column, ``normal`` what it is compared with, ``evidence`` a link or
    a place, ``to_do`` what a person does about it, ``chart`` the figure's last values, oldest first.
    """

    use_case: str
    cause: str
    urgency: Urgency
    what: str
    since: AwareDatetime
    scope: str = ""
    normal: str = ""
    likely_cause: str = ""
    evidence: str = ""
    to_do: str = ""
    chart: tuple[float, ...] = ()

    @property
    def id(self) -> str:
        """Of the alert about this cause, the same whenever it comes."""
        return hashlib.sha256(f"{self.use_case}\n{self.cause}".encode()).hexdigest()[:8]

    @property
    def subject(self) -> str:
        """What was looked at, without the part of it that is the cause."""
        return self.cause.split(PART, maxsplit=1)[0]


@dataclass(frozen=True, kw_only=True)
class Look:
    """One judgement of ``subject`` at ``places`` (batches in the order of their names; ``""`` for what has none), with
    all that it found there.

    ``by`` names who looked, such as a run: what it found at a place it does not clear itself. ``goes_on`` is a look at
    what happens, such as traffic, and not at what stays as it is until somebody mends it, such as a refused file: what
    it does not find is over at earlier places too, however urgent it was.
    """

    use_case: str
    subject: str
    places: frozenset[str]
    by: str
    findings: tuple[Finding, ...] = ()
    goes_on: bool = False


class Silence(_Kept):
    """Nothing is told of an alert until then, and why."""

    until: AwareDatetime
    reason: str


class Alert(_Kept):
    """One cause over time. ``places`` is where it stands now, with who found it there; none when it is resolved.

    ``number`` counts its events, ``told_places`` is at how many places it stood when people were last told.
    """

    finding: Finding
    places: dict[str, str]
    number: int = 0
    told_places: int = 0
    acknowledged: bool = False
    silence: Silence | None = None

    @property
    def id(self) -> str:
        """That of its cause."""
        return self.finding.id

    @property
    def state(self) -> State:
        """Where it stands; a silence that is over ends with ``wake``."""
        if not self.places:
            return State.RESOLVED
        if self.silence is not None:
            return State.SILENCED
        return State.ACKNOWLEDGED if self.acknowledged else State.OPEN


class Event(_Kept):
    """What became of an alert. ``told`` says whether people are told; a silenced alert's are only kept."""

    kind: News
    at: AwareDatetime
    alert: Alert
    told: bool


def judge(alerts: Mapping[str, Alert], look: Look) -> dict[str, Alert]:
    """The alerts by id that a look changes or makes, as they are after it."""
    now = {finding.id: finding for finding in look.findings}
    before = {key: alert for key, alert in alerts.items() if _is_of(alert, look) or key in now}
    after = {key: _cleared(alert, look) for key, alert in before.items() if key not in now}
    after |= {key: _standing(before.get(key), finding, look=look) for key, finding in now.items()}
    return {key: alert for key, alert in after.items() if alert != alerts.get(key)}


def announce(before: Alert | None, after: Alert, *, now: datetime) -> Event | None:
    """What there is to tell between two moments of an alert; ``None`` if nothing that a person must know changed."""
    kind = _news(before, after)
    if kind is None:
        return None
    numbered = after.model_copy(update={"number": after.number + 1, "told_places": len(after.places)})
    return Event(kind=kind, at=now, alert=numbered, told=after.silence is None)


def wake(alert: Alert, *, now: datetime) -> Alert:
    """The alert without a silence that is over."""
    over = alert.silence is not None and now >= alert.silence.until
    return alert.model_copy(update={"silence": None}) if over else alert


def acknowledge(alert: Alert) -> Alert:
    """Somebody is at it: it is still told when it changes or is over."""
    return alert.model_copy(update={"acknowledged": True})


def silence(alert: Alert, *, until: datetime, reason: str) -> Alert:
    """Nothing is told of it until then."""
    return alert.model_copy(update={"silence": Silence(until=until, reason=reason)})


def resolve(alert: Alert) -> Alert:
    """It stands nowhere; the next look that finds its cause opens it again."""
    return alert.model_copy(update={"places": {}, "acknowledged": False})


def _news(before: Alert | None, after: Alert) -> News | None:
    """A cause that lasts is told of again when it stands at twice as many places: often at first, then seldom."""
    stood = before is not None and bool(before.places)
    if stood != bool(after.places):
        return News.OPENED if after.places else News.RESOLVED
    if before is None or not stood:
        return None
    graver = after.finding.urgency is Urgency.PAGE and before.finding.urgency is Urgency.INFORM
    woken = before.silence is not None and after.silence is None
    spread = len(after.places) >= 2 * after.told_places
    return News.UPDATED if graver or woken or spread else None


def _is_of(alert: Alert, look: Look) -> bool:
    return (alert.finding.use_case, alert.finding.subject) == (look.use_case, look.subject)


def _standing(alert: Alert | None, finding: Finding, *, look: Look) -> Alert:
    places = dict.fromkeys(look.places, look.by)
    if alert is None:
        return Alert(finding=finding, places=places)
    since = min(alert.finding.since, finding.since) if alert.places else finding.since
    kept = finding.model_copy(update={"since": since})
    return alert.model_copy(update={"finding": kept, "places": {**alert.places, **places}})


def _cleared(alert: Alert, look: Look) -> Alert:
    """What stood where it passed is over; of what only informs or happens, whatever stood before that too: the batch
    was published and will not be judged again, and what matters is whether it goes on.
    """
    passed = {place for place in look.places if alert.places.get(place) != look.by}
    goes_on = look.goes_on or alert.finding.urgency is Urgency.INFORM
    latest = max(passed, default="") if goes_on else ""
    left = {place: by for place, by in alert.places.items() if place not in passed and place >= latest}
    return alert.model_copy(update={"places": left}) if left else resolve(alert)


def said_places(places: Iterable[str]) -> str:
    """``2013-07-01``, or ``3 batches, 2013-07-01 to 2013-07-04``; nothing for what has no batches."""
    batches = sorted(place for place in places if place)
    if len(batches) < 2:
        return "".join(batches)
    return f"{len(batches)} batches, {batches[0]} to {batches[-1]}"


def sparkline(values: Sequence[float]) -> str:
    """``▂▁▂▁▇``: values drawn as bars from the lowest to the highest, in the order given; nothing of fewer than two."""
    if len(values) < 2:
        return ""
    low, span = min(values), (max(values) - min(values)) or 1.0
    return "".join(_BARS[min(int((value - low) / span * len(_BARS)), len(_BARS) - 1)] for value in values)


def lines_of(alert: Alert) -> list[str]:
    """All that is known of an alert, for a message or a terminal: a line each, none that is empty."""
    finding = alert.finding
    named = (
        ("Where", ", ".join(filter(None, (finding.cause, finding.scope, said_places(alert.places))))),
        ("Since", f"{finding.since:%Y-%m-%d %H:%M} UTC"),
        ("Normal", finding.normal),
        ("Lately", sparkline(finding.chart)),
        ("Likely cause", finding.likely_cause),
        ("Evidence", finding.evidence),
        ("What to do", finding.to_do),
    )
    return [finding.what, *(f"{name}: {text}" for name, text in named if text)]

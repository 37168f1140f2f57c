"""The engine of a service: requests that wait are answered together, in a thread of its own.

Belongs here: who waits, who is refused, whose time is over. What answering is comes from outside (``predictor.py``),
HTTP is in ``app.py``. Each request was validated before it waits here, so that none spoils another's answer.

A request is either *given up* (its time was over, nothing is remembered) or *taken* (its answer is being written, so it
is waited for): of the two, whichever comes first.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from mlops_assets.serving.asking import Asked
from mlops_assets.serving.settings import ServiceSettings
from mlops_assets.serving.wire import Refused

log = logging.getLogger(__name__)

RETRY_AFTER = 1
"""Seconds after which a refused caller may try again: what waits at most is answered by then."""


class State(Enum):
    """How far a request came."""

    WAITING = auto()
    GIVEN_UP = auto()
    TAKEN = auto()


@dataclass(kw_only=True, eq=False)
class Pending:
    """One admitted request, ``since`` when. ``fingerprint`` is of its body, where it may be repeated under a key."""

    asked: Asked
    deadline: float
    fingerprint: bytes = b""
    answer: asyncio.Future[bytes]
    since: float = field(default_factory=time.monotonic)
    _state: State = State.WAITING
    _changing: threading.Lock = field(default_factory=threading.Lock)

    @property
    def rows(self) -> int:
        """How many rows it adds to what waits."""
        return len(self.asked.good)

    def take(self) -> bool:
        """Whether its answer may be written: not once it was given up."""
        return self._change(State.TAKEN)

    def give_up(self) -> bool:
        """Whether nothing will be written for it: not once it was taken."""
        return self._change(State.GIVEN_UP)

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._state is State.GIVEN_UP or time.monotonic() > self.deadline

    def _change(self, to: State) -> bool:
        with self._changing:
            if self._state is State.WAITING:
                self._state = to
            return self._state is to


Outcome = bytes | Refused
Together = Callable[[Sequence[Pending]], Sequence[Outcome]]


class Engine:
    """Calls ``together`` with all requests that wait, up to ``max_rows`` rows at once; it answers or refuses each.

    A failure of ``together`` is tried again request by request, so that only the one that caused it fails. ``requests``
    counts those that came as far as here, ``refusals`` those of all that were refused for being too many or too slow.
    """

    def __init__(self, together: Together, *, settings: ServiceSettings) -> None:
        self._together = together
        self._settings = settings
        self._waiting: deque[Pending] = deque()
        self._rows = 0
        self.requests = self.refusals = 0
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="answering", daemon=True)
        self._thread.start()

    @property
    def waiting_rows(self) -> int:
        """Rows of admitted requests that are not answered yet."""
        return self._rows

    @property
    def is_alive(self) -> bool:
        """Whether what waits will be answered."""
        return self._thread.is_alive()

    def refuse_if_full(self, rows: int = 1) -> None:
        """``Refused`` where ``rows`` more would wait for too long."""
        settings = self._settings
        if self._rows and (self._rows + rows > settings.max_waiting_rows or len(self._waiting) >= settings.max_waiting):
            self.refusals += 1
            raise Refused(503, "Too many requests are waiting: try again later.", retry_after=RETRY_AFTER)

    async def answer(self, asked: Asked, *, fingerprint: bytes = b"") -> bytes:
        """The answer's body. ``Refused`` when too much waits, when the time is over, or by what ``together`` says."""
        self.requests += 1
        self.refuse_if_full(len(asked.good))
        budget = self._settings.budget_ms / 1000
        pending = Pending(
            asked=asked,
            fingerprint=fingerprint,
            deadline=time.monotonic() + budget,
            answer=asyncio.get_running_loop().create_future(),
        )
        with self._changed:
            self._waiting.append(pending)
            self._rows += pending.rows
            self._changed.notify()
        await asyncio.wait([pending.answer], timeout=budget)
        if not pending.answer.done() and pending.give_up():
            self.refusals += 1
            raise Refused(503, "It took too long: nothing was answered, try again later.", retry_after=RETRY_AFTER)
        return await pending.answer

    def close(self) -> None:
        """Answers what waits and ends."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while requests := self._next():
            timely = [pending for pending in requests if not pending.is_over]
            if timely:
                _deliver(timely, self._outcomes(timely))
            with self._changed:
                self._rows -= sum(pending.rows for pending in requests)

    def _next(self) -> list[Pending]:
        """The requests to be answered together: the oldest, whatever its size, no key twice; none once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            together: list[Pending] = []
            repeats: list[Pending] = []
            rows, keys = 0, set[str]()
            while self._waiting and (not together or rows + self._waiting[0].rows <= self._settings.max_rows):
                pending = self._waiting.popleft()
                key = pending.asked.key
                if key in keys:
                    repeats.append(pending)
                    continue
                together.append(pending)
                rows += pending.rows
                keys |= {key} if key else set()
            self._waiting.extendleft(reversed(repeats))
            return together

    def _outcomes(self, requests: Sequence[Pending]) -> Sequence[Outcome]:
        try:
            return self._together(requests)
        except Refused as refused:
            return [refused] * len(requests)
        except Exception:  # whatever one request makes fail must not reach the others
            log.exception("answering failed", extra={"fields": {"requests": len(requests)}})
            if len(requests) == 1:
                return [Refused(500, "This request could not be answered.")]
            return [outcome for pending in requests for outcome in self._outcomes([pending])]


def _deliver(requests: Sequence[Pending], outcomes: Sequence[Outcome]) -> None:
    loop = requests[0].answer.get_loop()
    if not loop.is_closed():
        loop.call_soon_threadsafe(_set_all, requests, outcomes)


def _set_all(requests: Sequence[Pending], outcomes: Sequence[Outcome]) -> None:
    for pending, outcome in zip(requests, outcomes, strict=True):
        if pending.answer.done():
            continue
        if isinstance(outcome, Refused):
            pending.answer.set_exception(outcome)
        else:
            pending.answer.set_result(outcome)

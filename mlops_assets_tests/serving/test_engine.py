"""Requests that wait are answered together; who is too late, or too many, is refused, and none spoils another's."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.serving.asking import Asked
from mlops_assets.serving.engine import Engine, Outcome, Pending
from mlops_assets.serving.settings import ServiceSettings
from mlops_assets.serving.wire import Refused
from mlops_assets.steps.answer import RequestRow


def asked(name: str, *, rows: int = 1, key: str | None = None) -> Asked:
    return Asked(good=[RequestRow(values=(), inputs=name)] * rows, faulty={}, key=key)


class Answerer:
    """Answers each request with its name, as ``together`` does, once it is let."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.let = threading.Event()
        self.begun = threading.Event()
        self.let.set()

    def __call__(self, requests: Sequence[Pending]) -> list[Outcome]:
        self.begun.set()
        self.let.wait(10)
        names = [pending.asked.good[0].inputs for pending in requests]
        if "bad" in names:
            raise RuntimeError("one of them is bad")
        taken = [pending.take() for pending in requests]
        self.batches.append([name for name, kept in zip(names, taken, strict=True) if kept])
        return [name.encode() for name in names]


@contextmanager
def opened(together: Callable[[Sequence[Pending]], Any], **overrides: int) -> Iterator[Engine]:
    engine = Engine(together, settings=ServiceSettings(**overrides))
    try:
        yield engine
    finally:
        engine.close()


async def held(engine: Engine, answerer: Answerer) -> asyncio.Task[bytes]:
    """One request that is being answered, and will be until the answerer is let."""
    answerer.let.clear()
    first = asyncio.create_task(engine.answer(asked("first")))
    await asyncio.to_thread(answerer.begun.wait, 10)
    return first


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=30), most=st.integers(1, 20))
def test_everybody_gets_its_own_answer_and_no_batch_is_larger_than_allowed(sizes: list[int], most: int) -> None:
    answerer = Answerer()

    async def ask(engine: Engine) -> list[bytes]:
        requests = (asked(f"{place}", rows=rows) for place, rows in enumerate(sizes))
        return await asyncio.gather(*(engine.answer(each) for each in requests))

    with opened(answerer, max_rows=most) as engine:
        answers = asyncio.run(ask(engine))

    assert answers == [str(place).encode() for place in range(len(sizes))]
    for batch in answerer.batches:
        assert len(batch) == 1 or sum(sizes[int(name)] for name in batch) <= most
    assert sorted(name for batch in answerer.batches for name in batch) == sorted(map(str, range(len(sizes))))


def test_what_waits_is_answered_together() -> None:
    answerer = Answerer()

    async def ask(engine: Engine) -> None:
        first = await held(engine, answerer)
        waiting = [asyncio.create_task(engine.answer(asked(name))) for name in "abc"]
        await asyncio.sleep(0)
        assert engine.waiting_rows == 4
        answerer.let.set()
        await asyncio.gather(first, *waiting)

    with opened(answerer) as engine:
        asyncio.run(ask(engine))

    assert answerer.batches == [["first"], ["a", "b", "c"]]


def test_the_same_key_is_never_twice_in_a_batch() -> None:
    answerer = Answerer()

    async def ask(engine: Engine) -> None:
        first = await held(engine, answerer)
        waiting = [asyncio.create_task(engine.answer(asked(name, key="k" if name in "ac" else None))) for name in "abc"]
        await asyncio.sleep(0)
        answerer.let.set()
        await asyncio.gather(first, *waiting)

    with opened(answerer) as engine:
        asyncio.run(ask(engine))

    assert answerer.batches == [["first"], ["a", "b"], ["c"]]


def test_one_that_fails_does_not_fail_the_others() -> None:
    answerer = Answerer()

    async def ask(engine: Engine) -> list[bytes | BaseException]:
        first = await held(engine, answerer)
        waiting = [asyncio.create_task(engine.answer(asked(name))) for name in ("a", "bad", "b")]
        await asyncio.sleep(0)
        answerer.let.set()
        return await asyncio.gather(first, *waiting, return_exceptions=True)

    with opened(answerer) as engine:
        first, a, bad, b = asyncio.run(ask(engine))

    assert (first, a, b) == (b"first", b"a", b"b")
    assert isinstance(bad, Refused)
    assert (bad.status, str(bad)) == (500, "This request could not be answered.")


def test_what_is_too_late_is_refused_and_not_taken_and_what_is_taken_is_waited_for() -> None:
    answerer = Answerer()

    def slow(requests: Sequence[Pending]) -> list[Outcome]:
        taken = [pending.take() for pending in requests]
        outcomes = answerer(requests)
        assert all(taken)
        return outcomes

    async def ask(engine: Engine) -> list[bytes | BaseException]:
        first = await held(engine, answerer)
        late = asyncio.create_task(engine.answer(asked("late")))
        (refused,) = await asyncio.gather(late, return_exceptions=True)
        answerer.let.set()
        return [refused, await first]

    with opened(slow, budget_ms=50) as engine:
        late, first = asyncio.run(ask(engine))

    assert isinstance(late, Refused)
    assert (late.status, late.retry_after) == (503, 1)
    assert first == b"first"
    assert answerer.batches == [["first"]]


@pytest.mark.parametrize("bound", ["max_waiting", "max_waiting_rows"])
def test_beyond_what_may_wait_requests_are_refused_at_once(bound: str) -> None:
    answerer = Answerer()

    async def ask(engine: Engine) -> tuple[Refused, float]:
        first = await held(engine, answerer)
        waiting = asyncio.create_task(engine.answer(asked("a")))
        await asyncio.sleep(0)
        started = time.monotonic()
        with pytest.raises(Refused) as refusal:
            await engine.answer(asked("one too many"))
        took = time.monotonic() - started
        answerer.let.set()
        await asyncio.gather(first, waiting)
        engine.refuse_if_full()
        return refusal.value, took

    with opened(answerer, **{bound: 1 if bound == "max_waiting" else 2}) as engine:
        refused, took = asyncio.run(ask(engine))

    assert (refused.status, refused.retry_after) == (503, 1)
    assert took < 0.1


def test_a_request_larger_than_all_that_may_wait_is_answered_where_nobody_waits() -> None:
    with opened(Answerer(), max_waiting_rows=2, max_rows=2) as engine:
        assert asyncio.run(engine.answer(asked("large", rows=9))) == b"large"


def test_closing_answers_what_waits() -> None:
    answerer = Answerer()

    async def ask(engine: Engine) -> list[bytes]:
        first = await held(engine, answerer)
        last = asyncio.create_task(engine.answer(asked("last")))
        await asyncio.sleep(0)
        closing = asyncio.create_task(asyncio.to_thread(engine.close))
        answerer.let.set()
        answers = await asyncio.gather(first, last)
        await closing
        return answers

    engine = Engine(answerer, settings=ServiceSettings())

    assert asyncio.run(ask(engine)) == [b"first", b"last"]
    assert not engine.is_alive

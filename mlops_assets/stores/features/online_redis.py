"""The Redis backend of the online store, for services on several machines (``MLOPS_ONLINE_STORE_URL``).

A generation is written under names of its own and put in use by one SET; a look-up is one Lua script, which
Redis runs as one. A killed refresh leaves names that nobody reads; the next refresh removes them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import islice
from typing import Any

import redis

from mlops_assets.stores.features.online_backend import Asked, Generation, Layout, Value, as_serving_error

_plainly = as_serving_error(redis.RedisError)

_AT_ONCE = 2_000
_LOCK_SECONDS = 10  # a killed refresh blocks the next one for so long at most
_FETCH = """
local number = redis.call('GET', KEYS[1] .. 'in_use') or '0'
local found = {number}
for position = 1, #ARGV, 2 do
    local packed
    if ARGV[position + 1] == '0' then
        packed = redis.call('HGET', KEYS[1] .. 'values:' .. number, ARGV[position])
    else
        packed = redis.call('ZRANGE', KEYS[1] .. 'moments:' .. number .. ':' .. ARGV[position],
            ARGV[position + 1], '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, 1)[1] or false
    end
    found[#found + 1] = packed
end
return found
"""


class RedisBackend:
    """Keeps the newest ``kept`` generations of one use case in the Redis at ``url`` (6.2 or later)."""

    def __init__(self, url: str, *, use_case: str, kept: int = 2) -> None:
        self._redis: Any = redis.Redis.from_url(url)
        known = self._redis.connection_pool.connection_kwargs
        self.place = known.get("path") or f"{known.get('host')}:{known.get('port')}"  # a URL may hold a password
        self._prefix = f"mlops:online:{use_case}:"
        self._kept = kept
        self._fetch = self._redis.register_script(_FETCH)

    @_plainly
    def current(self) -> Generation | None:
        """The generation in use, ``None`` before the first refresh."""
        number = self._redis.get(self._prefix + "in_use")
        return None if number is None else self._generation(int(number))

    @_plainly
    def generations(self) -> list[Generation]:
        """Those that are kept, the newest first."""
        numbers = sorted((int(number) for number in self._redis.hkeys(self._prefix + "generations")), reverse=True)
        return [kept for number in numbers if (kept := self._generation(number))]

    @_plainly
    def fetch(self, asked: Sequence[Asked]) -> tuple[int, list[bytes | None]]:
        """The generation in use and, for every (key, until), its latest value: one script."""
        number, *found = self._fetch(keys=[self._prefix], args=[part for one in asked for part in one])
        return int(number), found

    @_plainly
    def replace(self, values: Iterator[Value], *, commit: str, as_of: date, layout: Layout) -> None:
        """Write a new generation beside the old ones, put it in use, then drop those past ``kept``."""
        with self._redis.lock(self._prefix + "refreshing", timeout=_LOCK_SECONDS) as lock:
            self._drop(int(number) for number in self._redis.smembers(self._prefix + "writing"))
            number = int(self._redis.incr(self._prefix + "last"))
            self._redis.sadd(self._prefix + "writing", number)
            while part := list(islice(values, _AT_ONCE)):
                self._write(number, part)
                lock.reacquire()
            before = int(self._redis.get(self._prefix + "in_use") or 0)
            told = json.dumps({"commit": commit, "as_of": as_of.isoformat(), "layout": layout})
            together = self._redis.pipeline(transaction=True)
            together.hset(self._prefix + "generations", str(number), told)
            together.set(self._prefix + "in_use", number)
            together.srem(self._prefix + "writing", number)
            together.execute()
            numbers = [kept.number for kept in self.generations()]
            self._drop(old for old in numbers if before < old < number)  # gone back from
            self._drop([old for old in numbers if not before < old < number][self._kept :])

    @_plainly
    def use(self, number: int) -> None:
        """Put a kept generation in use again."""
        self._redis.set(self._prefix + "in_use", number)

    def close(self) -> None:
        """Give the connections back."""
        self._redis.close()

    def _generation(self, number: int) -> Generation | None:
        told = self._redis.hget(self._prefix + "generations", str(number))
        if told is None:
            return None
        found = json.loads(told)
        return Generation(
            number=number,
            commit=found["commit"],
            as_of=date.fromisoformat(found["as_of"]),
            layout=found["layout"],
        )

    def _write(self, number: int, values: Sequence[Value]) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        exact = {key: packed for key, observed, packed in values if observed == 0}
        if exact:
            pipeline.hset(f"{self._prefix}values:{number}", mapping=exact)
        for key, observed, packed in values:
            if observed != 0:
                pipeline.zadd(f"{self._prefix}moments:{number}:{key}", {packed: observed})
                pipeline.sadd(f"{self._prefix}timed:{number}", key)
        pipeline.execute()

    def _drop(self, numbers: Iterator[int] | Sequence[int]) -> None:
        for number in numbers:
            timed = self._redis.smembers(f"{self._prefix}timed:{number}")
            names = [f"{self._prefix}moments:{number}:".encode() + key for key in timed]
            pipeline = self._redis.pipeline(transaction=True)
            pipeline.hdel(self._prefix + "generations", str(number))
            pipeline.srem(self._prefix + "writing", number)
            pipeline.unlink(f"{self._prefix}values:{number}", f"{self._prefix}timed:{number}", *names)
            pipeline.execute()

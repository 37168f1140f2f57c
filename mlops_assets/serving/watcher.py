"""The watcher: follows what the service is told (``stores/serving_orders.py``) without anyone noticing.

It looks again and again whether an order has changed. A champion, shadow or canary is opened and verified here, beside
what answers, and then put in its place in one step. What may not be taken is refused with the reason, in log, metrics
and the worker's status, and whoever served goes on; it is tried again every ``AGAIN`` seconds, since what was wrong may
be mended.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path

from mlops_assets.contract.errors import PlatformError, ServingError
from mlops_assets.judge.canary import Tally
from mlops_assets.serving.engine import Engine
from mlops_assets.serving.metrics import ServiceMetrics
from mlops_assets.serving.predictor import Predictor
from mlops_assets.serving.shadow import Shadow
from mlops_assets.serving.trial import Serving, Trial, moved_on
from mlops_assets.serving.versions import OpenVersion
from mlops_assets.stores.serving_orders import (
    CanaryOrder,
    CanaryStatus,
    ServingOrders,
    VersionOrder,
    WorkerStatus,
)

log = logging.getLogger(__name__)

AGAIN = 30.0
SPEAK = 10.0
"""Seconds after which a worker says again that it is there."""


class Watcher:
    """One worker's; it looks again after ``every`` seconds.

    ``model_folder`` says where the files of a version are, or raises ServingError.
    """

    def __init__(
        self,
        predictor: Predictor,
        *,
        engine: Engine,
        orders: ServingOrders,
        model_folder: Callable[[str], Path],
        metrics: ServiceMetrics,
        every: float,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._predictor, self._engine, self._orders = predictor, engine, orders
        self._model_folder, self._metrics, self._clock = model_folder, metrics, clock
        self._every = every
        self._stamp: object = None
        self._refused: dict[str, str] = {}
        self._refused_before: dict[str, str] = {}
        self._canary: CanaryOrder | None = None
        self._before = (0, 0)
        self._since = clock()
        self._again = self._speak = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watching", daemon=True)

    def start(self) -> None:
        """Takes what the orders say now, then goes on looking."""
        self._orders.forget_silent(now=self._clock())
        self._look_safely()
        self._thread.start()

    def close(self) -> None:
        """Looks no more; the shadow scores what it was given."""
        self._over.set()
        self._thread.join()
        if self._predictor.shadow:
            self._predictor.shadow.close()
        self._orders.leave()

    def look(self) -> None:
        """Follows orders that have changed, moves a canary on, and says how things stand."""
        stamp, now = self._orders.stamp(), time.monotonic()
        changed = stamp != self._stamp or (bool(self._refused) and now > self._again)
        if changed:
            self._stamp, self._again = stamp, now + AGAIN
            self._refused_before, self._refused = self._refused, {}
            self._follow_champion()
            self._follow_shadow()
            self._follow_canary()
        if changed or self._canary or now > self._speak:
            self._speak = now + SPEAK
            self._orders.say(self._status())
        if self._canary:
            self._move_on(self._canary)

    def _run(self) -> None:
        while not self._over.wait(self._every):
            self._look_safely()

    def _look_safely(self) -> None:
        try:
            self.look()
        except ServingError as error:
            log.error("orders cannot be followed", extra={"fields": {"reason": str(error)}})
        except Exception:  # whatever goes wrong with what comes, what is there goes on answering
            log.exception("orders cannot be followed")

    def _follow_champion(self) -> None:
        order, before = self._orders.champion(), self._predictor.answering.version
        if order is None or order.version == before or (version := self._opened(order)) is None:
            return
        self._metrics.swaps.labels("taken").inc()  # before: whoever sees the version finds it counted
        self._predictor.serving = Serving(champion=version)
        self._since = self._clock()
        told = {"version": order.version, "before": before, "sequence": order.sequence}
        log.info("champion taken into service", extra={"fields": told})

    def _follow_shadow(self) -> None:
        order, shadow = self._orders.shadow(), self._predictor.shadow
        wanted = None if order is None or order.version == self._predictor.answering.version else order
        if shadow and not (wanted and shadow.version.version == wanted.version):
            self._predictor.shadow = None
            shadow.close()
        if wanted and self._predictor.shadow is None and (version := self._opened(wanted)) is not None:
            self._predictor.shadow = Shadow(version, path=self._orders.pairs(wanted.version), metrics=self._metrics)

    def _follow_canary(self) -> None:
        order, serving = self._orders.canary(), self._predictor.serving
        if order is None or not order.share:
            self._try(None, share=0.0)
        elif order.champion != serving.champion.version:
            self._try(None, share=0.0)
            self._end_compared_with_another(order)
        elif self._canary is None or order.since != self._canary.since:
            kept = serving.trial.version if serving.trial and serving.trial.version.version == order.version else None
            version = kept or self._opened(order)
            self._try(version, share=order.share)
            if version is None:
                self._end(order, state="back at zero", reason=self._refused[order.version])
        self._canary = order if self._predictor.serving.trial else None
        self._metrics.canary_share.set(self._canary.share if self._canary else 0.0)

    def _try(self, version: OpenVersion | None, *, share: float) -> None:
        self._before = (self._engine.requests, self._engine.refusals)
        trial = Trial(version, share=share) if version else None
        self._predictor.serving = replace(self._predictor.serving, trial=trial)

    def _end_compared_with_another(self, order: CanaryOrder) -> None:
        """The canary is the champion now, or another version is; nothing while this worker has not followed yet."""
        champion = self._orders.champion()
        if champion and champion.version == order.version:
            self._end(order, state="promoted", reason="it was promoted")
        elif champion and champion.version != order.champion:
            self._end(order, state="back at zero", reason=f"{champion.version} became champion meanwhile")

    def _end(self, order: CanaryOrder, *, state: str, reason: str) -> None:
        self._change(order, to=order.model_copy(update={"state": state, "reason": reason, "since": self._clock()}))

    def _move_on(self, order: CanaryOrder) -> None:
        """One of the workers decides by what all of them counted."""
        with self._orders.leading() as leads:
            if not leads:
                return
            said = (worker.canary for worker in self._orders.workers(now=self._clock()))
            tallies = (each.tally for each in said if each and each.since == order.since)
            if next_order := moved_on(order, reduce(Tally.plus, tallies, Tally()), now=self._clock()):
                self._change(order, to=next_order)

    def _change(self, order: CanaryOrder, *, to: CanaryOrder) -> None:
        """Unless somebody has changed it meanwhile."""
        with self._orders.changing():
            now = self._orders.canary()
            if now is None or (now.version, now.since, now.state) != (order.version, order.since, order.state):
                return
            self._orders.write(to)
            event = {"canary": to.version, "state": to.state, "share": to.share, "reason": to.reason}
            self._orders.note(event)
        log.info("canary", extra={"fields": event})

    def _opened(self, order: VersionOrder) -> OpenVersion | None:
        """The version, verified; None when it is refused."""
        own = self._predictor.answering
        try:
            folder = self._model_folder(order.version)
            version = OpenVersion.open(folder, use_case=own.use_case, checksums=order.checksums, online=own.online)
            version.verify(order.version, answers=order.answers, like=self._predictor.lately)
        except Exception as error:  # noqa: BLE001 - of a damaged file anything may come, and none of it may end the service
            reason = str(error) if isinstance(error, PlatformError) else f"{type(error).__name__}: {error}"
            self._refuse(order.version, reason=reason)
            return None
        return version

    def _refuse(self, version: str, *, reason: str) -> None:
        if self._refused_before.get(version) != reason:
            self._metrics.swaps.labels("refused").inc()
            told = {"version": version, "reason": reason, "serves": self._predictor.answering.version}
            log.error("version refused", extra={"fields": told})
        self._refused[version] = reason

    def _status(self) -> WorkerStatus:
        trial, order = self._predictor.serving.trial, self._canary
        shadow = self._predictor.shadow
        requests, refused = (
            now - then for now, then in zip((self._engine.requests, self._engine.refusals), self._before, strict=True)
        )
        counted = trial and Tally(
            champion=trial.champion.arm(), canary=trial.challenger.arm(), requests=requests, refused=refused
        )
        return WorkerStatus(
            host=socket.gethostname(),
            pid=os.getpid(),
            at=self._clock(),
            version=self._predictor.answering.version,
            since=self._since,
            refused=self._refused,
            shadow=shadow.status() if shadow else None,
            canary=CanaryStatus(version=order.version, step=order.step, since=order.since, tally=counted)
            if order and counted
            else None,
        )

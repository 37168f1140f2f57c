"""Days of a replay as the schedules would have played them, each run at the moment that it plays.

What the outside world does on such a day is in ``steps/replay.py``; this calls the same jobs that schedules and
sensors start, in their order: what lands ahead, answers, collecting and watching, outcomes, scoring, watching again,
alerts, and a retraining if one is due.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import duckdb

from mlops_assets.contract.alerts import Event, News
from mlops_assets.contract.errors import ServingError
from mlops_assets.contract.retraining import why_retrain, why_wait
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import environment_directory
from mlops_assets.orchestration.alerts import LOOK_BACK, Cursor, read_looks
from mlops_assets.orchestration.build import asset_makers
from mlops_assets.orchestration.moments import MOMENT
from mlops_assets.orchestration.pipeline import Reporter, ingest, look_at_trial, score, take_ahead, train, watch
from mlops_assets.orchestration.retraining import retraining_tags, state_of_training
from mlops_assets.orchestration.runs import RunFailed
from mlops_assets.steps.replay import (
    PlayedDay,
    Trouble,
    ask,
    day_before,
    history_lag,
    land_ahead,
    land_outcomes,
    requests_by_hour,
    unanswered,
)
from mlops_assets.stores.alerts.book import AlertBook
from mlops_assets.stores.features.online import open_online_store
from mlops_assets.stores.features.online_refresh import next_day, refresh_online_store
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.running_service import RunningService
from mlops_assets.stores.predictions.prediction_log import prediction_log_of

FIRST_MOMENT = timedelta(hours=1)
"""How long after midnight outcomes of the day before are worked on and retraining is decided."""


@dataclass(frozen=True, kw_only=True)
class Player:
    """One use case whose days are played. ``loop`` retrains when it is due; ``pace`` is how many seconds of the day go
    by in one of the clock, None for as fast as it goes. ``zone`` is the landing zone's root.
    """

    use_case: UseCase
    zone: Path
    instance: dg.DagsterInstance
    steps: Reporter
    trouble: Trouble
    loop: bool
    pace: float | None

    def prepare(self, *, first: str) -> None:
        """Everything before ``first`` is in the lake, and a champion has learnt from it."""
        seed = self.use_case.player
        seed.land(self.zone, first=seed.first, last=day_before(first))
        ingest(self.use_case, instance=self.instance, steps=self.steps)
        if champion(Lake.connect().at(), use_case=self.use_case.name) is None:
            through, moment = day_before(first), self._next_morning(day_before(first))
            train(self.use_case, instance=self.instance, steps=self.steps, through=through, tags=_tags(moment))

    def begin(self, before: PlayedDay | None) -> tuple[int, str, int]:
        """Where log, checks and alerts had come to; on the first day nothing of what was there before is news."""
        if before is not None:
            return before.seq, before.cursor, before.event
        return 0, Cursor.read(None, now=datetime.now(UTC) + LOOK_BACK).model_dump_json(), 0

    def look_ahead(self, day: str) -> tuple[str, ...]:
        """What lands ahead is taken in, and the online store is as of the day, or as old as a fault has it."""
        came = land_ahead(self.zone, use_case=self.use_case, day=day, trouble=self.trouble)
        if came:
            taken = replace(self.use_case, seed=replace(self.use_case.player, ahead=came))
            take_ahead(taken, batch=day, instance=self.instance, steps=self.steps)
        lag = history_lag(day, trouble=self.trouble)
        if (self.use_case.history or self.use_case.asof) and (lag or not came or self._is_ahead(day)):
            self._refresh(date.fromisoformat(day) - timedelta(days=lag))
        return came

    def _is_ahead(self, day: str) -> bool:
        """Whether the lake knows more than was known that morning, as when a replay was stopped late in a day."""
        known = next_day(Lake.connect().at(), use_case=self.use_case) if self.use_case.history else None
        return known is not None and known > date.fromisoformat(day)

    def _refresh(self, as_of: date) -> None:
        with (
            closing(open_online_store(self.use_case.name, data=environment_directory())) as online,
            duckdb.connect() as connection,
        ):
            done = refresh_online_store(
                online, snapshot=Lake.connect().at(), use_case=self.use_case, connection=connection, as_of=as_of
            )
        if wrong := [reason for audit in done.audits if audit.blocks for reason in audit.reasons]:
            raise ServingError(" ".join(wrong))

    def answer(self, service: RunningService, day: str, *, after: int, tell: Any) -> tuple[int, int, int]:
        """Rows asked, answered and refused; what was answered before a replay was stopped is not asked again."""
        hours = requests_by_hour(self.use_case, day=day, trouble=self.trouble)
        begun, done, answered = time.monotonic(), Counter(self._answered(after)), 0
        asked = sum(len(rows) for _, rows in hours)
        answered = done.total()
        for number, (hour, rows) in enumerate(hours):
            if self.pace and hour is not None and hours[0][0] is not None:
                _sleep_until(begun + (hour - hours[0][0]).total_seconds() / self.pace)
            good, _ = ask(service, unanswered(rows, use_case=self.use_case, answered=done))
            answered += good
            tell(number + 1, f"{hour:%H:%M}, {answered} answers" if hour else f"{answered} answers")
        return asked, answered, asked - answered

    def _answered(self, after: int) -> list[str | None]:
        """The examples that the log tells of after that number."""
        with closing(prediction_log_of(self.use_case.name, folder=environment_directory())) as log:
            names: list[str | None] = log.read_after(after, limit=1_000_000)["example_id"].to_pylist()
            return names

    def last_seq(self) -> int:
        """Where the log has come to."""
        with closing(prediction_log_of(self.use_case.name, folder=environment_directory())) as log:
            return log.last_seq()

    def end(self, day: str, *, came: Sequence[str]) -> None:
        """The day is watched, its outcomes land, it is scored, and judged again with them."""
        told: dict[str, Any] = {"instance": self.instance, "steps": self.steps}
        tags = _tags(self._next_morning(day))
        watch(self.use_case, day=day, tags=tags, **told)
        land_outcomes(self.zone, use_case=self.use_case, day=day, came=came)
        ingest(self.use_case, **told)
        score(self.use_case, batches=[day], **told)
        watch(self.use_case, day=day, tags=tags, **told)

    def news(self, day: str, *, cursor: str, event: int) -> tuple[list[tuple[int, Event]], str]:
        """What became of alerts since; what checks and runs said is recorded as of the next morning, nobody is told."""
        read = Cursor.read(cursor, now=datetime.now(UTC))
        partitions = {name: make().partitions_def for name, make in asset_makers(self.use_case).items()}
        looks = read_looks(self.use_case, read, partitions=partitions, instance=self.instance)
        with AlertBook(environment_directory()) as book:
            book.record(looks, now=self._next_morning(day))
            return book.events_after(event), read.model_dump_json()

    def retrain(self, day: str) -> str:
        """What the loop did the morning after a day and what came of it; empty if nothing was due."""
        plan, now, lake = self.use_case.retrain, self._next_morning(day), Lake.connect()
        if not self.loop or plan is None:
            return ""
        before = champion(lake.at(), use_case=self.use_case.name)
        looked = look_at_trial(self.use_case, instance=self.instance, steps=self.steps, tags=_tags(now))
        if champion(lake.at(), use_case=self.use_case.name) != before:
            told = looked.metadata["trial"]
            return f"{told['trial']} {told['probation']}"
        state = state_of_training(self.use_case, lake=lake, instance=self.instance, folder=environment_directory())
        reason, wait = (why(plan, state=state, now=now) for why in (why_retrain, why_wait))
        if reason is None or wait is not None:
            return ""
        tags = {**retraining_tags(reason), **_tags(now)}
        try:
            train(self.use_case, instance=self.instance, steps=self.steps, through=day, tags=tags)
        except RunFailed as failure:  # so ends a run whose challenger is refused
            return f"{reason} {failure}"
        after = champion(lake.at(), use_case=self.use_case.name)
        moved = "is the new champion" if after and after.version != state.champion else "stays the champion"
        return f"{reason} {after.version if after else 'None'} {moved}."

    def _next_morning(self, day: str) -> datetime:
        """When a day is over on the clock that its events are told by, and what became of it has landed."""
        zone = ZoneInfo(self.use_case.event_times.time_zone)
        after = date.fromisoformat(day) + timedelta(days=1)
        return datetime(after.year, after.month, after.day, tzinfo=zone) + FIRST_MOMENT


def with_news(day: PlayedDay, events: Sequence[tuple[int, Event]]) -> PlayedDay:
    """The day with what became of alerts."""
    causes = {kind: tuple(each.alert.finding.cause for _, each in events if each.kind is kind) for kind in News}
    last = max((number for number, _ in events), default=day.event)
    return replace(day, opened=causes[News.OPENED], resolved=causes[News.RESOLVED], event=last)


def _tags(moment: datetime) -> Mapping[str, str]:
    return {MOMENT: moment.isoformat()}


def _sleep_until(moment: float) -> None:
    time.sleep(max(moment - time.monotonic(), 0.0))

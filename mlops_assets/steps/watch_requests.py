"""The part of watching that looks at what the service was asked: every served day, or the hours of one that goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import pyarrow as pa

from mlops_assets.contract.paths import served_profile_path
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.tables import Connect
from mlops_assets.stores.predictions.served_profiles import past_of, profile_bytes
from mlops_assets.watch.profiles.profile import Profile
from mlops_assets.watch.served.request_judgement import WHOLE_DAY, RequestsJudged, judge_requests
from mlops_assets.watch.served.request_profiles import profile_requests, request_columns, request_rows


@dataclass(frozen=True, kw_only=True)
class WatchedRequests:
    """What was found of each day, and the profiles to publish by their path in the lake."""

    days: Mapping[str, RequestsJudged]
    files: Mapping[str, bytes]


def watch_requests(
    head: Snapshot,
    served: Mapping[str, pa.Table],
    *,
    use_case: UseCase,
    version: str,
    until: datetime,
    connect: Connect,
) -> WatchedRequests:
    """Judge the requests of each day of ``served`` (collected records by day), in order, as far as ``until``.

    ``until`` is on the use case's wall clock. Of a day that goes on, the hours that are over are compared with the same
    hours of the days before. ``version`` is the one whose held-out rows stand in for days that were not served yet.
    """
    columns = request_columns(use_case)
    with connect() as connection:
        rows = {day: request_rows(served[day], columns=columns, connection=connection) for day in sorted(served)}
        profiles = profile_requests(rows, columns=columns, connection=connection)
    judged: dict[str, RequestsJudged] = {}
    files = {}
    for day, profile in profiles.items():
        past = past_of(head, day=day, use_case=use_case, version=version, connect=connect)
        past = replace(
            past,
            profiles={**past.profiles, **_before(profiles, day)},
            unusual={**past.unusual, **{name: judged[name].unusual for name in judged}},
            held_out=past.held_out - profiles.keys(),
        )
        hours = until.hour if day == until.date().isoformat() else WHOLE_DAY
        judged[day] = judge_requests(profile, day=day, use_case=use_case, past=past, until=hours)
        files[served_profile_path(use_case.name, batch=day)] = profile_bytes(profile, unusual=judged[day].unusual)
    return WatchedRequests(days=judged, files=files)


def _before(profiles: Mapping[str, Profile], day: str) -> dict[str, Profile]:
    return {name: profile for name, profile in profiles.items() if name < day}

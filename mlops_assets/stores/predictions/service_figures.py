"""What a running service counts of itself, as figures: asked of its ``/metrics``, and kept in the lake by day.

A service counts from its start, so figures are what was counted since it was last asked; what it had counted then
stands in the file of its last figures. Both are published together, so that a process killed in between loses and
doubles nothing. Where it was not reached nothing is written: what it goes on counting is in its next figures.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from mlops_assets.contract.errors import ServingError
from mlops_assets.contract.paths import served_metrics_folder
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.watch.served.table import ERRORS, LATENCY, LATENCY_P99, METRICS, REFUSED, REQUESTS, SERVICE, WAITING

HERE = "http://127.0.0.1:3001"
"""Where `mlops serve` answers unless it is told otherwise."""
ROUTE = "/predict"
COUNTED = b"counted"
"""In a file's metadata: what each service had counted when it was asked for these figures."""
_FILE = "service.parquet"
_SECONDS = 2.0
_MOST_BYTES = 4 * 1024 * 1024
_LINE = re.compile(r"(?P<name>\w+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)\Z")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What a service had counted ``at`` a moment (UTC): requests by ``status``, how many took up to so many seconds
    (``within``, cumulative, the last without a bound), their ``seconds`` together, and the rows that wait.
    """

    at: datetime
    status: Mapping[str, float]
    within: Mapping[str, float]
    seconds: float
    waiting: float

    def since(self, before: Self | None) -> Self:
        """What was counted after ``before``; all of it if the service began anew, or was never asked."""
        if before is None or any(self.status.get(name, 0) < count for name, count in before.status.items()):
            return self
        return type(self)(
            at=before.at + (self.at - before.at) / 2,
            status={name: count - before.status.get(name, 0) for name, count in self.status.items()},
            within={name: count - before.within.get(name, 0) for name, count in self.within.items()},
            seconds=self.seconds - before.seconds,
            waiting=self.waiting,
        )

    def to_plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {**vars(self), "at": self.at.isoformat()}

    @classmethod
    def from_plain(cls, told: Mapping[str, Any]) -> Self:
        """What ``to_plain`` gave."""
        return cls(**{**told, "at": datetime.fromisoformat(told["at"])})


@dataclass(frozen=True, kw_only=True)
class Services:
    """Where services answer, and the ``key`` (scope ``admin``) that opens what they count. ``asked_for`` says that
    somebody named them: then one that does not answer is worth a word.
    """

    urls: tuple[str, ...]
    key: str = ""
    asked_for: bool = True

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """``MLOPS_SERVICE_URL`` (several separated by spaces; none if empty) and ``MLOPS_SERVICE_KEY``; without the
        first the service of this machine.
        """
        named = environ.get("MLOPS_SERVICE_URL")
        urls = (HERE,) if named is None else tuple(url.rstrip("/") for url in named.split())
        return cls(urls=urls, key=environ.get("MLOPS_SERVICE_KEY", ""), asked_for=named is not None)

    def ask(self, *, use_case: str, now: datetime) -> tuple[dict[str, Counted], str]:
        """What the services of ``use_case`` have counted, by their addresses, and in words why others are not there."""
        counted, notes = {}, []
        for url in self.urls:
            try:
                counted[url] = _counted(_page(url, key=self.key), url=url, use_case=use_case, now=now)
            except ServingError as error:
                notes.append(str(error))
        return counted, " ".join(notes) if self.asked_for or counted else "No service of this use case answers here."


def service_file(
    head: Snapshot, counted: Mapping[str, Counted], *, use_case: str, now: datetime
) -> tuple[str, bytes] | None:
    """The file of today's figures of services, by its path in the lake, with what was ``counted`` since the last; None
    if none was reached.
    """
    if not counted:
        return None
    last = max((path for path in _files(head, use_case=use_case)), default=None)
    before = _counted_before(head, last) if last else {}
    path = f"{served_metrics_folder(use_case)}{now.astimezone(UTC).date().isoformat()}/{_FILE}"
    tables = [_rows(each.since(before.get(url)), use_case=use_case) for url, each in counted.items()]
    held = [pq.read_table(head.local(path))] if path == last else []
    kept = json.dumps({url: each.to_plain() for url, each in {**before, **counted}.items()}, sort_keys=True)
    together = pa.concat_tables([METRICS.empty_table(), *(each.cast(METRICS) for each in held), *tables])
    sink = pa.BufferOutputStream()
    pq.write_table(together.replace_schema_metadata({COUNTED: kept}), sink, compression="zstd")
    return path, sink.getvalue().to_pybytes()


def service_files(snapshot: Snapshot, *, use_case: str, first: date, last: date) -> list[str]:
    """The files that may have figures of these days: those of the days, and of the day after, whose first figures are
    of the hour before midnight.
    """
    folder = served_metrics_folder(use_case)
    begin, end = (f"{folder}{day.isoformat()}/{_FILE}" for day in (first, last + timedelta(days=1)))
    return [path for path in _files(snapshot, use_case=use_case) if begin <= path <= end]


def _files(snapshot: Snapshot, *, use_case: str) -> list[str]:
    infos = snapshot.paths(served_metrics_folder(use_case))
    return [info.path for info in infos if info.path.endswith(f"/{_FILE}")]


def _counted_before(head: Snapshot, path: str) -> dict[str, Counted]:
    told = json.loads((pq.read_schema(head.local(path)).metadata or {}).get(COUNTED, b"{}"))
    return {url: Counted.from_plain(each) for url, each in told.items()}


def _rows(counted: Counted, *, use_case: str) -> pa.Table:
    """``METRICS`` of what was counted in the hour that most of it is of; nobody asked: only what waits."""
    asked = sum(counted.status.values())
    failed = sum(count for status, count in counted.status.items() if status.startswith("5") and status != "503")
    refused = sum(count for status, count in counted.status.items() if status.startswith("4") or status == "503")
    timed = max(counted.within.values(), default=0.0)
    figures = {
        REQUESTS: (asked, asked),
        ERRORS: (failed, asked),
        REFUSED: (refused, asked),
        LATENCY: (counted.seconds, timed),
        LATENCY_P99: (_quantile(counted.within, 0.99) * timed, timed),
        WAITING: (counted.waiting, 1),
    }
    hour = counted.at.astimezone(UTC).replace(minute=0, second=0, microsecond=0, tzinfo=None)
    rows = [
        {"use_case": use_case, "version": "", "hour": hour, "scope": SERVICE, "metric": metric, "value": value, "n": n}
        for metric, (value, n) in figures.items()
        if n
    ]
    return pa.Table.from_pylist(rows, schema=METRICS)


def _quantile(within: Mapping[str, float], share: float) -> float:
    """Where so large a share lies by its histogram, straight within a bucket, as Prometheus tells it; beyond the last
    bound the last bound.
    """
    below, low = 0.0, 0.0
    wanted = share * max(within.values(), default=0.0)
    for high, count in sorted((float(bound), count) for bound, count in within.items()):
        if count >= wanted:
            inside = (wanted - below) / (count - below) if count > below else 0.0
            return low if high == float("inf") else low + (high - low) * inside
        below, low = count, high
    return low


def _counted(page: str, *, url: str, use_case: str, now: datetime) -> Counted:
    """What a page says. ServingError if it is that of another use case's service, or of none."""
    series = [(name, labels, value) for name, labels, value in _series(page)]
    serving = [labels.get("use_case", "") for name, labels, _ in series if name == "mlops_serving"]
    if use_case not in serving:
        other = f"serves {serving[0]}" if serving else "does not say what it serves"
        raise ServingError(f"{url} {other}: nothing is told of it.")
    ours = [(name, labels, value) for name, labels, value in series if labels.get("route", ROUTE) == ROUTE]
    return Counted(
        at=now,
        status={labels["status"]: value for name, labels, value in ours if name == "mlops_requests_total"},
        within={labels["le"]: value for name, labels, value in ours if name == "mlops_request_seconds_bucket"},
        seconds=sum(value for name, _, value in ours if name == "mlops_request_seconds_sum"),
        waiting=sum(value for name, _, value in ours if name == "mlops_waiting_rows"),
    )


def _series(page: str) -> list[tuple[str, dict[str, str], float]]:
    """Name, labels and value of every line of Prometheus' text format that is no comment."""
    lines = [_LINE.match(line) for line in page.splitlines()]
    return [(line["name"], dict(_LABEL.findall(line["labels"] or "")), float(line["value"])) for line in lines if line]


def _page(url: str, *, key: str) -> str:
    """What a service says at ``/metrics``; ServingError saying why it does not."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    request = urllib.request.Request(f"{url}/metrics", headers=headers)
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=_SECONDS) as answer:
            return str(answer.read(_MOST_BYTES).decode())
    except urllib.error.HTTPError as error:
        with error:
            hint = ": MLOPS_SERVICE_KEY needs a key with the scope admin" if error.code in (401, 403) else ""
            raise ServingError(f"{url}/metrics answered {error.code}{hint}.") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ServingError(f"{url} does not answer: {error}.") from error


class _Stay(urllib.request.HTTPRedirectHandler):
    """Goes nowhere else: the key is for the service that was named."""

    def redirect_request(self, *_: Any) -> None:
        return None

"""What a service counts is told by the hour, once, whatever becomes of it in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from mlops_assets.lake.lake import Lake
from mlops_assets.lake.write import Write
from mlops_assets.serving.metrics import ServiceMetrics
from mlops_assets.stores.predictions.served_metrics import served_metrics
from mlops_assets.stores.predictions.service_figures import HERE, Services, service_file

TEN = datetime(2026, 1, 2, 10, 30, tzinfo=UTC)
DAY, NEXT = date(2026, 1, 2), date(2026, 1, 3)


@dataclass(kw_only=True)
class Playing:
    """A service that counts and answers nothing else."""

    url: str = ""
    key: str = ""
    metrics: ServiceMetrics = field(default_factory=ServiceMetrics)

    def begin_anew(self, serving: str = "toy") -> None:
        """As after a start."""
        self.metrics = ServiceMetrics()
        self.metrics.serving.labels(serving).set(1)

    def answer(self, status: int, *, seconds: float = 0.02, times: int = 1, route: str = "/predict") -> None:
        """So many requests with that status."""
        for _ in range(times):
            self.metrics.requests.labels(route, str(status)).inc()
            self.metrics.latency.labels(route).observe(seconds)


@contextmanager
def playing() -> Iterator[Playing]:
    service = Playing()
    service.begin_anew()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            allowed = not service.key or self.headers["Authorization"] == f"Bearer {service.key}"
            self.send_response(200 if allowed and self.path == "/metrics" else 401)
            self.end_headers()
            self.wfile.write(service.metrics.page())

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        service.url = f"http://127.0.0.1:{server.server_address[1]}"
        Thread(target=server.serve_forever, daemon=True).start()
        yield service
        server.shutdown()


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Playing]:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    with playing() as made:
        yield made


@pytest.fixture
def lake(embedded_lake: Lake) -> Lake:
    return embedded_lake


@pytest.fixture
def ask(lake: Lake, service: Playing) -> Callable[[datetime], str]:
    """Asks the service at a moment, and publishes what it says; the note on what is not told."""

    def asked(at: datetime) -> str:
        counted, note = Services(urls=(service.url,), key=service.key).ask(use_case="toy", now=at)
        file = service_file(lake.at(), counted, use_case="toy", now=at)
        files = dict([file] if file else [])
        lake.publish(Write(use_case="toy", asset="prediction_log"), files=files, audit=lambda staged: [])
        return note

    return asked


def told(lake: Lake, *, day: date = DAY) -> dict[int, dict[str, tuple[float, int]]]:
    """Value and number by hour and metric."""
    rows = served_metrics(lake.at(), use_case="toy", first=day, last=day).to_pylist()
    assert {(row["scope"], row["version"], row["use_case"]) for row in rows} <= {("service", "", "toy")}
    found: dict[int, dict[str, tuple[float, int]]] = {}
    for row in rows:
        found.setdefault(row["hour"].hour, {})[row["metric"]] = (row["value"], row["n"])
    return found


def test_requests_errors_and_refusals_are_those_since_it_was_last_asked(
    service: Playing, lake: Lake, ask: Callable[[datetime], str]
) -> None:
    service.answer(200, times=8)
    service.answer(500)
    service.answer(503)
    service.metrics.waiting_rows.set(7)
    assert ask(TEN) == ""
    service.answer(200, times=3)
    service.answer(422)
    service.answer(200, times=50, route="/model")
    ask(TEN + timedelta(hours=1, minutes=20))

    found = told(lake)
    assert (found[10]["requests"], found[10]["errors"], found[10]["refused"]) == ((10, 10), (1, 10), (1, 10))
    assert found[10]["waiting"] == (7, 1)
    assert (found[11]["requests"], found[11]["errors"], found[11]["refused"]) == ((4, 4), (0, 4), (1, 4))


def test_what_was_counted_in_an_hour_is_of_the_hour_that_most_of_it_is_of(
    service: Playing, lake: Lake, ask: Callable[[datetime], str]
) -> None:
    midnight = datetime(2026, 1, 3, tzinfo=UTC)
    ask(midnight - timedelta(minutes=58))
    service.answer(200)
    ask(midnight + timedelta(minutes=2))

    assert told(lake)[23]["requests"] == (1, 1)
    assert told(lake, day=NEXT) == {}


def test_latency_is_its_mean_and_its_99th_percentile(
    service: Playing, lake: Lake, ask: Callable[[datetime], str]
) -> None:
    service.answer(200, seconds=0.02, times=90)
    service.answer(200, seconds=0.2, times=10)
    ask(TEN)

    mean, p99 = told(lake)[10]["latency_seconds"], told(lake)[10]["latency_p99_seconds"]
    assert mean == (pytest.approx(90 * 0.02 + 10 * 0.2), 100)
    assert p99 == (pytest.approx(100 * (0.1 + 0.15 * 0.9)), 100)


def test_a_service_that_began_anew_has_counted_what_it_says(
    service: Playing, lake: Lake, ask: Callable[[datetime], str]
) -> None:
    service.answer(200, times=5)
    ask(TEN)
    service.begin_anew()
    service.answer(200, times=2)
    ask(TEN + timedelta(minutes=5))

    assert told(lake)[10]["requests"] == (7, 7)


def test_a_service_that_is_not_reached_is_a_word_and_its_next_figures_hold_what_it_counted(
    service: Playing, lake: Lake, ask: Callable[[datetime], str]
) -> None:
    service.answer(200)
    ask(TEN)
    there, service.url = service.url, "http://127.0.0.1:9"
    assert "http://127.0.0.1:9 does not answer" in ask(TEN + timedelta(hours=1))
    service.url = there
    service.answer(200, times=3)
    ask(TEN + timedelta(hours=2))

    assert {hour: figures["requests"] for hour, figures in told(lake).items()} == {10: (1, 1), 11: (3, 3)}


def test_a_service_without_requests_tells_only_what_waits(
    service: Playing, lake: Lake, ask: Callable[[datetime], str]
) -> None:
    ask(TEN)

    assert told(lake) == {10: {"waiting": (0, 1)}}


def test_another_use_cases_service_is_not_ours(service: Playing, lake: Lake, ask: Callable[[datetime], str]) -> None:
    service.begin_anew(serving="other")

    assert "serves other: nothing is told of it" in ask(TEN)
    assert told(lake) == {}


def test_a_key_opens_what_is_counted_and_without_it_the_setting_is_named(
    service: Playing, ask: Callable[[datetime], str]
) -> None:
    service.key = "secret"
    assert ask(TEN) == ""

    counted, note = Services(urls=(service.url,)).ask(use_case="toy", now=TEN)
    assert counted == {}
    assert "answered 401: MLOPS_SERVICE_KEY needs a key with the scope admin" in note


@pytest.mark.parametrize(
    ("environ", "urls", "asked_for"),
    [
        ({}, (HERE,), False),
        ({"MLOPS_SERVICE_URL": ""}, (), True),
        ({"MLOPS_SERVICE_URL": "http://a:1/ http://b:2"}, ("http://a:1", "http://b:2"), True),
    ],
)
def test_services_are_named_by_a_setting(environ: Mapping[str, str], urls: tuple[str, ...], asked_for: bool) -> None:
    services = Services.from_environment(environ)

    assert (services.urls, services.asked_for) == (urls, asked_for)

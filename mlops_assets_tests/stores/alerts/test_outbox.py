"""What is to be told arrives exactly once in the end, whatever fails in between, and by each channel by itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mlops_assets.contract.alerts import acknowledge, resolve
from mlops_assets.contract.errors import AlertError
from mlops_assets.stores.alerts.book import AlertBook, standing_alerts
from mlops_assets.stores.alerts.channels import Channel, Message, alert_channels, message_of
from mlops_assets.stores.alerts.outbox import FIRST_WAIT, deliver, undelivered
from mlops_assets_tests.contract.test_alerts import NOON, make_finding, make_look


class Receiver(ThreadingHTTPServer):
    """A service on this machine that answers 503 to its first requests, ``failing`` of them."""

    def __init__(self, failing: int) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.failing, self.accepted = failing, list[dict[str, str]]()

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.server_port}/alerts"


class _Answer(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.failing -= 1
        if self.server.failing < 0:
            self.server.accepted.append(json.loads(body))
        self.send_response(200 if self.server.failing < 0 else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Fails twice first."""
    with Receiver(failing=2) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def book(tmp_path: Path) -> Iterator[AlertBook]:
    with AlertBook(tmp_path) as made:
        yield made


class Kept:
    """A channel that accepts once it may, and keeps what it was told."""

    def __init__(self, *, accepts: bool = True) -> None:
        self.accepts, self.told = accepts, list[Message]()

    def send(self, message: Message) -> None:
        if not self.accepts:
            raise ConnectionError("nobody is there")
        self.told.append(message)


def test_a_receiver_that_fails_twice_first_is_told_once_in_the_end(book: AlertBook, receiver: Receiver) -> None:
    channels = alert_channels({"MLOPS_ALERT_URLS": receiver.url})
    book.use_channels(channels)
    (event,) = book.record([make_look(make_finding())], now=NOON)

    tries = [deliver(book, channels, now=NOON + timedelta(hours=hour)) for hour in range(5)]

    assert [(each.delivered, len(each.failed)) for each in tries] == [(0, 1), (0, 1), (1, 0), (0, 0), (0, 0)]
    (told,) = receiver.accepted
    assert told["title"] == message_of(event).title
    assert f"({event.alert.id}-1)" in told["message"]


def test_what_failed_waits_twice_as_long_each_time(book: AlertBook) -> None:
    deaf = Kept(accepts=False)
    book.use_channels(["deaf"])
    book.record([make_look(make_finding())], now=NOON)
    waits = (timedelta(0), FIRST_WAIT - timedelta(seconds=1), FIRST_WAIT, FIRST_WAIT * 2, FIRST_WAIT * 3)

    tried = [bool(deliver(book, {"deaf": deaf}, now=NOON + wait).failed) for wait in waits]

    assert tried == [True, False, True, False, True]
    assert undelivered(book) == {"deaf": (1, "ConnectionError: nobody is there")}


def test_a_channel_that_fails_holds_up_no_other_and_keeps_the_order(book: AlertBook) -> None:
    channels: dict[str, Channel] = {"deaf": (deaf := Kept(accepts=False)), "well": (well := Kept())}
    book.use_channels(channels)
    book.record([make_look(make_finding())], now=NOON)
    deliver(book, channels, now=NOON)
    book.record([make_look(by="run-2")], now=NOON)
    deliver(book, channels, now=NOON)
    deaf.accepts = True

    deliver(book, channels, now=NOON + timedelta(hours=2))

    assert [each.news for each in deaf.told] == [each.news for each in well.told] == ["opened", "resolved"]


def test_what_opens_and_is_over_within_one_look_back_is_told_to_nobody(book: AlertBook) -> None:
    assert book.record([make_look(make_finding()), make_look(by="run-2")], now=NOON) == []
    assert book.standing() == []


def test_a_channel_that_is_gone_is_waited_for_no_longer_and_a_new_one_begins_with_what_is_new(book: AlertBook) -> None:
    book.use_channels(["old"])
    book.record([make_look(make_finding())], now=NOON)
    book.use_channels(["new"])
    assert undelivered(book) == {}

    book.change(book.standing()[0].id, resolve, now=NOON)

    assert undelivered(book) == {"new": (1, "")}


def test_two_processes_do_not_deliver_at_once(book: AlertBook, tmp_path: Path) -> None:
    book.use_channels(["well"])
    book.record([make_look(make_finding())], now=NOON)

    class Nested(Kept):
        def send(self, message: Message) -> None:
            super().send(message)
            with AlertBook(tmp_path) as other:
                assert deliver(other, {"well": self}, now=NOON).delivered == 0

    assert deliver(book, {"well": (told := Nested())}, now=NOON).delivered == 1
    assert len(told.told) == 1


DELIVER_UNTIL_KILLED = """
import os, signal, sys
from datetime import datetime, UTC
from pathlib import Path
from mlops_assets.stores.alerts import book, outbox

class Dying:
    left = 2
    def send(self, message):
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1
        print(message.id, flush=True)

with book.AlertBook(Path(sys.argv[1])) as opened:
    outbox.deliver(opened, {"well": Dying()}, now=datetime(2013, 7, 1, 12, tzinfo=UTC))
"""


def test_a_killed_process_leaves_to_the_next_exactly_what_it_has_not_told(book: AlertBook, tmp_path: Path) -> None:
    book.use_channels(["well"])
    book.record([make_look(*(make_finding(f"#{column}") for column in "abcde"))], now=NOON)

    killed = subprocess.run(
        [sys.executable, "-c", DELIVER_UNTIL_KILLED, str(tmp_path)], capture_output=True, text=True, env=os.environ
    )
    deliver(book, {"well": (well := Kept())}, now=NOON)

    assert killed.returncode == -signal.SIGKILL
    told = [*killed.stdout.split(), *(message.id for message in well.told)]
    assert sorted(told) == sorted(f"{alert.id}-1" for alert in book.standing())


def test_a_person_changes_an_alert_by_the_beginning_of_its_id(book: AlertBook, tmp_path: Path) -> None:
    (event,) = book.record([make_look(make_finding())], now=NOON)

    assert book.change(event.alert.id[:4], acknowledge, now=datetime.now(UTC)).state == "acknowledged"
    assert [each.kind for each in book.events(event.alert)] == ["opened"]
    with pytest.raises(AlertError, match=f"No alerts are called 'zz'. Those that stand: {event.alert.id}"):
        book.alert("zz")
    assert standing_alerts(tmp_path, use_case="income") == []


def test_a_resolved_alert_is_not_changed_by_hand(book: AlertBook) -> None:
    (event,) = book.record([make_look(make_finding())], now=NOON)
    book.change(event.alert.id, resolve, now=NOON)

    with pytest.raises(AlertError, match="is resolved: there is nothing to change"):
        book.change(event.alert.id, acknowledge, now=NOON)


def test_where_nothing_was_kept_nothing_is_made(tmp_path: Path) -> None:
    assert standing_alerts(tmp_path / "none") == []
    assert not (tmp_path / "none").exists()

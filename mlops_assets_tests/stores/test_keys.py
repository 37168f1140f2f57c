"""Keys: what is kept of them, who gets in, who is refused and why; many processes and a running service at once."""

from __future__ import annotations

import hashlib
import hmac
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops_assets.contract.errors import (
    KeyExpired,
    KeyMissing,
    KeyRefused,
    KeyRevoked,
    KeyUnknown,
    ScopeMissing,
    ServingError,
    SettingError,
    TooFast,
)
from mlops_assets.stores import key_ring
from mlops_assets.stores.key_ring import NOBODY, RECHECK_SECONDS, KeyRing
from mlops_assets.stores.keys import Scope, new_key, read_keys, revoke_key

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


@dataclass(kw_only=True)
class Time:
    """A clock that a test moves by hand."""

    passed: float = 0.0
    start: datetime = field(default=NOON)

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "keys.json"


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def opened(path: Path, time: Time) -> Callable[[], KeyRing]:
    """The ring of a service that is started now."""
    return lambda: KeyRing(path, clock=time.now, monotonic=time.monotonic)


def make(path: Path, name: str = "shop", **options: object) -> str:
    """The header that a caller with a new key sends."""
    told = {"scopes": (Scope.PREDICT,), "now": NOON, **options}
    return "Bearer " + new_key(path, name=name, **told)  # type: ignore[arg-type]


def test_a_key_opens_its_scopes_and_no_other(path: Path, opened: Callable[[], KeyRing]) -> None:
    header = make(path, scopes=(Scope.PREDICT, Scope.OUTCOMES))
    ring = opened()

    assert ring.verify(header, Scope.PREDICT).name == "shop"
    assert ring.verify(header, Scope.OUTCOMES).name == "shop"
    with pytest.raises(ScopeMissing, match="is for predict, outcomes, this needs admin"):
        ring.verify(header, Scope.ADMIN)


def test_only_the_hash_of_the_secret_is_kept_and_only_the_owner_may_read_it(path: Path) -> None:
    header = make(path)
    secret = header.rpartition("_")[2]

    kept = path.read_text()

    assert secret not in kept
    assert hashlib.sha256(secret.encode()).hexdigest() in kept
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(bytes.fromhex(secret)) == 32


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic bWxvcHM6", "Bearer mlops_", "Bearer x y", "mlops_1_2"])
def test_what_is_no_key_is_missing(path: Path, opened: Callable[[], KeyRing], header: str | None) -> None:
    make(path)

    with pytest.raises(KeyMissing, match="A key is needed: send `Authorization: Bearer mlops_…`"):
        opened().verify(header, Scope.PREDICT, from_here=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(header=st.text() | st.from_regex(r"Bearer mlops_[0-9a-f]{12}_[0-9a-f]{64}", fullmatch=True))
def test_no_text_but_the_key_gets_in(tmp_path: Path, header: str) -> None:
    path = tmp_path / "keys.json"
    if not path.exists():
        make(path)
    ring = KeyRing(path)

    with pytest.raises((KeyMissing, KeyUnknown)):
        ring.verify(header, Scope.PREDICT)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(place=st.integers(len("Bearer "), len("Bearer mlops_") + 12 + 1 + 64 - 1), by=st.integers(1, 127))
def test_a_key_with_one_letter_changed_gets_nobody_in(tmp_path: Path, place: int, by: int) -> None:
    path = tmp_path / "keys.json"
    path.unlink(missing_ok=True)
    header = make(path)
    letter = chr((ord(header[place]) + by) % 128)

    with pytest.raises(KeyRefused):
        KeyRing(path).verify(header[:place] + letter + header[place + 1 :], Scope.PREDICT)
    assert KeyRing(path).verify(header, Scope.PREDICT)


def test_an_unknown_id_and_a_wrong_secret_are_compared_alike(
    path: Path, opened: Callable[[], KeyRing], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One comparison in constant time each, of hashes of one length: what it takes does not tell them apart."""
    header, compare = make(path), hmac.compare_digest
    compared: list[tuple[int, int]] = []

    def watched(left: str, right: str) -> bool:
        compared.append((len(left), len(right)))
        return compare(left, right)

    monkeypatch.setattr(key_ring.hmac, "compare_digest", watched)
    known = header.split("_")[1]
    for public in (known, "0" * 12):
        with pytest.raises(KeyUnknown, match="This key is not known here"):
            opened().verify(f"Bearer mlops_{public}_{'0' * 64}", Scope.PREDICT)

    assert compared == [(64, 64), (64, 64)]


def test_a_key_works_until_it_expires(path: Path, time: Time, opened: Callable[[], KeyRing]) -> None:
    header = make(path, expires_at=NOON + timedelta(seconds=60))
    ring = opened()

    assert ring.verify(header, Scope.PREDICT)
    time.passed = 60
    with pytest.raises(KeyExpired, match="has expired"):
        ring.verify(header, Scope.PREDICT)


def test_a_key_that_is_revoked_under_a_running_service_is_refused_within_a_second(
    path: Path, time: Time, opened: Callable[[], KeyRing]
) -> None:
    header = make(path)
    ring = opened()
    assert ring.verify(header, Scope.PREDICT)

    revoke_key(path, name="shop", now=NOON)
    time.passed = RECHECK_SECONDS

    with pytest.raises(KeyRevoked, match="was revoked"):
        ring.verify(header, Scope.PREDICT)


def test_a_key_that_is_made_under_a_running_service_works_within_a_second(
    path: Path, time: Time, opened: Callable[[], KeyRing]
) -> None:
    make(path)
    ring = opened()

    header = make(path, name="bank")
    time.passed = RECHECK_SECONDS

    assert ring.verify(header, Scope.PREDICT).name == "bank"


def test_without_any_key_this_machine_alone_is_answered(path: Path, time: Time, opened: Callable[[], KeyRing]) -> None:
    ring = opened()

    assert ring.verify(None, Scope.ADMIN, from_here=True) == NOBODY
    with pytest.raises(KeyMissing, match="answers its own machine alone: `mlops keys new` makes one"):
        ring.verify(None, Scope.PREDICT)

    make(path)
    time.passed = RECHECK_SECONDS
    assert ring.needed
    with pytest.raises(KeyMissing):
        ring.verify(None, Scope.PREDICT, from_here=True)


def test_a_file_that_goes_away_opens_nothing(path: Path, time: Time, opened: Callable[[], KeyRing]) -> None:
    header = make(path)
    ring = opened()

    path.unlink()
    time.passed = RECHECK_SECONDS

    with pytest.raises(KeyUnknown):
        ring.verify(header, Scope.PREDICT, from_here=True)


def test_a_broken_file_is_an_error_until_it_is_mended_and_lets_nobody_in(
    path: Path, time: Time, opened: Callable[[], KeyRing]
) -> None:
    header, whole = make(path), path.read_bytes()
    ring = opened()

    path.write_bytes(whole[:-20])
    time.passed = RECHECK_SECONDS
    for _ in range(2):
        with pytest.raises(ServingError, match=r"The keys in .*keys\.json cannot be read"):
            ring.verify(header, Scope.PREDICT, from_here=True)
    with pytest.raises(ServingError, match="cannot be read"):
        opened()

    path.write_bytes(whole)
    assert ring.verify(header, Scope.PREDICT)


def test_a_key_that_asks_too_fast_is_told_when_to_come_again(
    path: Path, time: Time, opened: Callable[[], KeyRing]
) -> None:
    header, ring = make(path, rate=2.0, burst=3), opened()

    for _ in range(3):
        ring.verify(header, Scope.PREDICT)
    with pytest.raises(TooFast, match="may ask 2 times a second") as refused:
        ring.verify(header, Scope.PREDICT)
    assert refused.value.retry_after == pytest.approx(0.5)

    time.passed += refused.value.retry_after
    assert ring.verify(header, Scope.PREDICT)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    rate=st.floats(0.5, 50),
    burst=st.integers(1, 20),
    pauses=st.lists(st.floats(0, 2), min_size=1, max_size=60),
)
def test_no_key_gets_more_than_its_burst_and_its_rate(
    tmp_path: Path, rate: float, burst: int, pauses: list[float]
) -> None:
    path, time = tmp_path / "keys.json", Time()
    path.unlink(missing_ok=True)
    header = make(path, rate=rate, burst=burst)
    ring, answered = KeyRing(path, clock=time.now, monotonic=time.monotonic), 0
    waits: list[float] = []

    for pause in pauses:
        time.passed += pause
        try:
            ring.verify(header, Scope.PREDICT)
            answered += 1
        except TooFast as refused:
            waits.append(refused.retry_after)

    assert all(0 < wait <= 1 / rate for wait in waits)
    assert answered <= burst + rate * time.passed + 1e-6


def test_a_refused_scope_and_a_wrong_key_cost_the_rate_nothing(path: Path, opened: Callable[[], KeyRing]) -> None:
    header, ring = make(path, rate=1.0, burst=1), opened()

    with pytest.raises(ScopeMissing):
        ring.verify(header, Scope.ADMIN)
    with pytest.raises(KeyUnknown):
        ring.verify(header[:-64] + "0" * 64, Scope.PREDICT)

    assert ring.verify(header, Scope.PREDICT)


def test_processes_that_write_at_once_lose_no_key(path: Path) -> None:
    program = (
        "import sys; from datetime import UTC, datetime; from pathlib import Path; "
        "from mlops_assets.stores.keys import Scope, new_key\n"
        "for number in range(10): new_key(Path(sys.argv[1]), name=f'{sys.argv[2]} {number}', "
        "scopes=(Scope.PREDICT,), now=datetime.now(UTC))"
    )
    running = [subprocess.Popen([sys.executable, "-c", program, str(path), name]) for name in ("ada", "bob", "cy")]

    assert [process.wait(60) for process in running] == [0, 0, 0]

    assert len({key.name for key in read_keys(path)}) == 30
    assert sorted(each.name for each in path.parent.iterdir()) == [".keys.json.lock", "keys.json"]


def test_threads_share_one_rate(path: Path, opened: Callable[[], KeyRing]) -> None:
    header, ring, answered = make(path, rate=1.0, burst=25), opened(), []

    def ask() -> None:
        for _ in range(20):
            try:
                answered.append(ring.verify(header, Scope.PREDICT))
            except TooFast:
                continue

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(answered) == 25


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"scopes": ()}, "A key needs a scope: predict, outcomes, admin"),
        ({"expires_at": NOON}, "would never work"),
        ({"name": "taken"}, "There is a key 'taken' already"),
    ],
    ids=["no scope", "expired", "name in use"],
)
def test_a_key_that_makes_no_sense_is_not_made(path: Path, options: dict[str, object], why: str) -> None:
    make(path, name="taken")

    with pytest.raises(SettingError, match=why):
        make(path, **{"name": "shop", **options})  # type: ignore[arg-type]

    assert [key.name for key in read_keys(path)] == ["taken"]


def test_a_name_is_free_again_once_its_key_is_revoked_and_the_revoked_one_stays_on_record(path: Path) -> None:
    make(path)
    first = revoke_key(path, name="shop", now=NOON)
    make(path)
    second = revoke_key(path, name=read_keys(path)[-1].id, now=NOON)

    assert [key.id for key in read_keys(path)] == [first.id, second.id]
    with pytest.raises(SettingError, match=r"There is no key 'shop' to revoke\. Keys: none"):
        revoke_key(path, name="shop", now=NOON)


def test_keys_in_a_place_that_cannot_be_written_say_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(SettingError, match=r"The keys in .* cannot be changed: File exists"):
        make(tmp_path / "file" / "keys.json")

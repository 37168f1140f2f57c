"""The online store answers from one generation at a time, and says how old it is."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest

from mlops_assets.contract.errors import ServingError, SettingError
from mlops_assets.features.online_view import OnlineHistory, OnlineSideData, OnlineView
from mlops_assets.stores.features.online import OnlineStore, open_online_store

DAY = date(2013, 7, 1)
NOON = datetime(2013, 7, 1, 12)
HOUR = 3_600_000_000


class Place(NamedTuple):
    data: Path
    environment: dict[str, str]

    def open(self, *, max_age_days: int | None = None) -> OnlineStore:
        """The store that a process finds here; the folder's name keeps tests apart in one Redis."""
        return open_online_store(
            self.data.name, data=self.data, environment=self.environment, max_age_days=max_age_days
        )


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis on a socket of its own; Debian has it as ``redis-server``."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    folder = Path(tempfile.mkdtemp(prefix="redis"))  # a socket's path must be short
    command = [program, "--port", "0", "--unixsocket", str(folder / "s"), "--save", "", "--dir", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    for line in server.stdout:
        if "eady to accept connections" in line:
            break
    yield f"unix://{folder / 's'}"
    server.terminate()
    server.communicate()
    shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a store lies: a folder for files, and the environment."""
    if request.param == "sqlite":
        return Place(tmp_path, {})
    return Place(tmp_path, {"MLOPS_ONLINE_STORE_URL": request.getfixturevalue("redis_url")})


@pytest.fixture
def store(place: Place) -> Iterator[OnlineStore]:
    made = place.open()
    yield made
    made.close()


def _moment(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1)) // timedelta(microseconds=1)


def make_view(*, as_of: date = DAY, level: float = 1.0, shops: int = 3) -> OnlineView:
    """``shops`` shops whose two history columns are both ``level``, with side data of 10 and 11 o'clock."""
    history = OnlineHistory(
        name="shop",
        keys=("shop",),
        columns=("shop__mean_7d", "shop__visits_7d"),
        entities=[f"s{number}" for number in range(shops)],
        values=np.full((shops, 2), level),
    )
    history.values[0, 1] = np.nan
    heat = OnlineSideData(
        name="heat",
        keys=("shop",),
        entities=["s1", "s1"],
        observed=[_moment(NOON) - 2 * HOUR, _moment(NOON) - HOUR],
        values=pa.table({"heat__degrees": [10.5, 11.5], "heat__sky": pa.array(["clear", None])}),
        delay=HOUR,
        max_age=6 * HOUR,
    )
    owner = OnlineSideData(
        name="owner",
        keys=("shop", "street"),
        entities=["s1|High St"],
        observed=None,
        values=pa.table({"owner__age": [44]}),
        delay=0,
        max_age=None,
    )
    return OnlineView(as_of=as_of, history=(history,), side=(heat, owner))


def requests_for(*shops: str | None, moment: datetime = NOON) -> pa.Table:
    return pa.table(
        {
            "event_time": pa.array([moment] * len(shops), pa.timestamp("us")),
            "shop": pa.array(shops, pa.string()),
            "street": pa.array(["High St"] * len(shops)),
        }
    )


def test_one_look_up_answers_every_request_from_one_commit(store: OnlineStore) -> None:
    store.refresh(make_view(), commit="c1")

    found = store.look_up(requests_for("s1", "s0", None, "unheard of"))

    assert (found.commit, found.as_of, found.age_days) == ("c1", DAY, 0)
    assert found.examples.select(["shop__mean_7d", "shop__visits_7d"]).to_pydict() == {
        "shop__mean_7d": [1.0, 1.0, None, None],
        "shop__visits_7d": [1.0, None, None, None],
    }
    assert found.examples.column("heat__degrees").to_pylist() == [11.5, None, None, None]
    assert found.examples.column("owner__age").to_pylist() == [44, None, None, None]
    assert found.examples.schema.field("owner__age").type == pa.int64()


def test_history_without_an_entity_is_found_by_every_request(store: OnlineStore) -> None:
    every = OnlineHistory(name="all", keys=(), columns=("all__visits_7d",), entities=[""], values=np.array([[4.0]]))
    store.refresh(OnlineView(as_of=DAY, history=(every,), side=()), commit="c1")

    found = store.look_up(requests_for("s1", None)).examples

    assert found.column("all__visits_7d").to_pylist() == [4.0, 4.0]


def test_history_by_the_minute_is_what_was_true_at_the_moment(store: OnlineStore) -> None:
    """The same figures may be true again later."""
    observed = [_moment(NOON) + minutes * HOUR // 60 for minutes in (0, 10, 20, 30)]
    recent = OnlineHistory(
        name="shop by minute",
        keys=("shop",),
        columns=("shop__visits_1h", "shop__mean_1h"),
        entities=["s1"] * 4,
        values=np.array([[1.0, 5.0], [2.0, 6.0], [1.0, 5.0], [np.nan, np.nan]]),
        observed=observed,
    )
    store.refresh(OnlineView(as_of=DAY, history=(*make_view().history, recent), side=()), commit="c1")

    for minutes, visits in ((-1, None), (0, 1.0), (9, 1.0), (10, 2.0), (29, 1.0), (30, None), (3000, None)):
        found = store.look_up(requests_for("s1", "s2", None, moment=NOON + timedelta(minutes=minutes))).examples
        assert found.column("shop__visits_1h").to_pylist() == [visits, None, None]
        assert found.column("shop__mean_7d").to_pylist() == [1.0, 1.0, None]


@pytest.mark.parametrize(
    ("after_noon", "degrees"),
    [
        (timedelta(minutes=-1), 10.5),
        (timedelta(0), 11.5),
        (timedelta(hours=5), 11.5),
        (timedelta(hours=5, minutes=1), None),
    ],
)
def test_side_data_is_the_latest_known_then_and_young_enough(
    store: OnlineStore, after_noon: timedelta, degrees: float | None
) -> None:
    store.refresh(make_view(), commit="c1")

    found = store.look_up(requests_for("s1", moment=NOON + after_noon))

    assert found.examples.column("heat__degrees").to_pylist() == [degrees]


def test_the_same_commit_again_changes_nothing(store: OnlineStore) -> None:

    assert store.refresh(make_view(), commit="c1")
    assert not store.refresh(make_view(), commit="c1")
    assert store.refresh(make_view(as_of=DAY + timedelta(days=1)), commit="c1")


def test_an_open_reader_sees_the_next_generation(store: OnlineStore) -> None:
    store.refresh(make_view(level=1.0), commit="c1")
    store.look_up(requests_for("s1"))

    store.refresh(make_view(level=2.0), commit="c2")

    found = store.look_up(requests_for("s1"))
    assert (found.commit, found.examples.column("shop__mean_7d").to_pylist()) == ("c2", [2.0])


def test_going_back_brings_the_generation_before(store: OnlineStore) -> None:
    store.refresh(make_view(level=1.0), commit="c1")
    store.refresh(make_view(level=2.0), commit="c2")

    assert store.go_back().commit == "c1"

    assert store.look_up(requests_for("s1")).examples.column("shop__mean_7d").to_pylist() == [1.0]
    with pytest.raises(ServingError, match="keeps no generation before that of commit c1"):
        store.go_back()


def test_refreshing_after_going_back_goes_on_from_there(store: OnlineStore) -> None:
    for number in (1, 2):
        store.refresh(make_view(level=float(number)), commit=f"c{number}")
    store.go_back()

    store.refresh(make_view(level=3.0), commit="c3")

    assert store.look_up(requests_for("s1")).commit == "c3"
    assert store.go_back().commit == "c1"


def test_the_age_is_told_and_too_old_is_refused(store: OnlineStore, place: Place) -> None:
    store.refresh(make_view(), commit="c1")
    late = requests_for("s1", moment=NOON + timedelta(days=3))

    assert store.look_up(late).age_days == 3
    assert place.open(max_age_days=3).look_up(late).age_days == 3
    with pytest.raises(ServingError, match="as of 2013-07-01, 3 days before the latest request; at most 2"):
        place.open(max_age_days=2).look_up(late)


def test_an_empty_store_says_so(store: OnlineStore) -> None:
    with pytest.raises(ServingError, match="online store is empty"):
        store.look_up(requests_for("s1"))


def test_a_store_that_is_damaged_is_a_serving_error_that_names_it(tmp_path: Path) -> None:
    place = Place(tmp_path, {})
    store = place.open()
    store.refresh(make_view(), commit="c1")
    store.close()
    (file,) = (tmp_path / "online").glob("*.sqlite")
    file.write_bytes(b"not a database" * 1000)

    with pytest.raises(ServingError, match=f"The online store at {file} cannot be used: file is not a database"):
        place.open()


def test_a_store_whose_table_is_gone_refuses_a_look_up_rather_than_crash(tmp_path: Path) -> None:
    place = Place(tmp_path, {})
    store = place.open()
    store.refresh(make_view(), commit="c1")
    (file,) = (tmp_path / "online").glob("*.sqlite")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("DROP TABLE value")

    with pytest.raises(ServingError, match="cannot be used: no such table: value"):
        store.look_up(requests_for("s0"))
    store.close()


def test_a_redis_that_does_not_answer_is_a_serving_error(tmp_path: Path) -> None:
    store = Place(tmp_path, {"MLOPS_ONLINE_STORE_URL": f"unix://{tmp_path / 'nobody'}"}).open()

    with pytest.raises(ServingError, match=f"The online store at {tmp_path / 'nobody'} cannot be used"):
        _ = store.current
    store.close()


def test_a_refresh_that_fails_half_way_leaves_the_old_generation(store: OnlineStore) -> None:
    store.refresh(make_view(), commit="c1")

    def half() -> Iterator[tuple[str, int, bytes]]:
        yield "shop\x1fs1", 0, b""
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.backend.replace(half(), commit="c2", as_of=DAY, layout={"history": [], "side": []})

    assert store.look_up(requests_for("s1")).commit == "c1"
    assert store.refresh(make_view(), commit="c3")


def _refresh_for_ever(place: Place, begun: multiprocessing.synchronize.Event) -> None:
    store = place.open()
    for number in range(2, 10_000):
        store.refresh(make_view(level=float(number), shops=5000), commit=f"c{number}")
        begun.set()


def test_a_killed_refresh_leaves_one_whole_generation(store: OnlineStore, place: Place) -> None:
    store.refresh(make_view(shops=5000), commit="c1")
    context = multiprocessing.get_context("spawn")
    begun = context.Event()
    writer = context.Process(target=_refresh_for_ever, args=(place, begun))
    writer.start()
    assert begun.wait(60)
    assert writer.pid is not None
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()

    found = store.look_up(requests_for(*[f"s{number}" for number in range(0, 5000, 50)]))

    assert set(found.examples.column("shop__mean_7d").to_pylist()) == {float(found.commit[1:])}
    assert store.refresh(make_view(), commit="mended")


def test_readers_never_see_a_mixture_while_it_is_refreshed(store: OnlineStore, place: Place) -> None:
    store.refresh(make_view(level=1.0, shops=2000), commit="c1")
    asked = requests_for(*[f"s{number}" for number in range(1, 2000, 100)])
    stop = threading.Event()
    seen: set[str] = set()
    mixed: list[object] = []

    def read() -> None:
        reader = place.open()
        while not stop.is_set():
            try:
                found = reader.look_up(asked)
            except ServingError as error:
                mixed.append(error)
                continue
            levels = set(found.examples.column("shop__mean_7d").to_pylist())
            if levels != {float(found.commit[1:])}:
                mixed.append((found.commit, levels))
            seen.add(found.commit)
        reader.close()

    readers = [threading.Thread(target=read) for _ in range(8)]
    for thread in readers:
        thread.start()
    for number in range(2, 12):
        store.refresh(make_view(level=float(number), shops=2000), commit=f"c{number}")
    stop.set()
    for thread in readers:
        thread.join()

    assert not mixed
    assert len(seen) > 1


def test_importing_the_store_loads_neither_pandas_nor_dagster() -> None:
    code = (
        "import sys, mlops_assets.stores.features.online_sqlite, mlops_assets.features.training_view; "
        "print([name for name in ('pandas', 'dagster') if name in sys.modules])"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("url", ["localhost:6379", "http://redis"])
def test_a_url_that_is_no_redis_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingError, match="must begin with one of redis://"):
        open_online_store("shops", data=tmp_path, environment={"MLOPS_ONLINE_STORE_URL": url})

"""A service follows its orders: it swaps, refuses, lets a shadow score and a canary answer, without HTTP."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.contract.errors import ServingError
from mlops_assets.judge.canary import Arm, Guards, Tally
from mlops_assets.serving.engine import Engine
from mlops_assets.serving.metrics import ServiceMetrics
from mlops_assets.serving.predictor import Predictor
from mlops_assets.serving.settings import ServiceSettings
from mlops_assets.serving.shadow import MOST_WAITING
from mlops_assets.serving.watcher import Watcher
from mlops_assets.stores.predictions.pairs import PAIRS, append_pairs, read_pairs
from mlops_assets.stores.serving_orders import (
    CanaryOrder,
    CanaryStatus,
    ChampionOrder,
    ServingOrders,
    ShadowOrder,
    WorkerStatus,
)
from mlops_assets_tests.serving.factories import (
    PARCELS,
    feature_rows,
    make_history,
    make_model_files,
    make_parcel,
    order_of,
    refresh_online_store,
)

GUARDS = Guards(rows=20, shares=0.3)
START = datetime(2026, 12, 1, 12, tzinfo=UTC)


@dataclass(kw_only=True)
class Deployment:
    """A data folder with the models v1, v2 and v3, which differ, and one service of it."""

    folder: Path
    now: datetime = START
    sequence: int = 0
    metrics: ServiceMetrics = field(default_factory=ServiceMetrics)

    def __post_init__(self) -> None:
        self.files = {f"v{n}": make_model_files(self.folder / f"v{n}", version=f"v{n}", seed=n) for n in (1, 2, 3)}
        refresh_online_store(self.folder, make_history())
        self.orders = ServingOrders(self.folder, use_case="parcels")
        self.open()

    def open(self) -> None:
        """Starts the service from the Bento of v1."""
        self.predictor = Predictor.open(
            self.folder / "v1",
            use_case=PARCELS,
            checksums=order_of(self.files["v1"])["checksums"],
            data_dir=self.folder,
        )
        self.engine = Engine(self.predictor.together, settings=ServiceSettings())
        self.watcher = Watcher(
            self.predictor,
            engine=self.engine,
            orders=self.orders,
            model_folder=self.folder_of,
            metrics=self.metrics,
            every=3600,
            clock=lambda: self.now,
        )
        self.watcher.start()

    def close(self) -> None:
        self.engine.close()
        self.watcher.close()
        self.predictor.close()

    def folder_of(self, version: str) -> Path:
        if not (self.folder / version).is_dir():
            raise ServingError(f"The model parcels:{version} is not in the store.")
        return self.folder / version

    def promote(self, model: str, **changed: Any) -> None:
        """Tells the service who is champion, and lets it look."""
        self.sequence += 1
        order = changed or order_of(self.files[model])
        self.orders.write(ChampionOrder(**order, sequence=self.sequence, action="promoted"))
        self.watcher.look()

    def canary(self, model: str, *, guards: Guards = GUARDS, **changed: Any) -> None:
        told = {"champion": "v1", "steps": (0.2, 0.5), "every": 60.0, "since": self.now, "reason": "started"}
        self.orders.write(CanaryOrder(**{**order_of(self.files[model]), "guards": guards, **told, **changed}))
        self.watcher.look()

    def ask(self, rows: int = 1, **parcel: Any) -> list[dict[str, Any]]:
        minute = timedelta(minutes=1)
        sent = [
            make_parcel(
                sent_at=(datetime(2013, 7, 1) + number * minute).isoformat(), weight=0.5 + number % 29, **parcel
            )
            for number in range(rows)
        ]
        return self.predictor.predict([PARCELS.request.model_validate(row) for row in sent])

    def versions(self, rows: int = 1) -> list[str]:
        return [answer["model_version"] for answer in self.ask(rows)]

    def status(self) -> WorkerStatus:
        (status,) = self.orders.workers(now=self.now)
        return status

    def count(self, name: str) -> float:
        page = self.metrics.page().decode()
        return next((float(line.split()[-1]) for line in page.splitlines() if line.startswith(name)), 0.0)

    def wait(self, **passed: float) -> None:
        self.now += timedelta(**passed)
        self.watcher.look()


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    made = Deployment(folder=tmp_path)
    yield made
    made.close()


def test_a_promotion_and_a_rollback_reach_a_running_service(deployment: Deployment) -> None:
    before = deployment.ask()
    deployment.promote("v2")
    between = deployment.ask()
    deployment.promote("v1")
    after = deployment.ask()

    assert [each[0]["model_version"] for each in (before, between, after)] == ["v1", "v2", "v1"]
    assert before[0]["score"] == after[0]["score"] != between[0]["score"]
    assert deployment.count('mlops_swaps_total{outcome="taken"}') == 2
    assert deployment.predictor.describe()["model_version"] == "v1"


def test_explanations_and_description_follow(deployment: Deployment) -> None:
    deployment.promote("v2")

    champion = deployment.predictor.serving.champion
    assert champion.explaining.version == deployment.predictor.describe()["record"]["version"] == "v2"


def test_a_restarted_service_answers_by_what_it_was_told_last(deployment: Deployment) -> None:
    deployment.promote("v2")
    deployment.close()

    deployment.open()

    assert deployment.versions() == ["v2"]
    assert deployment.status().version == "v2"


def spoil_model(deployment: Deployment) -> dict[str, Any]:
    path = deployment.files["v2"]["model.ubj"]
    order = order_of(deployment.files["v2"])
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    return order


def other_answers(deployment: Deployment) -> dict[str, Any]:
    return {**order_of(deployment.files["v2"]), "answers": order_of(deployment.files["v3"])["answers"]}


def other_version(deployment: Deployment) -> dict[str, Any]:
    record = deployment.files["v2"]["record.json"]
    record.write_text(record.read_text().replace('"v2"', '"v9"'))
    return {**order_of(deployment.files["v2"]), "version": "v2"}


def other_features(deployment: Deployment) -> dict[str, Any]:
    """As a version that was trained by newer code: it reads the colour of a parcel."""
    for name in ("model.ubj", "vocabulary.json"):
        path = deployment.files["v2"][name]
        path.write_bytes(path.read_bytes().replace(b"is_heavy", b"is_green"))
    rows = feature_rows().rename_columns(["depot", "weight", "is_green", "depot__late_rate_7d", "depot__parcels_7d"])
    return order_of(deployment.files["v2"], rows=rows)


def not_packaged(deployment: Deployment) -> dict[str, Any]:
    order = order_of(deployment.files["v2"])
    (deployment.folder / "v2").rename(deployment.folder / "elsewhere")
    deployment.files["v2"] = {name: deployment.folder / "elsewhere" / name for name in deployment.files["v2"]}
    return order


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (spoil_model, r"model\.ubj is damaged: its SHA-256 is"),
        (other_answers, "it answers 50 of 50 rows on record differently, such as"),
        (other_version, r"its record\.json is that of version v9"),
        (other_features, "it needs the features is_green, which the code that runs does not make: start the service"),
        (not_packaged, "The model parcels:v2 is not in the store"),
    ],
)
def test_a_version_that_fails_is_refused_with_the_reason_and_the_old_one_goes_on(
    deployment: Deployment,
    fault: Callable[[Deployment], dict[str, Any]],
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    deployment.promote("v2", **fault(deployment))
    deployment.watcher.look()

    assert deployment.versions() == ["v1"]
    status = deployment.status()
    assert status.version == "v1"
    assert deployment.count('mlops_swaps_total{outcome="refused"}') == 1
    (told,) = [record.fields for record in caplog.records if record.message == "version refused"]  # type: ignore[attr-defined]
    assert told["reason"] == status.refused["v2"]
    assert re.search(reason, status.refused["v2"])


def test_what_was_refused_is_taken_once_it_is_mended(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment.promote("v2", **not_packaged(deployment))
    (deployment.folder / "elsewhere").rename(deployment.folder / "v2")
    monkeypatch.setattr("mlops_assets.serving.watcher.time.monotonic", lambda: 1e12)

    deployment.watcher.look()

    assert deployment.versions() == ["v2"]
    assert deployment.status().refused == {}


def test_orders_that_cannot_be_read_change_nothing(deployment: Deployment) -> None:
    deployment.promote("v2")
    (deployment.orders.folder / "champion.json").write_text('{"version": "v1"')

    with pytest.raises(
        ServingError, match=r"champion\.json cannot be read.*`mlops status` writes the champion's again"
    ):
        deployment.watcher.look()
    assert deployment.versions() == ["v2"]


def test_a_shadow_scores_every_answer_beside_the_champion_and_nobody_is_answered_by_it(deployment: Deployment) -> None:
    deployment.orders.write(ShadowOrder(**order_of(deployment.files["v2"])))
    deployment.watcher.look()
    answers = [answer for part in (deployment.ask(40), deployment.ask(3, depot="LGA")) for answer in part]
    deployment.orders.end_shadow()
    deployment.watcher.look()

    pairs = read_pairs(deployment.orders.pairs("v2"))
    assert pairs["prediction_id"].to_pylist() == [answer["prediction_id"] for answer in answers]
    assert pairs["champion_score"].to_pylist() == [answer["score"] for answer in answers]
    assert set(pairs["champion"].to_pylist()) == {"v1"} == {answer["model_version"] for answer in answers}
    assert pairs["champion_decided"].to_pylist() == [str(answer["predicted_positive"]).lower() for answer in answers]
    assert deployment.predictor.shadow is None
    deployment.promote("v2")  # what the shadow said is what it answers as champion, to the bit
    again = [answer["score"] for part in (deployment.ask(40), deployment.ask(3, depot="LGA")) for answer in part]
    assert pairs["challenger_score"].to_pylist() == again


def test_a_shadow_that_cannot_keep_up_drops_and_counts(deployment: Deployment) -> None:
    """Another process holds the file of pairs, so that nothing gets on."""
    deployment.orders.write(ShadowOrder(**order_of(deployment.files["v2"])))
    deployment.watcher.look()
    shadow = deployment.predictor.shadow
    assert shadow is not None
    path = deployment.orders.pairs("v2")
    append_pairs(path, PAIRS.empty_table())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for _ in range(MOST_WAITING + 5):
            deployment.ask()
        other.execute("ROLLBACK")
    deployment.orders.end_shadow()
    deployment.watcher.look()

    status = shadow.status()
    assert status.dropped >= 4  # one group was being scored
    assert (status.scored + status.dropped, status.failed) == (MOST_WAITING + 5, 0)
    assert read_pairs(path).num_rows == status.scored


def test_a_file_of_pairs_that_is_full_takes_no_more(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_assets.stores.predictions.pairs.MOST", 5)
    deployment.orders.write(ShadowOrder(**order_of(deployment.files["v2"])))
    deployment.watcher.look()
    deployment.ask(5)
    deployment.ask(2)
    shadow = deployment.predictor.shadow
    assert shadow is not None
    deployment.orders.end_shadow()
    deployment.watcher.look()

    assert (shadow.status().scored, shadow.status().dropped, shadow.status().failed) == (5, 2, 0)


def test_a_shadow_that_fails_is_noticed_by_nobody_who_asks(deployment: Deployment) -> None:
    path = deployment.orders.pairs("v2")
    path.parent.mkdir(parents=True)
    path.write_text("no database at all, but long enough to be looked at as if it were one" * 10)
    deployment.orders.write(ShadowOrder(**order_of(deployment.files["v2"])))
    deployment.watcher.look()

    assert deployment.versions(3) == ["v1"] * 3
    shadow = deployment.predictor.shadow
    assert shadow is not None
    shadow.close()
    assert shadow.status().failed == 3
    deployment.predictor.shadow = None


def test_the_champion_is_nobodys_shadow(deployment: Deployment) -> None:
    deployment.orders.write(ShadowOrder(**order_of(deployment.files["v2"])))
    deployment.promote("v2")

    assert deployment.predictor.shadow is None


def test_a_canary_answers_a_fixed_share_and_keeps_its_rows_as_the_share_rises(deployment: Deployment) -> None:
    deployment.canary("v2", steps=(0.2, 0.5))
    first, again = deployment.versions(400), deployment.versions(400)
    for _ in range(30):
        deployment.ask(10)
    deployment.wait(seconds=61)
    deployment.watcher.look()
    more = deployment.versions(400)

    assert first == again
    assert 0.15 < first.count("v2") / 400 < 0.25
    assert 0.43 < more.count("v2") / 400 < 0.57
    assert all(later == "v2" for early, later in zip(first, more, strict=True) if early == "v2")


def test_rows_of_both_versions_come_back_in_the_order_of_the_request(deployment: Deployment) -> None:
    alone = {"v1": deployment.ask(50)}
    deployment.promote("v2")
    alone["v2"] = deployment.ask(50)
    deployment.promote("v1")
    deployment.canary("v2", steps=(0.5,))

    mixed = deployment.ask(50)

    assert {answer["model_version"] for answer in mixed} == {"v1", "v2"}
    assert [answer["score"] for answer in mixed] == [
        alone[answer["model_version"]][place]["score"] for place, answer in enumerate(mixed)
    ]


def test_a_canary_goes_up_step_by_step_until_it_is_ready_and_says_why(deployment: Deployment) -> None:
    deployment.canary("v2", steps=(0.2, 0.5))
    shares = []
    for _ in range(4):
        for _ in range(40):
            deployment.ask(20)
        deployment.wait(seconds=61)
        deployment.watcher.look()
        order = deployment.orders.canary()
        assert order is not None
        shares.append((order.state, order.share))

    assert shares == [("running", 0.5), ("ready", 1.0), ("ready", 1.0), ("ready", 1.0)]
    assert deployment.versions(50) == ["v2"] * 50
    events = deployment.orders.events()
    assert [(event["state"], event["share"]) for event in events] == [("running", 0.5), ("ready", 1.0)]
    assert all("errors holds" in event["reason"] and "share of positives holds" in event["reason"] for event in events)
    deployment.promote("v2")
    deployment.watcher.look()
    over = deployment.orders.canary()
    assert over is not None
    assert (over.state, over.share) == ("promoted", 0.0)


def test_a_canary_waits_for_its_time_and_for_guards_that_can_tell(deployment: Deployment) -> None:
    deployment.canary("v2", guards=Guards(rows=1000))
    deployment.ask(400)
    deployment.wait(seconds=3000)

    order = deployment.orders.canary()
    assert order is not None
    assert (order.step, order.state) == (0, "running")
    assert deployment.orders.events() == []


def test_a_canary_that_answers_otherwise_goes_back_to_zero(deployment: Deployment) -> None:
    deployment.canary("v2", steps=(0.5,))
    trial = deployment.predictor.serving.trial
    assert trial is not None
    trial.version.answering.threshold = 0.0  # every parcel is late to it
    deployment.ask(400)
    deployment.watcher.look()
    deployment.watcher.look()

    order = deployment.orders.canary()
    assert order is not None
    assert (order.state, order.share) == ("back at zero", 0.0)
    assert "share of positives breached" in order.reason
    assert deployment.versions(100) == ["v1"] * 100


def test_a_canary_that_fails_costs_nobody_an_answer_and_goes_back_to_zero(deployment: Deployment) -> None:
    deployment.canary("v2", steps=(0.5,))
    trial = deployment.predictor.serving.trial
    assert trial is not None
    trial.version.answering.scorer = None  # type: ignore[assignment]

    assert deployment.versions(100) == ["v1"] * 100
    assert deployment.versions(100) == ["v1"] * 100
    deployment.watcher.look()
    order = deployment.orders.canary()
    assert order is not None
    assert (order.state, order.share) == ("back at zero", 0.0)
    assert order.reason.startswith("errors breached")


def test_a_breach_in_one_worker_ends_the_canary_in_all(deployment: Deployment) -> None:
    deployment.canary("v2", steps=(0.5,))
    counted = Tally(champion=Arm(rows=9), canary=Arm(rows=9, errors=3))
    order = deployment.orders.canary()
    assert order is not None
    said = CanaryStatus(version="v2", step=0, since=order.since, tally=counted)
    own = deployment.status()
    deployment.orders.say(own.model_copy(update={"pid": own.pid + 1, "canary": said}))

    deployment.watcher.look()
    deployment.watcher.look()

    assert deployment.versions(50) == ["v1"] * 50
    over = deployment.orders.canary()
    assert over is not None
    assert over.reason.startswith("errors breached: 3 beside 9 rows answered")


def test_a_canary_that_cannot_be_opened_never_answers(deployment: Deployment) -> None:
    deployment.canary("v2", **other_answers(deployment))

    over = deployment.orders.canary()
    assert over is not None
    assert over.state == "back at zero"
    assert "rows on record differently" in over.reason
    assert deployment.versions(50) == ["v1"] * 50


def test_another_champion_ends_a_canary(deployment: Deployment) -> None:
    deployment.canary("v2", steps=(0.5,))
    deployment.promote("v3")

    over = deployment.orders.canary()
    assert over is not None
    assert (over.state, over.reason) == ("back at zero", "v3 became champion meanwhile")
    assert deployment.versions(50) == ["v3"] * 50


def test_a_worker_that_is_silent_is_gone(deployment: Deployment) -> None:
    said = len(deployment.orders.workers(now=deployment.now))

    assert (said, len(deployment.orders.workers(now=deployment.now + timedelta(minutes=2)))) == (1, 0)

"""What a service is told follows the champion's pointer in the lake, whoever tells it and whenever."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mlops_assets.contract.errors import RegistryError, ServingError
from mlops_assets.contract.paths import model_path
from mlops_assets.judge.canary import Guards
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.tables import parquet_bytes
from mlops_assets.steps.tell_service import start_canary, start_shadow, stop_canary, tell_champion
from mlops_assets.stores.models.champion import require_champion, rollback
from mlops_assets.stores.models.record import digest
from mlops_assets.stores.models.recorded_answers import ROWS, recorded_answers, why_not_alike
from mlops_assets.stores.models.registry import load_version
from mlops_assets.stores.serving_orders import ChampionOrder, ServingOrders
from mlops_assets.training.scoring import Scorer
from mlops_assets_tests.lakes import embedded_lake, lake_data
from mlops_assets_tests.stores.models.factories import (
    NOON,
    TINY,
    overwrite,
    promoted,
    publish_evaluation,
    publish_version,
)

__all__ = ["embedded_lake", "lake_data"]

ORDER: dict[str, Any] = {"steps": (0.1, 0.5), "every": 60.0, "guards": Guards(), "by": "ada", "at": NOON}


@pytest.fixture
def lake(embedded_lake: Lake) -> Lake:
    """Two versions, of which the first is champion, and the view that both learnt from."""
    values = np.random.default_rng(0).normal(size=(200, 2))
    view = pa.table({"id": pa.array(map(str, range(200))), "a": values[:, 0], "b": values[:, 1]})
    overwrite(embedded_lake, "flights/training_view/view.parquet", parquet_bytes(view))
    publish_version(embedded_lake, "v1")
    publish_evaluation(embedded_lake, "v1")
    publish_version(embedded_lake, "v2")
    promoted(embedded_lake, "v1")
    publish_evaluation(embedded_lake, "v2", champion="v1")
    return embedded_lake


def told(lake: Lake, folder: Path) -> ChampionOrder:
    order = tell_champion(lake, use_case=TINY, folder=folder)
    assert order is not None
    return order


def test_a_service_is_told_version_checksums_and_answers_of_the_champion(lake: Lake, tmp_path: Path) -> None:
    order = told(lake, tmp_path)

    model = load_version(lake.at(), use_case="flights", version="v1")
    record = lake.at().read(model_path("flights", version="v1", name="record.json"))
    assert (order.version, order.sequence, order.action, order.by) == ("v1", 1, "promoted", "ada")
    assert order.checksums == {**model.record.files, "record.json": digest(record)}
    assert len(order.answers.scores) == ROWS
    assert why_not_alike(Scorer.open(model.files), order.answers) == ""
    assert ServingOrders(tmp_path, use_case="flights").champion() == order


def test_who_was_told_already_is_not_told_again(lake: Lake, tmp_path: Path) -> None:
    told(lake, tmp_path)
    stamp = ServingOrders(tmp_path, use_case="flights").stamp()

    told(lake, tmp_path)

    assert ServingOrders(tmp_path, use_case="flights").stamp() == stamp


def test_a_move_that_was_not_told_is_told_by_whoever_looks_next(lake: Lake, tmp_path: Path) -> None:
    told(lake, tmp_path)
    promoted(lake, "v2")
    rollback(lake, use_case=TINY, by="bob", why="slow", at=NOON + timedelta(hours=1))

    order = told(lake, tmp_path)

    assert (order.version, order.sequence, order.action, order.by) == ("v1", 3, "rolled back", "bob")


def test_an_order_that_is_damaged_is_written_again(lake: Lake, tmp_path: Path) -> None:
    told(lake, tmp_path)
    orders = ServingOrders(tmp_path, use_case="flights")
    (orders.folder / "champion.json").write_bytes(b"\0" * 100)
    with pytest.raises(ServingError, match=r"champion\.json cannot be read"):
        orders.champion()

    assert told(lake, tmp_path) == orders.champion()


def test_before_the_first_promotion_nobody_is_told_anything(embedded_lake: Lake, tmp_path: Path) -> None:
    assert tell_champion(embedded_lake, use_case=TINY, folder=tmp_path) is None


def test_of_those_who_tell_at_the_same_time_the_lake_wins(lake: Lake, tmp_path: Path) -> None:
    together = Barrier(4)

    def tell(number: int) -> None:
        together.wait()
        if number == 0:
            promoted(lake, "v2")
        told(lake, tmp_path)

    tellers = [Thread(target=tell, args=[number]) for number in range(4)]
    for teller in tellers:
        teller.start()
    for teller in tellers:
        teller.join(60)

    order = ServingOrders(tmp_path, use_case="flights").champion()
    assert order is not None
    assert order.version == require_champion(lake.at(), use_case="flights").version == "v2"


def test_the_champion_can_be_no_challenger(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="Version v1 of flights cannot be a shadow: it is the champion"):
        start_shadow(lake, use_case=TINY, version="v1", folder=tmp_path, by="ada", at=NOON)
    with pytest.raises(RegistryError, match="Version v1 of flights cannot be a canary: it is the champion"):
        start_canary(lake, use_case=TINY, version="v1", folder=tmp_path, **ORDER)


@pytest.mark.parametrize("steps", [(), (0.5, 0.1), (0.1, 0.1), (0.0, 0.5), (0.5, 1.0)])
def test_steps_must_rise_between_nothing_and_everything(lake: Lake, tmp_path: Path, steps: tuple[float, ...]) -> None:
    with pytest.raises(ServingError, match="give shares that rise, above 0 and below 100 %"):
        start_canary(lake, use_case=TINY, version="v2", folder=tmp_path, **{**ORDER, "steps": steps})


def test_one_canary_at_a_time_until_it_is_stopped(lake: Lake, tmp_path: Path) -> None:
    begun = start_canary(lake, use_case=TINY, version="v2", folder=tmp_path, **ORDER)
    with pytest.raises(ServingError, match=r"v2 is tried already, at 10%: `mlops canary stop flights` first"):
        start_canary(lake, use_case=TINY, version="v2", folder=tmp_path, **ORDER)

    over = stop_canary(use_case=TINY, folder=tmp_path, by="bob", at=NOON)

    assert (begun.champion, begun.share) == ("v1", 0.1)
    assert (over.state, over.share, over.reason) == ("stopped", 0.0, "stopped by bob")
    events = ServingOrders(tmp_path, use_case="flights").events()
    assert [(event["state"], event["share"], event["reason"]) for event in events] == [
        ("running", 0.1, "started by ada"),
        ("stopped", 0.0, "stopped by bob"),
    ]
    with pytest.raises(ServingError, match="No canary of flights runs"):
        stop_canary(use_case=TINY, folder=tmp_path, by="bob", at=NOON)


def test_answers_to_missing_values_are_kept_to_the_bit(lake: Lake) -> None:
    scorer = Scorer.open(load_version(lake.at(), use_case="flights", version="v1").files)
    rows = pa.table({"id": ["x", "y"], "a": [0.1 + 0.2, float("nan")], "b": pa.array([None, 3], pa.int64())})

    recorded = recorded_answers(scorer, rows)

    assert recorded.columns == {"a": [0.1 + 0.2, None], "b": [None, 3.0]}
    assert recorded.model_validate_json(recorded.model_dump_json()) == recorded
    assert why_not_alike(scorer, recorded) == ""
    other = recorded.model_copy(update={"scores": [float(np.nextafter(each, 1)) for each in recorded.scores]})  # type: ignore[arg-type]
    assert "it answers 2 of 2 rows on record differently" in why_not_alike(scorer, other)

"""Tell the service, which knows no lake, what the lake decided, and which challengers are tried.

Belongs here: how a version becomes an order (its checksums, and answers of its own to be asked for again), and when a
shadow or canary may start. What an order is is in ``stores/serving_orders.py``, how one is followed in ``serving/``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from mlops_assets.contract.errors import LakeError, RegistryError, ServingError
from mlops_assets.contract.paths import model_path
from mlops_assets.contract.use_case import UseCase
from mlops_assets.judge.canary import Guards
from mlops_assets.lake.lake import Lake
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.recipe import read_view
from mlops_assets.stores.models.record import RECORD, ModelRecord, digest
from mlops_assets.stores.models.recorded_answers import recorded_answers
from mlops_assets.stores.models.registry import load_version, verify_answers
from mlops_assets.stores.serving_orders import CanaryOrder, ChampionOrder, ServingOrders, ShadowOrder
from mlops_assets.training.scoring import Scorer


def tell_champion(lake: Lake, *, use_case: UseCase, folder: Path) -> ChampionOrder | None:
    """Makes what the service of this deployment (``folder``) is told the same as the champion's pointer in the lake.

    The lake is read while nobody else changes the order, so whoever comes last has read it last. Called by whatever
    moves the pointer, and by whoever looks, in case the former was killed in between. None before the first promotion.
    """
    orders = ServingOrders(folder, use_case=use_case.name)
    with orders.changing():
        pointer = champion(lake.at(), use_case=use_case.name)
        told = _told(orders)
        if pointer is None or (told and (told.sequence, told.version, told.at) == _identity(pointer)):
            return told
        order = ChampionOrder(
            **_order(lake, use_case, version=pointer.version),
            sequence=pointer.sequence,
            action=pointer.action,
            at=pointer.at,
            by=pointer.by,
        )
        orders.write(order)
        return order


def start_shadow(lake: Lake, *, use_case: UseCase, version: str, folder: Path, by: str, at: datetime) -> ShadowOrder:
    """Lets ``version`` score what the service answers, until it is stopped or another is started."""
    orders = ServingOrders(folder, use_case=use_case.name)
    _refuse_champion(lake, use_case=use_case, version=version, trial="shadow")
    order = ShadowOrder(**_order(lake, use_case, version=version), at=at, by=by)
    with orders.changing():
        orders.write(order)
    return order


def start_canary(
    lake: Lake,
    *,
    use_case: UseCase,
    version: str,
    folder: Path,
    by: str,
    at: datetime,
    steps: Sequence[float],
    every: float,
    guards: Guards,
) -> CanaryOrder:
    """Lets ``version`` answer the first of ``steps``, shares of the rows; it goes on while ``guards`` hold."""
    serving = _refuse_champion(lake, use_case=use_case, version=version, trial="canary")
    if not steps or list(steps) != sorted(set(steps)) or not 0 < steps[0] <= steps[-1] < 1:
        raise ServingError(f"Steps {tuple(steps)} are no canary's: give shares that rise, above 0 and below 100 %.")
    tell_champion(lake, use_case=use_case, folder=folder)
    orders = ServingOrders(folder, use_case=use_case.name)
    order = CanaryOrder(
        **_order(lake, use_case, version=version),
        champion=serving,
        steps=tuple(steps),
        every=every,
        guards=guards,
        since=at,
        reason=f"started by {by}",
        at=at,
        by=by,
    )
    with orders.changing():
        running = orders.canary()
        if running and running.share:
            raise ServingError(
                f"{running.version} is tried already, at {running.share:.0%}: "
                f"`mlops canary stop {use_case.name}` first."
            )
        orders.write(order)
        orders.note({"canary": version, "state": order.state, "share": order.share, "reason": order.reason})
    return order


def stop_canary(*, use_case: UseCase, folder: Path, by: str, at: datetime) -> CanaryOrder:
    """The champion answers every row again. Raises ServingError where no canary runs."""
    orders = ServingOrders(folder, use_case=use_case.name)
    with orders.changing():
        running = orders.canary()
        if running is None or not running.share:
            raise ServingError(f"No canary of {use_case.name} runs.")
        over = running.model_copy(update={"state": "stopped", "since": at, "reason": f"stopped by {by}"})
        orders.write(over)
        orders.note({"canary": over.version, "state": over.state, "share": 0.0, "reason": over.reason})
    return over


def _identity(pointer: Any) -> tuple[int, str, datetime]:
    return pointer.sequence, pointer.version, pointer.at


def _told(orders: ServingOrders) -> ChampionOrder | None:
    """What the service was told; nothing where that cannot be read, so that it is told again."""
    try:
        return orders.champion()
    except ServingError:
        return None


def _refuse_champion(lake: Lake, *, use_case: UseCase, version: str, trial: str) -> str:
    """The champion; an error unless ``version`` is another one."""
    serving = champion(lake.at(), use_case=use_case.name)
    if serving is None or serving.version == version:
        told = "there is no champion to try it beside" if serving is None else "it is the champion"
        raise RegistryError(f"Version {version} of {use_case.name} cannot be a {trial}: {told}.")
    return serving.version


def _order(lake: Lake, use_case: UseCase, *, version: str) -> dict[str, Any]:
    head = lake.at()
    model = load_version(head, use_case=use_case.name, version=version)
    verify_answers(model)
    record = digest(head.read(model_path(use_case.name, version=version, name=RECORD)))
    answers = recorded_answers(Scorer.open(model.files), _rows(lake, use_case, record=model.record))
    return {"version": version, "checksums": {**model.record.files, RECORD: record}, "answers": answers}


def _rows(lake: Lake, use_case: UseCase, *, record: ModelRecord) -> pa.Table:
    """The training view that the version learnt from; today's where that is gone: any rows it can answer will do."""
    try:
        return read_view(lake.at(record.data_commit), use_case=use_case)
    except LakeError:
        return read_view(lake.at(), use_case=use_case)

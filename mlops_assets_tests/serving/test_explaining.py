"""Explanations: few at a time, refused as predictions are. What they add up to is tested over HTTP."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.contract.errors import ServingError
from mlops_assets.contract.use_case import UseCase
from mlops_assets.serving.asking import Asked, Asking
from mlops_assets.serving.explaining import MOST_ROWS, MOST_WAITING, Explaining
from mlops_assets.serving.predictor import Predictor
from mlops_assets.serving.wire import Refused
from mlops_assets.stores.models.bento_store import checksum
from mlops_assets_tests.serving.factories import make_model_files
from mlops_assets_tests.serving.toys.quiet import USE_CASE as QUIET


def asked(*ages: int, use_case: UseCase = QUIET) -> Asked:
    rows = ",".join(f'{{"age":{age},"job":"clerk"}}' for age in ages)
    return Asking(use_case, most_rows=1000).check(f'{{"rows":[{rows}]}}'.encode(), day=date(2013, 7, 1))


@contextmanager
def opened(answering: Callable[[], Any]) -> Iterator[Explaining]:
    explaining = Explaining(answering)
    try:
        yield explaining
    finally:
        explaining.close()


def refusal(explaining: Explaining, request: Asked) -> Refused:
    with pytest.raises(Refused) as refused:
        asyncio.run(explaining.answer(request))
    return refused.value


def unreachable() -> Any:
    raise ServingError("The online store is empty.")


def test_too_many_rows_are_refused() -> None:
    with opened(unreachable) as explaining:
        assert refusal(explaining, asked(*[44] * (MOST_ROWS + 1))).status == 413


def test_history_that_cannot_be_reached_is_a_503() -> None:
    with opened(unreachable) as explaining:
        refused = refusal(explaining, asked(44))

    assert (refused.status, "online store" in refused.refusal.error) == (503, False)


def test_a_row_that_cannot_be_computed_is_a_400(tmp_path: Path) -> None:
    (tmp_path / "features.sql").write_text("SELECT id, CAST(error('unlucky') AS DOUBLE) AS age_squared FROM examples")
    unlucky = replace(QUIET, features_sql=tmp_path / "features.sql")
    checksums = {name: checksum(path) for name, path in make_model_files(tmp_path / "model", use_case=QUIET).items()}
    predictor = Predictor.open(tmp_path / "model", use_case=unlucky, checksums=checksums, data_dir=tmp_path)
    with opened(lambda: predictor.serving.champion.explaining) as explaining:
        refused = refusal(explaining, asked(44))
    predictor.close()

    assert (refused.status, "unlucky" in refused.refusal.error) == (400, False)


def test_only_a_few_may_wait() -> None:
    let = threading.Event()

    def slow() -> Any:
        let.wait(10)
        return unreachable()

    async def ask(explaining: Explaining) -> list[Refused]:
        waiting = [asyncio.create_task(explaining.answer(asked(44))) for _ in range(MOST_WAITING)]
        await asyncio.sleep(0)
        (last,) = await asyncio.gather(explaining.answer(asked(44)), return_exceptions=True)
        let.set()
        refused: list[Any] = [last, *await asyncio.gather(*waiting, return_exceptions=True)]
        return refused

    with opened(slow) as explaining:
        last, *others = asyncio.run(ask(explaining))

    assert (last.status, last.retry_after, "Too many" in str(last)) == (503, 1, True)
    assert {"Too many" in str(each) for each in others} == {False}

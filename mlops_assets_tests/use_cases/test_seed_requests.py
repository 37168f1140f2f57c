"""What a shipped use case's seed asks is what its service takes, whose types are strict."""

from __future__ import annotations

from datetime import date

import pydantic_core
import pytest

from mlops_assets.contract.use_case import UseCase
from mlops_assets.serving.asking import Asking
from mlops_assets.use_cases.flights import USE_CASE as FLIGHTS
from mlops_assets.use_cases.income import USE_CASE as INCOME


@pytest.mark.parametrize("use_case", [FLIGHTS, INCOME], ids=lambda use_case: use_case.name)
def test_every_request_of_the_served_seed_is_taken_by_the_service(use_case: UseCase) -> None:
    rows = [dict(row) for row in use_case.seed.requests(use_case.seed.served)]

    asked = Asking(use_case, most_rows=len(rows)).check(pydantic_core.to_json({"rows": rows}), day=date(2013, 7, 1))

    assert len(asked.good) == len(rows) > 900
    assert asked.faulty == {}

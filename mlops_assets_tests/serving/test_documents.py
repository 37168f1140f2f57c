"""What ``/docs.json`` says is so: requests made from it, right and wrong, get the statuses and shapes it tells."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import positive_data_acceptance

from mlops_assets_tests.serving.factories import TAG
from mlops_assets_tests.serving.servers import served

TOO_STRICT = [positive_data_acceptance]
"""A schema cannot say which moments a use case takes, or that an outcome has one name: what fits may be refused."""
POSTS = ("/predict", "/explain", "/outcomes")
GETS = ("/model", "/metrics", "/monitor", "/docs.json")
MADE = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
REJECTED = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "428", "429", "5xx"]
CONFIG = schemathesis.Config.from_dict({"checks": {"negative_data_rejection": {"expected-statuses": REJECTED}}})
"""Too many rows are refused as too large."""


@pytest.fixture(scope="module")
def schema(data_dir: Path) -> Iterator[Any]:
    with served(TAG, data_dir=data_dir) as running:
        yield schemathesis.openapi.from_url(f"{running.url}/docs.json", config=CONFIG)


def test_every_route_is_made_requests_of(schema: Any) -> None:
    assert set(schema) == {*POSTS, *GETS}


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
@pytest.mark.parametrize("path", POSTS)
def test_every_answer_to_a_body_is_as_documented(schema: Any, path: str, mode: schemathesis.GenerationMode) -> None:
    @MADE
    @given(case=schema[path]["POST"].as_strategy(generation_mode=mode))
    def holds(case: schemathesis.Case) -> None:
        case.call_and_validate(excluded_checks=TOO_STRICT, timeout=5)

    holds()


@pytest.mark.parametrize("path", GETS)
def test_every_page_is_as_documented(schema: Any, path: str) -> None:
    schema[path]["GET"].Case().call_and_validate(timeout=5)

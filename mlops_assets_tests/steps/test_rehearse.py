"""A Bento is started and asked before anybody depends on it; one that does not do as the version would is refused."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import duckdb
import pytest

from mlops_assets.contract.errors import DeclarationError, ServingError
from mlops_assets.contract.serving import ServiceBudget
from mlops_assets.contract.use_case import UseCase
from mlops_assets.steps import rehearse
from mlops_assets.steps.package import make_ready, package
from mlops_assets.stores.models.bento_store import find_bento
from mlops_assets.stores.models.champion import require_champion
from mlops_assets.stores.models.running_service import RunningService
from mlops_assets.stores.predictions.prediction_log import prediction_log_of
from mlops_assets_tests.orchestration.deployment import copy_deployment, let_go
from mlops_assets_tests.orchestration.toy import PARCELS, requests
from mlops_assets_tests.steps.played import DAYS, SERVED, Loop
from mlops_assets_tests.use_cases.installed import install_parcels, on_path

NARROW = replace(PARCELS, budget=ServiceBudget(milliseconds=0.001, megabytes=1))
"""The toy with a budget that nothing keeps within."""


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The toy can be packaged."""
    with on_path(install_parcels(tmp_path_factory.mktemp("installed"))) as folder:
        yield folder


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, installed: Path) -> Path:
    """A champion that was packaged and rehearsed."""
    loop = Loop(data=tmp_path_factory.mktemp("rehearsed") / "data")
    loop.take(DAYS)
    loop.train()
    ready(loop)
    let_go(loop.data)
    return loop.data


@pytest.fixture
def loop(template: Path, tmp_path: Path) -> Iterator[Loop]:
    copy = Loop(data=copy_deployment(template, to=tmp_path / "data"))
    yield copy
    let_go(copy.data)


def version(loop: Loop) -> str:
    return require_champion(loop.lake.at(), use_case="parcels").version


def ready(loop: Loop, use_case: UseCase = PARCELS) -> None:
    make_ready(loop.lake, use_case=use_case, data_dir=loop.data, connect=duckdb.connect, version=version(loop))


def rehearsed(loop: Loop, *, use_case: UseCase = PARCELS) -> dict[str, Any]:
    """The verdicts on the Bento as it stands in the store, by name."""
    built = find_bento("parcels", version=version(loop), data_dir=loop.data)
    assert built is not None
    checks = rehearse.rehearse(
        loop.lake.at(),
        use_case=use_case,
        built=built,
        version=version(loop),
        data_dir=loop.data,
        connect=duckdb.connect,
    )
    return {check.name: check for check in checks}


@pytest.mark.slow
def test_a_bento_that_passed_is_neither_packaged_nor_rehearsed_again(loop: Loop) -> None:
    head = loop.lake.head()

    step = package(loop.lake.at(), use_case=PARCELS, data_dir=loop.data, connect=duckdb.connect)
    ready(loop)

    assert not step.outcome.built.changed
    assert not step.outcome.rehearsed
    assert {check.name: check.passed for check in step.checks} == dict.fromkeys(rehearse.CHECKS, True)
    assert {check.name: check.figures for check in step.checks}["answers_as_recorded"] == {
        "examples": 60,
        "differing": 0,
    }
    assert loop.lake.head() == head


@pytest.mark.slow
def test_what_a_rehearsal_answers_is_remembered_nowhere(loop: Loop) -> None:
    assert {path.name for path in loop.data.iterdir()} == {"bentoml", "lake", "landing"}


@pytest.mark.slow
def test_a_bento_that_answers_otherwise_than_its_version_or_costs_too_much_is_refused_with_what_differs(
    loop: Loop,
) -> None:
    (toy,) = (loop.data / "bentoml" / "bentos").glob("parcels/*/src/mlops_assets_tests/orchestration/toy.py")
    halved = "Annotated[float, BeforeValidator(lambda weight: weight / 2), Field(gt=0, le=30)]"
    text = toy.read_text(encoding="utf-8").replace("Annotated[float, Field(gt=0, le=30)]", halved)
    assert halved in text
    toy.write_text(text.replace("import BaseModel,", "import BaseModel, BeforeValidator,"), encoding="utf-8")

    verdicts = rehearsed(loop, use_case=NARROW)

    assert verdicts["starts_by_itself"].passed
    assert verdicts["refuses_malformed_requests"].passed
    assert verdicts["answers_as_recorded"].blocks
    assert '"weight"' in verdicts["answers_as_recorded"].reasons[0]
    assert "the version's own score is 0." in verdicts["answers_as_recorded"].reasons[0]
    assert "at most 0.001 is allowed" in verdicts["answers_in_time"].reasons[0]
    assert "at most 1 is allowed" in verdicts["fits_its_memory"].reasons[0]


@pytest.mark.slow
def test_a_bento_that_does_not_start_is_refused_with_what_it_said_and_its_pointer_does_not_move(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_assets.stores.models.running_service.START_SECONDS", 15)  # it is waited for to the end
    built = find_bento("parcels", version=version(loop), data_dir=loop.data)
    assert built is not None
    shutil.rmtree(built.path / "src" / "mlops_assets" / "features")

    with pytest.raises(ServingError, match=r"(?s)may not serve\. starts_by_itself: .*No module named"):
        ready(loop, NARROW)  # another budget: what passed before does not count


@cache
def answering(status: int, body: bytes) -> type[BaseHTTPRequestHandler]:
    """A service that says the same to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    return Handler


@pytest.mark.parametrize(
    ("status", "body", "passed"),
    [
        (500, b"{}", False),
        (200, b'{"predictions": [{"score": 0.5}]}', False),
        (400, b'{"error": "no"}', True),
        (200, b'{"predictions": [{"error": {"field": "rows"}}]}', True),
    ],
    ids=["fails", "answers", "refuses all", "refuses the row"],
)
def test_what_means_nothing_must_be_refused(status: int, body: bytes, passed: bool) -> None:
    with HTTPServer(("127.0.0.1", 0), answering(status, body)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        service = RunningService(url=f"http://127.0.0.1:{server.server_port}", process=None)  # type: ignore[arg-type]

        verdict = rehearse._refuses(service)
        server.shutdown()

    assert verdict.passed == passed


def test_what_was_served_last_is_asked_before_what_the_seed_asks(served: Loop) -> None:
    served.collect()

    examples = rehearse.recorded_examples(
        served.lake.at(), use_case=PARCELS, version=version(served), connect=duckdb.connect
    )

    log = prediction_log_of("parcels", folder=served.data).read_after(0, limit=1000).to_pylist()
    assert len(examples.requests) == len(requests(SERVED))
    assert str(examples.as_of) == SERVED
    assert sorted(examples.scores) == sorted(row["score"] for row in log)


def test_without_a_request_on_record_nothing_is_claimed(served: Loop) -> None:
    mute = replace(PARCELS, seed=replace(PARCELS.seed, requests=lambda batch: []))

    examples = rehearse.recorded_examples(
        served.lake.at(), use_case=mute, version=version(served), connect=duckdb.connect
    )

    assert not examples.requests
    assert [(check.passed, check.blocks) for check in rehearse._unasked()] == [(False, False)] * 2


@pytest.mark.parametrize("wrong", [0, -1.0, float("nan"), float("inf")])
def test_a_budget_that_bounds_nothing_is_refused(wrong: float) -> None:
    with pytest.raises(DeclarationError, match="megabytes of ServiceBudget is"):
        ServiceBudget(megabytes=wrong)

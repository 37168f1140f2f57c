"""The service shows the page of monitoring that was written last, to who may see it."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from mlops_assets.serving.access import Access
from mlops_assets.serving.app import build_app
from mlops_assets.serving.metrics import ServiceMetrics
from mlops_assets.serving.settings import ServiceSettings
from mlops_assets.stores.key_ring import KeyRing
from mlops_assets.stores.keys import Scope, new_key
from mlops_assets.stores.pages import served_monitor_page, write_page

NOW = datetime(2026, 11, 30, tzinfo=UTC)
TOLD = {
    "use_case": "toy",
    "title": "Toy",
    "description": "",
    "owner": "team:toys",
    "model_version": "v",
    "threshold": None,
    "positive_means": None,
    "request": {"properties": {}},
    "history": None,
}


@pytest.fixture(autouse=True)
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)


def make_app(folder: Path) -> ASGIApp:
    """A service of the environment in ``folder``, with the keys that there are now."""
    return build_app(
        lambda: SimpleNamespace(predictor=SimpleNamespace(describe=lambda: TOLD)),
        settings=ServiceSettings(),
        metrics=ServiceMetrics(),
        check=Access(KeyRing(folder / "keys.json")),
        monitor_page=served_monitor_page(folder, use_case="toy"),
    )


def get(app: ASGIApp, path: str, **settings: Any) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 9))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.get(path, **settings)

    return asyncio.run(ask())


def write(folder: Path, text: str) -> None:
    write_page(served_monitor_page(folder, use_case="toy"), text)


def test_page_is_shown_as_it_was_written_last_and_a_browser_loads_nothing_for_it(tmp_path: Path) -> None:
    app = make_app(tmp_path)
    for text in ("<p>first</p>", "<p>late ✓</p>"):
        write(tmp_path, text)
        answer = get(app, "/monitor")

        assert (answer.status_code, answer.text) == (200, text)
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_without_a_page_a_sentence_says_so_and_the_first_page_links_to_none(tmp_path: Path) -> None:
    app = make_app(tmp_path)
    answer = get(app, "/monitor")

    assert (answer.status_code, answer.json()["error"]) == (
        404,
        "There is no page of monitoring yet: it is written once a day is watched.",
    )
    assert 'href="/monitor"' not in get(app, "/").text
    write(tmp_path, "<p>first</p>")
    assert 'href="/monitor"' in get(app, "/").text


def test_with_keys_one_for_admins_is_needed_and_a_browser_may_send_it_as_a_password(tmp_path: Path) -> None:
    write(tmp_path, "<p>page</p>")
    keys = tmp_path / "keys.json"
    admin, caller = (new_key(keys, name=scope, scopes=(scope,), now=NOW) for scope in (Scope.ADMIN, Scope.PREDICT))
    app = make_app(tmp_path)

    refused = get(app, "/monitor")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Basic realm=")
    assert get(app, "/monitor", auth=("anybody", admin)).text == "<p>page</p>"
    assert get(app, "/monitor", headers={"Authorization": f"Bearer {admin}"}).text == "<p>page</p>"
    assert get(app, "/monitor", auth=("anybody", caller)).status_code == 403
    assert get(app, "/metrics", auth=("anybody", admin)).status_code == 401, "of no other route"
    assert get(app, "/monitor", headers={"Authorization": "Basic !"}).status_code == 401
    nobody = base64.b64encode(b"\xff\xfe").decode()
    assert get(app, "/monitor", headers={"Authorization": f"Basic {nobody}"}).status_code == 401

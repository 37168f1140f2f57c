"""The service's first page: says what a caller must know, and asks nobody for anything."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest
from pydantic import BaseModel

from mlops_assets.serving.first_page import first_page
from mlops_assets.use_cases import registry

URL = "http://127.0.0.1:3001"


def told(request: dict[str, Any], **overrides: Any) -> dict[str, Any]:
    """What a service says of itself."""
    return {
        "use_case": "parcels",
        "title": "Late <parcels>",
        "description": "Will it be late?",
        "owner": "team:toys",
        "model_version": "2013-06-30-3fa9c1d2",
        "threshold": 0.25,
        "positive_means": "late",
        "request": request,
        "history": {"as_of": "2013-07-01", "commit": "c0ffee"},
        **overrides,
    }


def asked(page: str) -> dict[str, Any]:
    """The body that the page's example sends."""
    shown = re.search(r"<pre><code>(.*?)</code></pre>", page, flags=re.DOTALL)
    assert shown
    plain = shown[1].replace("&quot;", '"').replace("&#x27;", "'").replace("&amp;", "&").replace("\\\n", " ")
    words = shlex.split(plain)
    assert words[:3] == ["curl", "-s", f"{URL}/predict"]
    body: dict[str, Any] = json.loads(words[-1])
    return body


@pytest.mark.parametrize("name", registry.names())
def test_the_example_of_every_use_case_is_a_row_that_its_service_takes(name: str) -> None:
    use_case = registry.find(name)

    (row,) = asked(first_page(told(use_case.request.model_json_schema()), url=URL))["rows"]

    assert use_case.request.model_validate(row)


def test_a_use_case_without_an_example_gets_one_of_the_right_kinds() -> None:
    class Row(BaseModel):
        number: int
        name: str
        note: str | None = None

    assert asked(first_page(told(Row.model_json_schema()), url=URL)) == {"rows": [{"number": 1, "name": "…"}]}


def test_what_a_use_case_says_of_itself_is_text_not_markup() -> None:
    page = first_page(told({"properties": {"<b>": {"type": "string", "description": "<script>"}}}), url=URL)

    assert "Late &lt;parcels&gt;" in page
    assert "<script>" not in page
    assert "<b>" not in page


def test_a_number_has_no_threshold_and_no_history_is_told_where_there_is_none() -> None:
    page = first_page(told({"properties": {}}, threshold=None, positive_means=None, history=None), url=URL)

    assert "from a score of" not in page
    assert "history known before" not in page

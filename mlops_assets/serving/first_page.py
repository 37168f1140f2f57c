"""The service's first page: what it predicts, how to ask, what comes back. One document that asks for nothing else.

Belongs here: words around what the service says of itself (``Predictor.describe``). It takes the place of BentoML's own
page, which loads a tag manager from the network.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from mlops_assets.serving.wire import Answer

PAGE_HEADERS = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"}
"""A browser that shows the page loads nothing for it, from anywhere."""
EXAMPLES: Mapping[str, object] = {"integer": 1, "number": 1.0, "boolean": True, "string": "…", "null": None}


def first_page(told: Mapping[str, Any], *, url: str, monitored: bool = False) -> str:
    """The page as HTML; ``told`` is what the service says of itself, ``url`` where it answers, without a slash.

    ``monitored`` says that there is a page of monitoring to go to.
    """
    fields = told["request"]["properties"]
    page = Template(Path(__file__).with_name("first_page.html").read_text(encoding="utf-8"))
    return page.substitute(
        title=escape(told["title"]),
        description=escape(told["description"]),
        facts="".join(f"<div><dt>{escape(name)}</dt><dd>{escape(fact)}</dd></div>" for name, fact in _facts(told)),
        monitor='<a href="/monitor">/monitor</a> how it does · ' if monitored else "",
        curl=escape(_curl(told["request"], url=url)),
        fields="".join(
            _row(name, _kind(field, needed=name in told["request"].get("required", ())), field.get("description", ""))
            for name, field in fields.items()
        ),
        answers="".join(_row(name, field.description or "") for name, field in Answer.model_fields.items()),
    )


def _facts(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = [("use case", told["use_case"]), ("model version", told["model_version"]), ("owner", told["owner"])]
    if told["positive_means"]:
        facts.append((f"{told['positive_means']} from a score of", f"{told['threshold']:.3g}"))
    if told["history"]:
        facts.append(("history known before", told["history"]["as_of"]))
    return facts


def _curl(request: Mapping[str, Any], *, url: str) -> str:
    body = json.dumps({"rows": [example_of(request)]}, ensure_ascii=False)
    return "\\\n  ".join(
        (f"curl -s {shlex.quote(url + '/predict')} ", "-H 'Content-Type: application/json' ", f"-d {shlex.quote(body)}")
    )


def example_of(request: Mapping[str, Any]) -> dict[str, object]:
    """The example that the use case declares, else one of the right kinds."""
    declared: dict[str, object] | None = request.get("example") or next(iter(request.get("examples", ())), None)
    if declared:
        return declared
    return {name: _value(field) for name, field in request["properties"].items() if name in request.get("required", ())}


def _value(field: Mapping[str, Any]) -> object:
    for said in ("example", "const", "default"):
        if said in field:
            return field[said]
    for several in ("examples", "enum"):
        if field.get(several):
            return field[several][0]
    if field.get("format") == "date-time":
        return "2026-01-01T08:30:00"
    return EXAMPLES.get(field.get("type", "string"), "…")


def _kind(field: Mapping[str, Any], *, needed: bool) -> str:
    """``integer, 1 to 9999``, ``one of EWR, JFK``, with ``optional`` where it may be left out."""
    kinds = [each for each in field.get("anyOf", [field]) if each.get("type") != "null"]
    parts = [_one_kind(each) for each in kinds]
    return ", ".join([" or ".join(parts), *([] if needed else ["optional"])])


def _one_kind(field: Mapping[str, Any]) -> str:
    if field.get("enum"):
        return "one of " + ", ".join(str(value) for value in field["enum"])
    kind = {"date-time": "date and time", "date": "date"}.get(field.get("format", ""), field.get("type", "any"))
    kind = "text" if kind == "string" else str(kind)
    low, high = field.get("minimum", field.get("exclusiveMinimum")), field.get("maximum", field.get("exclusiveMaximum"))
    if low is not None and high is not None:
        return f"{kind}, {low} to {high}"
    return f"{kind} like {field['pattern']}" if field.get("pattern") else kind


def _row(*cells: str) -> str:
    first, *rest = (escape(cell) for cell in cells)
    return f"<tr><td><code>{first}</code></td>{''.join(f'<td>{cell}</td>' for cell in rest)}</tr>"

"""What the service documents at ``/docs.json``: OpenAPI 3.1, made of the models that are checked and answered.

Belongs here: which statuses each route has, and what comes with them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.json_schema import models_json_schema

from mlops_assets.contract.use_case import UseCase
from mlops_assets.serving.asking import LONGEST_KEY
from mlops_assets.serving.first_page import example_of
from mlops_assets.serving.gate import MONITOR
from mlops_assets.serving.outcomes import Receipts, ToldOutcomes
from mlops_assets.serving.wire import Answers, Explanations, Refusal

REF = "#/components/schemas/"
JSON = "application/json"
REFUSED = {
    "400": "What was sent cannot be answered: the faults name row, field, value and rule",
    "401": "A key is needed, or this one is not known, has expired or was revoked",
    "403": "The key is not for this",
    "404": "There is no page of monitoring yet",
    "408": "The request did not arrive in time",
    "413": "Too many bytes, rows or levels",
    "415": "The body is no JSON, or compressed",
    "422": "Another request was answered under this id",
    "429": "This key asks too fast",
    "500": "The service failed at this request: its log says why, under the request's id",
    "503": "Nothing was answered, and nothing remembered: too many wait, or history or the log cannot be reached",
}
OF_ALL = ("401", "403", "429", "500", "503")
OF_BODIES = ("400", "408", "413", "415", *OF_ALL)
KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Repeating the same body under the same key gives the same answer, and remembers nothing twice",
    "schema": {"type": "string", "maxLength": LONGEST_KEY, "pattern": "^[ -~]*$"},
}
REQUEST_ID = {"X-Request-ID": {"description": "As the log calls this request", "schema": {"type": "string"}}}
RETRY_AFTER = {"Retry-After": {"description": "Seconds", "required": True, "schema": {"type": "integer", "minimum": 1}}}
OUTCOME = {"outcomes": [{"prediction_id": "00000000-0000-0000-0000-000000000000", "label": 1}]}


def openapi(use_case: UseCase, *, body: type[BaseModel]) -> dict[str, Any]:
    """The document of one use case's service; ``body`` is what ``/predict`` takes."""
    example = _valid({"rows": [example_of(use_case.request.model_json_schema())]}, body=body)
    predict = _post("Each row's answer, or what is wrong with it", body, Answers, example=example)
    predict["responses"] |= _refused("422")
    return {
        "openapi": "3.1.0",
        "info": {"title": use_case.title, "description": use_case.description, "version": "1"},
        "paths": {
            "/predict": {"post": predict | {"parameters": [KEY]}},
            "/explain": {
                "post": _post("What moved each row's score, and how far", body, Explanations, example=example)
            },
            "/outcomes": {"post": _post("What turned out to be true", ToldOutcomes, Receipts, example=OUTCOME)},
            "/model": {"get": _get("What is expected, and what answers", JSON, {"type": "object"}, refused=OF_ALL)},
            "/metrics": {"get": _get("For Prometheus", "text/plain", {"type": "string"}, refused=OF_ALL)},
            MONITOR: {"get": _get("The page of monitoring", "text/html", {"type": "string"}, refused=("404", *OF_ALL))},
            "/docs.json": {"get": _get("This document", JSON, {"type": "object"}) | {"security": []}},
        },
        "components": {
            "schemas": _schemas(asked=(body, ToldOutcomes), answered=(Answers, Explanations, Receipts, Refusal)),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"key": []}, {}],
    }


def _schemas(*, asked: tuple[type[BaseModel], ...], answered: tuple[type[BaseModel], ...]) -> Mapping[str, Any]:
    """What is asked may leave out what has a default; an answer has all its fields."""
    modes: list[tuple[type[BaseModel], Literal["validation", "serialization"]]] = [
        *((model, "validation") for model in asked),
        *((model, "serialization") for model in answered),
    ]
    _, definitions = models_json_schema(modes, ref_template=REF + "{model}")
    schemas: Mapping[str, Any] = definitions["$defs"]
    return schemas


def _valid(example: Mapping[str, Any], *, body: type[BaseModel]) -> Mapping[str, Any] | None:
    """The example if it would be answered: of a use case that declares none, it is made of kinds alone."""
    try:
        TypeAdapter(body).validate_json(json.dumps(example), strict=True)
    except ValidationError:
        return None
    return example


def _post(
    summary: str, asked: type[BaseModel], answered: type[BaseModel], *, example: Mapping[str, Any] | None
) -> dict[str, Any]:
    content = {"schema": {"$ref": REF + asked.__name__}} | ({"example": example} if example else {})
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": {JSON: content}},
        "responses": _answered(JSON, {"$ref": REF + answered.__name__}) | _refused(*OF_BODIES),
    }


def _get(summary: str, kind: str, schema: Mapping[str, Any], *, refused: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"summary": summary, "responses": _answered(kind, schema) | _refused(*refused)}


def _answered(kind: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"200": {"description": "Answered", "headers": REQUEST_ID, "content": {kind: {"schema": schema}}}}


def _refused(*statuses: str) -> dict[str, Any]:
    content = {JSON: {"schema": {"$ref": REF + Refusal.__name__}}}
    later = dict.fromkeys(("429", "503"), RETRY_AFTER)
    return {
        status: {
            "description": REFUSED[status],
            "headers": REQUEST_ID | later.get(status, {}),
            "content": content,
        }
        for status in statuses
    }

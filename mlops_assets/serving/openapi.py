"""What the service documents of itself at ``/docs.json``: OpenAPI 3.1, of the models that are checked and answered."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from mlops_assets.contract.use_case import UseCase
from mlops_assets.serving.first_page import example_of
from mlops_assets.serving.outcomes import Receipts, ToldOutcomes
from mlops_assets.serving.wire import Answers, Explanations, Refusal

REF = "#/components/schemas/"
REFUSED = {
    "400": "What was sent cannot be answered: the faults name row, field, value and rule",
    "401": "A key is needed, or this one is not known, has expired or was revoked",
    "403": "The key is not for this",
    "408": "The request did not arrive in time",
    "413": "Too many bytes, rows or levels",
    "415": "The body is no JSON",
    "422": "Another request was answered under this id",
    "429": "This key asks too fast: Retry-After says when to come again",
    "503": "Nothing was answered, and nothing remembered: try again after Retry-After",
}


def openapi(use_case: UseCase, *, body: type[BaseModel]) -> dict[str, Any]:
    """The document of one use case's service; ``body`` is what ``/predict`` takes."""
    models = (body, Answers, Explanations, ToldOutcomes, Receipts, Refusal)
    _, definitions = models_json_schema([(model, "validation") for model in models], ref_template=REF + "{model}")
    example = {"rows": [example_of(use_case.request.model_json_schema())]}
    key = {"name": "Idempotency-Key", "in": "header", "required": False, "schema": {"type": "string", "maxLength": 200}}
    return {
        "openapi": "3.1.0",
        "info": {"title": use_case.title, "description": use_case.description, "version": "1"},
        "paths": {
            "/predict": {
                "post": _asking("Each row's answer, or what is wrong with it", body, Answers, example=example)
                | {"parameters": [key]}
            },
            "/explain": {
                "post": _asking("What moved each row's score, and how far", body, Explanations, example=example)
            },
            "/outcomes": {
                "post": _asking(
                    "What turned out to be true",
                    ToldOutcomes,
                    Receipts,
                    example={"outcomes": [{"prediction_id": "00000000-0000-0000-0000-000000000000", "label": 1}]},
                )
            },
            "/model": {"get": {"summary": "What is expected, and what answers", "responses": _responses(None)}},
        },
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"key": []}, {}],
    }


def _asking(summary: str, asked: type[BaseModel], answered: type[BaseModel], *, example: object) -> dict[str, Any]:
    content = {"schema": {"$ref": REF + asked.__name__}, "example": example}
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": {"application/json": content}},
        "responses": _responses(answered),
    }


def _responses(answered: type[BaseModel] | None) -> dict[str, Any]:
    schema = {"$ref": REF + answered.__name__} if answered else {"type": "object"}
    good = {"200": {"description": "Answered", "content": {"application/json": {"schema": schema}}}}
    refused = {"application/json": {"schema": {"$ref": REF + Refusal.__name__}}}
    return good | {status: {"description": said, "content": refused} for status, said in REFUSED.items()}

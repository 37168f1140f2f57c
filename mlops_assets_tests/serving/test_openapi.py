"""The document of a service: made of what is checked and answered. Over HTTP it is held in ``test_documents.py``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import BaseModel, Field

from mlops_assets.contract.monitoring import MonitoringPlan
from mlops_assets.contract.use_case import UseCase
from mlops_assets.serving.asking import Asking
from mlops_assets.serving.openapi import REFUSED, openapi
from mlops_assets_tests.serving.factories import PARCELS
from mlops_assets_tests.serving.toys.quiet import USE_CASE as QUIET


def document(use_case: UseCase) -> dict[str, Any]:
    return openapi(use_case, body=Asking(use_case, most_rows=7).body)


def asked(docs: dict[str, Any], path: str = "/predict") -> dict[str, Any]:
    content: dict[str, Any] = docs["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    return content


def test_a_request_is_documented_with_the_use_cases_own_fields_and_bounds() -> None:
    schemas = document(PARCELS)["components"]["schemas"]

    assert set(schemas["ParcelRequest"]["properties"]) == {"depot", "weight", "sent_at", "sender"}
    assert schemas["ParcelRequest"]["properties"]["depot"]["description"] == "Where it is sent from"
    assert schemas["ParcelRequest"]["additionalProperties"] is False
    assert schemas["Ask"]["properties"]["rows"]["maxItems"] == 7


def test_an_answer_has_all_its_fields_and_a_refusal_one_shape() -> None:
    docs = document(PARCELS)
    schemas = docs["components"]["schemas"]

    for name in ("Answer", "FaultyRow", "Fault", "Refusal", "Contributions", "Receipt"):
        assert set(schemas[name]["required"]) == set(schemas[name]["properties"])
        assert schemas[name]["additionalProperties"] is False
    for path in docs["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                if status in REFUSED:
                    told = response["content"]["application/json"]["schema"]
                    assert told == {"$ref": "#/components/schemas/Refusal"}


def test_the_declared_example_is_shown_else_one_of_the_right_kinds() -> None:
    assert asked(document(PARCELS))["example"]["rows"] == [
        {"depot": "EWR", "weight": 2.5, "sent_at": "2013-07-01T08:30:00"}
    ]
    assert asked(document(QUIET), "/explain")["example"]["rows"] == [{"age": 1, "job": "clerk"}]


def test_an_example_that_would_be_refused_is_not_shown() -> None:
    class Sent(BaseModel):
        code: str = Field(pattern="^[0-9]{7}$")

    assert "example" not in asked(document(replace(QUIET, request=Sent, monitoring=MonitoringPlan())))

"""A source says how it lands; a declaration that cannot work is refused with the reason."""

from __future__ import annotations

from typing import Any

import pytest

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.source import Cadence
from mlops_assets_tests.features.readings import make_source


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ({"name": "Readings of day"}, "small letters"),
        ({"name": "../readings"}, "small letters"),
        ({"delimiter": ";;"}, "one character"),
        ({"delimiter": '"'}, "one character"),
        ({"max_quarantined_share": 1.0}, "0 or more and below 1 is needed"),
        ({"max_quarantined_share": float("nan")}, "0 or more and below 1 is needed"),
        ({"refused_times": 1.0}, "refused_times of Source readings is 1.0; a number above 1"),
        ({"refused_times": float("nan")}, "refused_times of Source readings is nan; a number above 1"),
        ({"max_file_bytes": 0}, "max_file_bytes of Source readings is 0; a number above 0"),
        ({"batch_day": ("date",)}, "unknown columns .* Columns: day, sensor"),
        ({"batch_day": ()}, "is daily: batch_day must be"),
        ({"batch_day": ("sensor",)}, "is daily: batch_day must be"),
        ({"cadence": Cadence.STATIC}, "daily, weekly and monthly sources only"),
        ({"null_values": {"sensr": ("NA",)}}, r"unknown columns \['sensr'\] in null_values. Columns: day, sensor"),
    ],
)
def test_wrong_declaration_is_refused(overrides: dict[str, Any], reason: str) -> None:
    with pytest.raises(DeclarationError, match=reason):
        make_source(**overrides)


@pytest.mark.parametrize(
    ("cadence", "batch", "valid"),
    [
        (Cadence.DAILY, "2024-02-29", True),
        (Cadence.DAILY, "2023-02-29", False),
        (Cadence.DAILY, "20240229", False),
        (Cadence.DAILY, "2024-2-9", False),
        (Cadence.DAILY, "../2024-02-29", False),
        (Cadence.STATIC, "all", True),
        (Cadence.STATIC, "2024-02-29", False),
        (Cadence.NAMED, "drop-17_b", True),
        (Cadence.NAMED, "..", False),
        (Cadence.NAMED, "a/b", False),
        (Cadence.NAMED, "", False),
        (Cadence.NAMED, "a\n", False),
    ],
)
def test_batch_names_follow_the_cadence(cadence: Cadence, batch: str, valid: bool) -> None:
    days = ("day",) if cadence is Cadence.DAILY else ()
    fault = make_source(cadence=cadence, batch_day=days).batch_fault(batch)
    assert (fault is None) == valid

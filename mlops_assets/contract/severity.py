"""How grave a finding is: what it does to the publication of what it was found in."""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """ERROR stops publication; WARN is shown and recorded, and publication goes on."""

    ERROR = "ERROR"
    WARN = "WARN"

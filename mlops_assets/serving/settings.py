"""What an operator may set of a service, each by an environment variable with a default that is safe."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

from mlops_assets.contract.errors import ServingError

PREFIX = "MLOPS_SERVICE_"


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """``MLOPS_SERVICE_WORKERS`` and so on, by the names here.

    ``workers`` are processes that answer side by side. A request has at most ``max_rows`` rows and ``max_bytes`` bytes;
    ``max_waiting`` requests and ``max_waiting_rows`` rows may wait for their turn; beyond them requests are refused at
    once.
    ``budget_ms`` is what a request may take: what is not answered by then is refused and not remembered.
    ``body_timeout_ms`` is how long a caller may take to send a request. After ``watch_ms`` the service looks
    again which version it shall answer with.
    """

    workers: int = 1
    max_rows: int = 1_000
    max_bytes: int = 1_048_576
    max_waiting: int = 500
    max_waiting_rows: int = 20_000
    budget_ms: int = 5_000
    body_timeout_ms: int = 10_000
    watch_ms: int = 1_000

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """As set in ``environ``; ServingError naming what is no whole number above zero."""
        told = {field.name: environ.get(PREFIX + field.name.upper(), "") for field in fields(cls)}
        for name, text in told.items():
            if text and not (text.isascii() and text.isdigit() and int(text) > 0):
                raise ServingError(f"{PREFIX}{name.upper()} is '{text}': a whole number above zero is needed.")
        return cls(**{name: int(text) for name, text in told.items() if text})

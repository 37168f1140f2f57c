"""What the service of a use case may cost, as declared. Measuring it is in ``steps/rehearse.py``."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from mlops_assets.contract.errors import DeclarationError


@dataclass(frozen=True, kw_only=True)
class ServiceBudget:
    """What a Bento must keep within before it may become champion.

    ``milliseconds`` bounds the median time of a request of one row from this machine, asked one after the other;
    ``megabytes`` the memory of the supervisor and one worker after that. The defaults leave a busy machine room.
    """

    milliseconds: float = 250.0
    megabytes: float = 1000.0

    def __post_init__(self) -> None:
        for each in fields(self):
            bound = getattr(self, each.name)
            if not (math.isfinite(bound) and bound > 0):
                raise DeclarationError(f"A ServiceBudget's {each.name} is {bound}: a number above zero is needed.")

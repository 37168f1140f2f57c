"""What a person says of batches that were unusual: that they are the new usual. A small document in the lake."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, model_validator


class Acceptance(BaseModel):
    """The batches from ``first`` to ``last``, both included, count as usual again in these ``sources``."""

    model_config = ConfigDict(frozen=True)

    use_case: str
    sources: tuple[str, ...]
    first: str
    last: str
    reason: str
    by: str
    at: datetime

    @model_validator(mode="after")
    def _says_why(self) -> Acceptance:
        if not self.reason.strip():
            raise ValueError("An acceptance needs a reason: others will ask why these batches are usual.")
        if self.first > self.last:
            raise ValueError(f"The first batch {self.first} is later than the last {self.last}.")
        return self

    def covers(self, batch: str, *, source: str) -> bool:
        """Whether this batch of this source is accepted."""
        return source in self.sources and self.first <= batch <= self.last

    def to_bytes(self) -> bytes:
        """As it is kept in the lake: JSON that people can read, too."""
        return self.model_dump_json(indent=1).encode()

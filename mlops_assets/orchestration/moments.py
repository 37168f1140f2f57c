"""When a run happens: now, unless it is played back and says which moment it plays."""

from collections.abc import Mapping
from datetime import UTC, datetime

MOMENT = "mlops/moment"
"""The run tag of a replay: the moment that the run plays, ISO 8601 with a zone."""


def moment_of(tags: Mapping[str, str]) -> datetime:
    """The moment of a run with these tags, in UTC."""
    told = tags.get(MOMENT)
    return datetime.fromisoformat(told).astimezone(UTC) if told else datetime.now(UTC)

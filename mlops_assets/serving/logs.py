"""The service's log: one JSON object a line on stderr, with what every line says of the service.

A line's message is the name of an event; what else is known is given as ``extra={"fields": {...}}``. BentoML's own
lines stay as they are.
"""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON, an exception's traceback within it."""

    def __init__(self, *, use_case: str) -> None:
        super().__init__()
        self._use_case = use_case

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "use_case": self._use_case,
            "process": os.getpid(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def write_json_lines(*, use_case: str) -> None:
    """From now on what the platform logs in this process goes to stderr as JSON, from INFO on."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines(use_case=use_case))
    ours = logging.getLogger("mlops_assets")
    ours.handlers, ours.propagate = [handler], False
    ours.setLevel(logging.INFO)

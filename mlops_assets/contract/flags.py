"""What an answer is flagged with: the kinds of flags there are, whatever a caller made up stands behind them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

UNKNOWN, NO_HISTORY, OTHER_DAY, OTHER = "unknown", "no history", "history is as of", "other"
"""A category the model never saw, an entity without history, history of another day than the event's; or none of
these."""
KINDS = (UNKNOWN, NO_HISTORY, OTHER_DAY, OTHER)


def kinds_of(flags: pa.Array) -> pa.Array:
    """What of each flag is the same for all rows: the one of ``KINDS`` that it begins with."""
    kinds = pa.repeat(OTHER, len(flags))
    for kind in (OTHER_DAY, NO_HISTORY, UNKNOWN):
        kinds = pc.if_else(pc.starts_with(flags, kind), kind, kinds)
    return kinds

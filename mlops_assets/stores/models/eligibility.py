"""Whether a version can answer today's rows, and may be judged on them.

It needs its own columns, and must not have learnt from the rows that judge it. How it does on them is in
``judge/judgement.py``, whether that is good enough in ``gate_decision.py`` there.
"""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa

from mlops_assets.contract.use_case import UseCase
from mlops_assets.stores.models.record import ModelRecord
from mlops_assets.training.fit import split_view
from mlops_assets.training.scoring import Scorer


def why_not_answered(
    record: ModelRecord, scorer: Scorer, *, columns: Collection[str], place: str = "today's features"
) -> str:
    """Why the version cannot score rows with these columns, which are those of ``place``; empty if it can."""
    gone = ", ".join(f"'{name}'" for name in scorer.lacking(columns))
    if not gone:
        return ""
    return (
        f"{record.version} needs column {gone}, which is not in {place} of {record.use_case}: bring it back, or "
        f"promote a version that does without, with --override where the two cannot be compared"
    )


def why_not_judged(record: ModelRecord, scorer: Scorer, *, view: pa.Table, use_case: UseCase) -> str:
    """Why the version's answers to the test rows of ``view`` would prove nothing; empty if they do."""
    if lacking := why_not_answered(record, scorer, columns=view.column_names, place="today's training view"):
        return lacking
    last = max((part.last for name, part in record.split.items() if name != "test" and part.last), default=None)
    tested_from = split_view(view, use_case=use_case).test.first
    if last is not None and tested_from is not None:
        seen = f"has learnt from days up to {last}, and the test rows of today's training view begin on {tested_from}"
        told = f"{record.version} {seen}: it would be judged on what it has seen. "
        return f"{told}Materialise a training view of later days first" if last >= tested_from else ""
    if record.declared_split in ("", str(use_case.split)):
        return ""
    return (
        f"{record.version} was trained on a split by {record.declared_split}, and {use_case.name} declares "
        f"{use_case.split} now: some test rows are rows it has learnt from. Declare its split again, or train anew"
    )

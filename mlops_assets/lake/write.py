"""A write as it names itself: the stage branch's name, and the message and metadata of its commits.

Doing the write is in ``publishing.py``.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlops_assets.contract.checks import CheckResult

STAGE_PREFIX = "stage-"
STAGE_NAME = re.compile(rf"{STAGE_PREFIX}.*-(?P<made>[0-9a-f]{{8}})[0-9a-f]{{4}}")
AUDIT_KEY, PASSED, FAILED = "audit", "passed", "failed"

_LISTED_PARTITIONS = 31
_LISTED_FAILURES = 20
_LISTED_REASONS = 5
_REASON_LENGTH = 500


@dataclass(frozen=True, kw_only=True)
class Write:
    """Who writes what and why; it becomes the metadata of the staged and of the merge commit."""

    use_case: str
    asset: str
    partitions: tuple[str, ...] = ()
    run_id: str = ""
    code_version: str = ""
    git_commit: str = ""
    message: str = ""


def stage_name(write: Write) -> str:
    """`stage-<use case>-<asset>-<first 8 of run id>-<the second it was made, hex><4 random hex>`.

    The time in the name tells an old branch even when nothing was committed to it.
    """
    made = f"{int(time.time()):08x}{secrets.token_hex(2)}"
    parts = (write.use_case, write.asset, write.run_id[:8] or "norun", made)
    return STAGE_PREFIX + "-".join(re.sub(r"[^A-Za-z0-9_]+", "_", part) for part in parts)


def message_of(write: Write) -> str:
    """The message given, or use case, asset and partition (their number when they are many)."""
    if write.message:
        return write.message
    count = len(write.partitions)
    span = f" {write.partitions[0]}" if count == 1 else f" {count} partitions" if count else ""
    return f"{write.use_case}/{write.asset}{span}"


def metadata_of(
    write: Write, *, audits: Sequence[CheckResult] | None = None, staged: str | None = None
) -> dict[str, str]:
    """What a commit of this write says about it, text by text as lakeFS keeps it, empty texts left out.

    ``audits`` adds the verdict (``audit`` is passed or failed), ``staged`` the id of the commit it was given
    on.
    """
    metadata = {
        "use_case": write.use_case,
        "asset": write.asset,
        "run_id": write.run_id,
        "code_version": write.code_version,
        "git_commit": write.git_commit,
        **_partitions(write.partitions),
    }
    if audits is not None:
        metadata[AUDIT_KEY] = FAILED if any(check.blocks for check in audits) else PASSED
        metadata["verdict"] = json.dumps(_verdict(audits), sort_keys=True)
    if staged is not None:
        metadata["staged_commit"] = staged
    return {key: value for key, value in metadata.items() if value}


def refusal_of(audits: Sequence[CheckResult], *, branch: str) -> str:
    """Why a write was not published, and where it is kept, as a person wants to read it."""
    failed = [check for check in audits if check.blocks]
    reasons = "; ".join(f"{_label(check)}: {' '.join(check.reasons)}" for check in failed[:_LISTED_FAILURES])
    more = f" (and {len(failed) - _LISTED_FAILURES} more)" if len(failed) > _LISTED_FAILURES else ""
    return f"Not published: {reasons}{more}. What was written is kept on branch '{branch}'."


def _partitions(partitions: Sequence[str]) -> dict[str, str]:
    if not partitions:
        return {}
    summary = {
        "partition_first": min(partitions),
        "partition_last": max(partitions),
        "partition_count": str(len(partitions)),
    }
    return {"partitions": ",".join(partitions)} | summary if len(partitions) <= _LISTED_PARTITIONS else summary


def _verdict(audits: Sequence[CheckResult]) -> dict[str, Any]:
    """The counts, and the first failures with their reasons; figures of what passed are Dagster's to keep."""
    failed = [check for check in audits if not check.passed]
    return {
        "checks": len(audits),
        "errors": sum(check.blocks for check in failed),
        "warnings": sum(not check.blocks for check in failed),
        "failed": [
            {
                "name": check.name,
                "severity": check.severity.value,
                "batch": check.batch,
                "reasons": [reason[:_REASON_LENGTH] for reason in check.reasons[:_LISTED_REASONS]],
            }
            for check in failed[:_LISTED_FAILURES]
        ],
    }


def _label(check: CheckResult) -> str:
    return check.name if check.batch is None else f"{check.name}[{check.batch}]"

"""Classes of which there are too few rows to be learnt or judged: told with their counts, and nothing fails for them.

Every figure of such a class says what it lacks; only a gate that asks for that figure refuses the version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mlops_assets.contract.arrays import Floats
from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.severity import Severity
from mlops_assets.judge.estimate import ENOUGH_OF_SHARES
from mlops_assets.training.splitting import Split

CLASSES_SUFFICE = "every_class_can_be_learnt_and_judged"
LEARNT, JUDGED = "train", "test"


def class_rows(labels: Floats, *, split: Split, classes: Sequence[str]) -> dict[str, dict[str, int]]:
    """By part of the split, how many rows each class has."""
    return {
        part.name: dict(
            zip(classes, np.bincount(labels[part.rows].astype(np.int64), minlength=len(classes)).tolist(), strict=True)
        )
        for part in split.parts
    }


def audit_classes(counts: Mapping[str, Mapping[str, int]]) -> CheckResult:
    """``CLASSES_SUFFICE``, as a check that warns of each class without rows to learn from, or too few to be judged."""
    enough = ENOUGH_OF_SHARES["rows"]
    reasons = [
        f"Class '{word}' has {', '.join(f'{counts[part][word]:,} {part} rows' for part in counts)}: "
        + ("it is never learnt" if not counts[LEARNT][word] else "it is learnt")
        + (f", and cannot be judged by itself, which needs {enough}." if counts[JUDGED][word] < enough else ".")
        for word in counts.get(LEARNT, {})
        if not counts[LEARNT][word] or counts[JUDGED][word] < enough
    ]
    return CheckResult(
        name=CLASSES_SUFFICE,
        passed=not reasons,
        severity=Severity.WARN,
        figures={"classes": len(counts.get(LEARNT, {})), "too_few_rows": len(reasons)},
        reasons=tuple(reasons),
    )

"""Small files with visible properties, and what is seen in them."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mlops_assets.watch.drafting.columns import Look, look_at
from mlops_assets.watch.drafting.findings import Finding, Grade
from mlops_assets.watch.drafting.proposal import Answers, Proposal, propose
from mlops_assets.watch.validation.schema_draft import read_landed


def write_table(path: Path, columns: Mapping[str, Sequence[object]]) -> Path:
    """A CSV file with a header; ``columns`` by name, as long as each other."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def seen_in(path: Path, text: str | Mapping[str, Sequence[object]], *, encoding: str = "utf-8") -> Look:
    """What is seen in a file with this text, or these columns."""
    if isinstance(text, str):
        path.write_bytes(text.encode(encoding))
    else:
        write_table(path, text)
    return look_at(read_landed([path]))


def proposed(seen: Look, label: str, **answers: object) -> Proposal:
    """What is proposed without further questions."""
    return propose(seen, Answers(label=label, **answers))  # type: ignore[arg-type]


def looks(findings: Sequence[Finding]) -> str:
    """What should be looked at, a line each."""
    return "\n".join(each.says for each in findings if each.grade is Grade.LOOK)


def outcomes(rows: int, *, share: float = 0.3, seed: int = 0) -> tuple[list[int], list[float]]:
    """Labels of 0 and 1, and a measure that tells something of them."""
    chance = np.random.default_rng(seed)
    labels = (chance.random(rows) < share).astype(int)
    measure = np.round(labels + chance.normal(0, 1.2, rows), 3)
    return labels.tolist(), measure.tolist()

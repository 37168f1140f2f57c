"""What is written down about a model version and about the decision on it: the record that everything traces
back to.

Only the documents and their names in the lake. Reading and writing whole versions is in ``registry.py``, the
champion's pointer in ``champion.py``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date
from typing import Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from mlops_assets.contract.errors import RegistryError
from mlops_assets.contract.gates import Gate
from mlops_assets.contract.paths import RECORD as RECORD
from mlops_assets.judge.gate_decision import GateDecision

LEARNING_CURVE = "learning_curve.json"
REPORT = "report.json"
COMPARISON = "comparison.json"
BESIDE = "champion_report.json"
"""What the champion reached on the rows that the version was judged on, as far as bounds look at it."""
PREDICTIONS = "predictions.parquet"
DECISION = "decision.json"


D = TypeVar("D", bound="Document")


class Document(BaseModel):
    """A JSON file of the registry: immutable, and refused when it holds a field this code does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def to_json(self) -> bytes:
        return self.model_dump_json(indent=1).encode()


class PartRecord(Document):
    """One part of the split: how many rows and positives, and from which days, if any."""

    rows: int
    positives: int
    first: date | None = None
    last: date | None = None


class TuningRecord(Document):
    """Which search hyperparameters came from: the file in the lake at the commit it was read from, and the search's
    id there.
    """

    path: str
    commit: str
    study: str


class ModelRecord(Document):
    """Everything a model version came from; it never changes once written.

    ``data_commit`` is the lakeFS commit its training view was read from, ``first_batch`` and ``last_batch``
    the batches in it; ``code_version`` fingerprints the code that decides results, ``feature_files`` each file of the
    use case's folder by itself. ``files`` has the SHA-256 of every other file of the version. ``metrics`` are those of
    training itself; how the model did on test rows is in its evaluation. ``tuning`` is ``None`` where hyperparameters
    are as declared. ``declared_split`` is what the use case declared, empty in records from before it was written down.
    ``refit_of`` is the judged version whose recipe was learnt once more from all rows.
    """

    schema_version: Literal[1] = 1
    use_case: str
    version: str
    created_at: AwareDatetime
    git_commit: str
    git_dirty: bool
    git_diff_hash: str = ""
    code_version: str
    data_commit: str
    first_batch: str
    last_batch: str
    hyperparameters: dict[str, int | float | str]
    rounds: int
    early_stopping_rounds: int
    best_round: int
    seed: int
    threads: int
    libraries: dict[str, str]
    split: dict[str, PartRecord]
    declared_split: str = ""
    threshold: float
    metrics: dict[str, float]
    parent: str | None = None
    refit_of: str | None = None
    started_by: str
    seconds: float
    tuning: TuningRecord | None = None
    feature_files: dict[str, str] = {}
    files: dict[str, str] = {}

    @property
    def hyperparameters_from(self) -> str:
        """Who chose the hyperparameters: the use case, or which search."""
        found = self.tuning
        return f"tuned: {found.path} at {found.commit[:16]}, search {found.study}" if found else "as declared"


class DecisionRecord(Document):
    """The gates' decision on a version, against which ``champion`` (``None`` if there was none) it was taken,
    and the SHA-256 of the evaluation files it was taken from.

    ``record`` is the SHA-256 of the version's ``record.json`` as it was then, ``gates`` what was declared
    (``as_declared``); both are ``None`` in decisions from before they were written down. A refit is ``judged_on`` what
    was served while it was a shadow, and by the gates that compare alone.
    """

    schema_version: Literal[1] = 1
    use_case: str
    version: str
    decided_at: AwareDatetime
    champion: str | None
    files: dict[str, str]
    decision: GateDecision
    record: str | None = None
    gates: tuple[str, ...] | None = None
    judged_on: Literal["test", "shadow"] = "test"


def as_declared(gates: Sequence[Gate]) -> tuple[str, ...]:
    """Every gate with what was set for it: equal texts demand the same."""

    def told(gate: Gate) -> str:
        values = {
            each.name: getattr(gate, each.name) for each in fields(gate) if getattr(gate, each.name) != each.default
        }
        return f"{type(gate).__name__}({', '.join(f'{name}={value}' for name, value in values.items())})"

    return tuple(map(told, gates))


def version_of(recipe: Mapping[str, object], *, last_batch: str) -> str:
    """The id of the version that ``recipe`` (code, data, hyperparameters, seed, as JSON values) gives.

    The same recipe always has the same id: ``2013-06-30-3fa9c1d2``.
    """
    text = json.dumps(recipe, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"{last_batch}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def read_document(kind: type[D], text: bytes, *, path: str) -> D:
    """The document in ``text``. Raises RegistryError naming ``path`` and what is wrong with it."""
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RegistryError(f"'{path}' is not a valid {kind.__name__}: {where}: {first['msg']}") from error


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

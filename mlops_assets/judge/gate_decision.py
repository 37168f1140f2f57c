"""The one function that decides by the gates a use case declares, and the decision that is kept.

How each gate is judged is in ``gate_verdicts.py``, moving the champion's pointer by a decision in
``stores/models/champion.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.errors import DeclarationError, EvaluationError
from mlops_assets.contract.gates import Gate
from mlops_assets.judge.absolute_bounds import without_false_protection
from mlops_assets.judge.gate_verdicts import verdict_on
from mlops_assets.judge.report import EvaluationReport
from mlops_assets.judge.significance import Comparison


@dataclass(frozen=True, kw_only=True)
class GateDecision:
    """Whether the model may be promoted: one verdict per gate, and the reasons of all that failed.

    ``opponent`` is who it was compared with, ``None`` if nobody. A failed gate of severity WARN does not stop
    promotion.
    """

    passed: bool
    verdicts: tuple[CheckResult, ...]
    reasons: tuple[str, ...]
    opponent: str | None = None

    def to_json(self) -> bytes:
        return TypeAdapter(GateDecision).dump_json(self, indent=1)

    @classmethod
    def from_json(cls, text: bytes | str) -> GateDecision:
        """Raises EvaluationError when the text is no decision."""
        try:
            return TypeAdapter(GateDecision).validate_json(text)
        except ValueError as error:
            raise EvaluationError(f"Not a gate decision: {error}") from error


def decide(
    report: EvaluationReport,
    gates: Sequence[Gate],
    *,
    comparison: Comparison | None = None,
    previous: EvaluationReport | None = None,
    beside: EvaluationReport | None = None,
) -> GateDecision:
    """Judges ``report``, and ``comparison`` where a gate asks for it, by every gate.

    ``previous`` is the champion's report: a segment or group that had enough rows there and is gone here fails
    its gate. ``beside`` is what the champion reaches on the rows that ``report`` is on: a bound that it breaks there
    only warns whoever is ahead of it (``absolute_bounds.py``). Fails closed: no gates, or a figure that is missing, NaN
    or on too few rows, is a failure with a reason. Raises DeclarationError when two gates share a name.
    """
    names = [gate.name for gate in gates]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DeclarationError(f"Gates declared twice: {', '.join(twice)}. Put both bounds into one gate.")
    verdicts = tuple(verdict_on(gate, report=report, comparison=comparison, previous=previous) for gate in gates)
    if beside is not None and comparison is not None and not comparison.baseline:
        verdicts = without_false_protection(verdicts, gates, report=report, champion=beside, comparison=comparison)
    reasons = [reason for verdict in verdicts for reason in verdict.reasons if not verdict.passed]
    if not gates:
        reasons.append("No gates are declared: nothing says that this model is good enough.")
    return GateDecision(
        passed=bool(gates) and not any(verdict.blocks for verdict in verdicts),
        verdicts=verdicts,
        reasons=tuple(reasons),
        opponent=None if comparison is None else comparison.opponent,
    )

"""What our pages share: the frame of a self-contained document, and how a figure is written.

What stands on a page belongs in a module of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from mlops_assets.contract.gates import Gate, NotWorseThanChampion
from mlops_assets.judge.estimate import Estimate
from mlops_assets.judge.significance import Difference, Verdict

WRITTEN = {"roc auc": "ROC AUC", "f1": "F1", "brier": "Brier"}
ARROWS = {True: "↑", False: "↓", None: ""}


def document(title: str, *, styles: str, body: str, script: str) -> str:
    """One HTML document that asks for nothing else; ``styles`` is a file beside this one, used on top of ``page``."""
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title><style>{css_of("page", styles)}</style></head>
<body>{body}
<script>{script}</script></body></html>
"""


def css_of(*names: str) -> str:
    """The style sheets of these names beside this file, one after the other."""
    return "".join(Path(__file__).with_name(f"{name}.css").read_text(encoding="utf-8") for name in names)


def words(name: str) -> str:
    """``roc_auc_score`` as people write it."""
    text = name.replace("_", " ")
    for plain, written in WRITTEN.items():
        text = text.replace(plain, written)
    return text


def value_of(estimate: Estimate | None) -> str:
    """The value, or a dash."""
    return "–" if estimate is None or estimate.value is None else f"{estimate.value:.4f}"


def interval_of(estimate: Estimate) -> str:
    """The interval, or what it lacks, as HTML; nothing for a point."""
    if estimate.value is None:
        return f'<small class="lacking">{escape(estimate.shortfall or "")}</small>'
    if estimate.lower is None:
        return ""
    return f"<small>{number(estimate.lower)}&nbsp;–&nbsp;{number(estimate.upper)}</small>"


def verdict_of(found: Difference, *, gates: Sequence[Gate]) -> str:
    """The verdict within the margin that ``gates`` allow for the metric; without one, whether a difference is shown."""
    allowed = [each.margin for each in gates if isinstance(each, NotWorseThanChampion) and each.metric == found.metric]
    verdict = found.verdict(margin=min(allowed, default=0.0))
    if allowed and verdict is Verdict.NOT_WORSE:
        return f"{verdict.value} of {min(allowed):g}"
    unsure = verdict is Verdict.NOT_ENOUGH_ROWS and found.gain is not None
    return "no difference shown" if unsure and not allowed else verdict.value


def number(value: float | int | str | bool | None) -> str:
    """Four decimals, or thousands told apart; anything else as it is."""
    return f"{value:.4f}" if isinstance(value, float) else f"{value:,}" if type(value) is int else str(value)

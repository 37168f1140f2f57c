"""How right answers will turn out to be, by their scores alone, and how far such estimates were off so far.

For calibrated chances everything follows from the expected counts (confidence-based estimation). What it cannot see is
a change of what follows from the same inputs: so estimates are written down at once and scored when outcomes come.
For numbers the loss is estimated directly, from held-out rows with scores alike.

Intervals hold the figure of the same rows if outcomes come independently at their chances. ``held_out`` rows that the
chances were calibrated on add the calibration's own error: as if it moved every row's chance its worst way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from mlops_assets.contract.arrays import Floats
from mlops_assets.contract.errors import EvaluationError
from mlops_assets.judge.intervals import CONFIDENCE, quantile
from mlops_assets.watch.served.report import Estimated

_SMALLEST = 1e-7
_BINS = 10
_Z = float(quantile(np.array([np.inf]), confidence=CONFIDENCE)[0])


def estimate_binary(scores: Floats, *, decided: Floats, held_out: int | None = None) -> tuple[Estimated, ...]:
    """Metrics of two outcomes, from calibrated ``scores`` of shape (rows,) and what they decided (0 or 1).

    A metric that is not defined on these rows, such as the precision of no positives, is left out.
    """
    scores = _in_order(scores)
    chance = np.clip(scores, _SMALLEST, 1 - _SMALLEST)
    n, expected, hits = len(chance), float(chance.sum()), float((chance * decided).sum())
    odds, ones = np.asarray(logit(chance)), np.ones(len(chance))
    f1 = 2 * hits / max(float(decided.sum()) + expected, _SMALLEST)
    found: dict[str, tuple[float, Floats]] = {
        "log_loss": (float(-np.mean(chance * np.log(chance) + (1 - chance) * np.log1p(-chance))), -odds / n),
        "brier_loss": (float(np.mean(chance * (1 - chance))), (1 - 2 * chance) / n),
        "positive_rate": (expected / n, ones / n),
        "accuracy_score": (float(np.mean(np.where(decided == 1, chance, 1 - chance))), (2 * decided - 1) / n),
        "recall_score": (hits / expected, (decided - hits / expected) / expected),
        "f1_score": (f1, (2 * decided - f1) / max(float(decided.sum()) + expected, _SMALLEST)),
    }
    if decided.any():
        found["precision_score"] = (hits / float(decided.sum()), decided / decided.sum())
    if n > 1:
        found["roc_auc_score"] = expected_area(chance)
    return tuple(
        _estimated(name, float(value), moves=moves, chance=chance, held_out=held_out)
        for name, (value, moves) in found.items()
    )


def expected_area(chance: Floats) -> tuple[float, Floats]:
    """The expected area under the ROC curve of rows ordered by their chance, and how far each outcome moves it.

    Pairs of different rows only: counting each row among its own opponents makes few rows come out too low.
    """
    misses = 1 - chance
    passed_misses, passed_hits = _below(chance, of=misses), _below(chance, of=chance)
    above_misses = passed_misses - misses / 2
    behind_hits = chance.sum() - passed_hits - chance / 2
    pairs = chance.sum() * misses.sum() - float(chance @ misses)
    area = float(chance @ above_misses) / pairs
    of_pairs = misses.sum() - chance.sum() - (1 - 2 * chance)
    return area, np.asarray((above_misses - behind_hits - area * of_pairs) / pairs)


def estimate_likeliest(likeliest: Floats, *, held_out: int | None = None) -> tuple[Estimated, ...]:
    """The accuracy of classes, from the calibrated chance of each row's likeliest class: all that is on record."""
    spread = likeliest * (1 - likeliest)
    of_calibration = float(spread.mean()) / held_out if held_out else 0.0
    error = float(np.sqrt(spread.sum() / len(likeliest) ** 2 + of_calibration))
    return (_with_error("accuracy_score", float(likeliest.mean()), error=error),)


def estimate_numbers(scores: Floats, *, held_out_scores: Floats, held_out_labels: Floats) -> tuple[Estimated, ...]:
    """Losses of numbers, each row's taken from held-out rows of about the same score (tenths of them)."""
    scores = _in_order(scores)
    cuts = np.unique(np.quantile(held_out_scores, np.arange(1, _BINS) / _BINS))
    there, here = (np.searchsorted(cuts, each, side="right") for each in (held_out_scores, scores))
    count = np.bincount(there, minlength=len(cuts) + 1)
    share = np.bincount(here, minlength=len(cuts) + 1) / len(scores)
    off = held_out_labels - held_out_scores
    found = {}
    for name, losses in (("mean_absolute_error", np.abs(off)), ("mean_squared_error", np.square(off))):
        mean, spread = _by_bin(losses, there, count)
        error = float(np.sqrt((share * spread).sum() / len(scores) + (share**2 * spread / np.maximum(count, 1)).sum()))
        found[name] = _with_error(name, float(share @ mean), error=error)
    squared = found.pop("mean_squared_error")
    root = {end: max(getattr(squared, end), 0.0) ** 0.5 for end in ("value", "low", "high")}
    return (*found.values(), Estimated(metric="root_mean_squared_error", **root))


def score_estimates(
    past: Sequence[tuple[date, Mapping[str, float], Mapping[str, float]]],
) -> dict[str, tuple[float, int]]:
    """By metric how far estimates were off: the root of the mean square of realised less estimated, and on how many
    days; of ``past`` days with what was estimated and what was realised then.
    """
    off: dict[str, list[float]] = {}
    for _, estimated, realised in past:
        for name in estimated.keys() & realised.keys():
            off.setdefault(name, []).append(realised[name] - estimated[name])
    return {name: (float(np.sqrt(np.mean(np.square(each)))), len(each)) for name, each in sorted(off.items())}


def _in_order(scores: Floats) -> Floats:
    if not len(scores) or not np.isfinite(scores).all():
        raise EvaluationError("Nothing can be estimated from no scores, nor from scores that are not finite.")
    return np.asarray(scores, dtype=np.float64)


def _estimated(metric: str, value: float, *, moves: Floats, chance: Floats, held_out: int | None) -> Estimated:
    spread = chance * (1 - chance)
    of_calibration = np.square(np.abs(moves).sum()) * spread.mean() / held_out if held_out else 0.0
    return _with_error(metric, value, error=float(np.sqrt((spread * np.square(moves)).sum() + of_calibration)))


def _with_error(metric: str, value: float, *, error: float) -> Estimated:
    high = value + _Z * error
    if metric.endswith(("_score", "_rate")):
        high = min(high, 1.0)
    return Estimated(metric=metric, value=value, low=max(value - _Z * error, 0.0), high=high)


def _below(keys: Floats, *, of: Floats) -> Floats:
    """For each row the sum ``of`` the rows with a lower key, and half of that of those with the same (itself too)."""
    _, place = np.unique(keys, return_inverse=True)
    sums = np.bincount(place, weights=of)
    return np.asarray((np.cumsum(sums) - sums / 2)[place])


def _by_bin(losses: Floats, place: NDArray[np.intp], count: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Mean and variance of each bin; of an empty one those of all."""
    held = np.maximum(count, 1)
    mean = np.where(count > 0, np.bincount(place, weights=losses, minlength=len(count)) / held, losses.mean())
    squares = np.bincount(place, weights=np.square(losses), minlength=len(count)) / held
    return mean, np.where(count > 1, np.maximum(squares - np.square(mean), 0), losses.var())

"""How a search for hyperparameters went, as one picture: every trial, the best so far, and the declared recipe."""

from __future__ import annotations

from mlops_assets.reports.drawing import BLUE, QUIET, RED, standalone
from mlops_assets.training.tuning import TunedRecipe


def tuning_history(found: TunedRecipe) -> bytes:
    """The picture as an SVG file of its own, the same bytes for the same search. Pruned trials are crosses: their mean
    is over fewer folds, so they stand at the gain on those, below the declared recipe.
    """
    gains = [found.gain(each) for each in found.trials]
    best, so_far = 0.0, []
    for gain, each in zip(gains, found.trials, strict=True):
        best = max(best, gain if not each.pruned else best)
        so_far.append(best)
    with standalone(width=6.4, height=3.0, label="tuning") as (figure, done):
        axes = figure.add_axes((0.13, 0.15, 0.84, 0.74))
        axes.axhline(0, color=QUIET, linewidth=0.9, linestyle=(0, (4, 3)), label="as declared")
        for pruned, marker, colour, label in ((False, "o", BLUE, "trial"), (True, "x", RED, "given up")):
            chosen = [i for i, each in enumerate(found.trials) if each.pruned is pruned]
            if chosen:
                axes.plot([i + 1 for i in chosen], [gains[i] for i in chosen], marker, color=colour, label=label)
        axes.step(range(1, len(gains) + 1), so_far, where="post", color=BLUE, linewidth=1.6, label="best so far")
        axes.set_ylim(*_room(gains))
        axes.set_xlabel("trial")
        axes.set_ylabel("loss below declared by")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4)
    return done[0]


def _room(gains: list[float]) -> tuple[float, float]:
    """From a little above the best down to where four in five trials are seen; the worst may lie below the picture."""
    top, ordered = max(gains), sorted(gains)
    bottom = min(ordered[len(ordered) // 5], 0.0)
    margin = 0.08 * (top - bottom) or 0.001
    return bottom - margin, top + margin

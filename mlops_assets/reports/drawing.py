"""How our charts are drawn: by matplotlib, as SVG, in colours that a page decides on or that stand by themselves.

Colours are those of Okabe & Ito 2008, which colour-blind people tell apart; what matters is told by shape or line style
too. matplotlib is imported when the first chart is drawn: nothing that only serves loads it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, RED, GREEN, INK, QUIET, LINE = "#0072b2", "#d55e00", "#009e73", "#101112", "#606162", "#d0d1d2"
VARIABLES = {
    BLUE: "--blue",
    RED: "--vermillion",
    GREEN: "--green",
    INK: "--ink",
    QUIET: "--quiet",
    LINE: "--line",
}
STYLE = {
    "font.size": 9.0,
    "axes.facecolor": "none",
    "axes.unicode_minus": False,
    "text.color": INK,
    "axes.labelcolor": QUIET,
    "axes.edgecolor": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "axes.grid": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
}


@contextmanager
def inline(*, width: float, height: float, label: str) -> Iterator[tuple[Figure, list[str]]]:
    """An empty figure, in inches; the list holds its SVG as a part of a page afterwards."""
    done: list[str] = []
    with _figure(width=width, height=height, fonts="none", salt=label) as (figure, drawn):
        yield figure, done
    done.append(_inline(drawn[0], label=label, width=width))


@contextmanager
def standalone(*, width: float, height: float, label: str) -> Iterator[tuple[Figure, list[bytes]]]:
    """The same as a file of its own, letters drawn: for places that show a picture and know nothing of our pages."""
    done: list[bytes] = []
    with _figure(width=width, height=height, fonts="path", salt=label) as (figure, drawn):
        figure.set_facecolor("white")
        yield figure, done
    done.append(drawn[0].encode())


@contextmanager
def _figure(*, width: float, height: float, fonts: str, salt: str) -> Iterator[tuple[Figure, list[str]]]:
    import matplotlib
    from matplotlib.figure import Figure

    done: list[str] = []
    with matplotlib.rc_context({**STYLE, "svg.fonttype": fonts, "svg.hashsalt": salt}):
        figure = Figure(figsize=(width, height), facecolor="none")
        yield figure, done
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", facecolor="auto", metadata={"Date": None, "Creator": None})
        done.append(drawn.getvalue())


def _inline(svg: str, *, label: str, width: float) -> str:
    """The picture as a part of a page: without prologue and names that would clash, in the page's colours."""
    text = svg[svg.index("<svg") :].replace("xlink:href", "href")
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"| id="[\w.]*_\d+"', "", text)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, count=1, flags=re.DOTALL)
    text = re.sub(r"font-family: [^;\"]*; ?", "", text)
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    named = f'<svg class="chart" role="img" aria-label="{escape(label)}" style="--width: {96 * width:.0f}px" '
    return re.sub(r"\s*\n\s*", "\n", text.replace("<svg ", named, 1))

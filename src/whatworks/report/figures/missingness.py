"""Share of persons unknown, by source and month: one band per source, a cell per month.

Never colour alone: four levels differ in lightness and hatching, and each year of a band carries its
number.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from whatworks.report import names
from whatworks.report.figures.style import GREY, INK, TYPE
from whatworks.report.language import Words

BAND: Final = 104
"""Height of one source: its name, then its cells."""
FRAME: Final = 230
"""Height of the months, the legend and the margins."""
STEPS: Final = (0.05, 0.15)
"""Shares at which the gate's proposed thresholds place a reserve and a refusal."""
_LEVELS: Final = (
    ("#eef4fa", "", GREY),
    ("#9cc3e6", "", GREY),
    ("#3f7fb8", "//", "#ffffff"),
    ("#10304f", "xx", "#ffffff"),
    ("#ffffff", "..", GREY),
)
"""Colour, hatching, and colour of the hatching and of the edge."""
_ALL: Final = 4


def height(table: pd.DataFrame) -> float:
    """Height of the figure, which grows with the sources."""
    return FRAME + BAND * table["source"].nunique()


def level(share: float) -> int:
    """Level of a cell: none, up to the first step, to the second, beyond, or not covered at all."""
    if share >= 1.0:
        return _ALL
    if share <= 0.0:
        return 0
    return 1 + int(share > STEPS[0]) + int(share > STEPS[1])


def draw_missingness(table: pd.DataFrame, ax: Axes, *, words: Words) -> None:
    """Draw bands of cells from top to bottom, in the order of the table.

    Parameters
    ----------
    table : DataFrame
        ``source, month (int), share``.
    ax : Axes
    words : Words
    """
    first, last = int(table["month"].min()), int(table["month"].max())
    sources = list(dict.fromkeys(table["source"]))
    for place, source in enumerate(sources):
        rows = table[table["source"] == source]
        for month, share in zip(rows["month"], rows["share"], strict=True):
            colour, hatch, edge = _LEVELS[level(float(share))]
            ax.add_patch(
                Rectangle(
                    (int(month) - first, place + 0.42),
                    1,
                    0.34,
                    facecolor=colour,
                    edgecolor=edge,
                    linewidth=0.5,
                    hatch=hatch,
                )
            )
        ax.text(0, place + 0.36, names.source(words, source), ha="left", va="bottom", color=INK)
        _numbers(rows, place, first, ax, words)
    ax.set_xlim(-0.1, last - first + 1.1)
    ax.set_ylim(len(sources), 0)
    ax.set_yticks([])
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    _years(first, last, ax)
    ax.set_xlabel(words.text("graph.missing_mean"), loc="left")
    _legend(ax, words)


def _numbers(rows: pd.DataFrame, place: int, first: int, ax: Axes, words: Words) -> None:
    """Mean share of each calendar year under its cells, where there is room for it."""
    years = rows.groupby(rows["month"] // 12)
    # Every year when there are few; else every second, third... so that numbers stay apart.
    every = max(1, int(np.ceil(len(years) / 6)))
    for k, (_, year) in enumerate(years):
        if k % every == 0 and len(year) >= 4:
            middle = float(year["month"].mean()) - first + 0.5
            ax.text(
                middle,
                place + 0.8,
                words.percent(round(float(year["share"].mean()), 3)),
                ha="center",
                va="top",
                color=INK,
                fontsize=TYPE,
            )


def _years(first: int, last: int, ax: Axes) -> None:
    """Ticks at each January, or at the first month of a short window."""
    januaries = [m for m in range(first, last + 1) if m % 12 == 0] or [first]
    every = max(1, int(np.ceil(len(januaries) / 7)))
    shown = januaries[::every]
    ax.set_xticks([m - first for m in shown], [str(m // 12) for m in shown])


def _legend(ax: Axes, words: Words) -> None:
    shares = [words.percent(step) for step in STEPS]
    labels = (
        words.text("graph.missing_none"),
        words.text("graph.missing_upto", {"share": shares[0]}),
        words.text("graph.missing_upto", {"share": shares[1]}),
        words.text("graph.missing_above", {"share": shares[1]}),
        words.text("graph.missing_all"),
    )
    handles = [
        Patch(facecolor=colour, edgecolor=edge, hatch=hatch, label=label)
        for (colour, hatch, edge), label in zip(_LEVELS, labels, strict=True)
    ]
    ax.figure.legend(
        handles=handles,
        ncols=2,
        frameon=False,
        loc="outside lower left",
        handlelength=1.6,
        columnspacing=1.0,
    )

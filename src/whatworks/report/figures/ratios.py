"""Ratios of losses to gains: the values not excluded, with arrows where they have no end."""

from __future__ import annotations

from math import isfinite
from typing import Final

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from whatworks.report.figures.style import BLUE, GREY, INK, ORANGE, label_row, plain_ticks
from whatworks.report.frames import rows_of
from whatworks.report.language import Words

ROW: Final = 86
FRAME: Final = 130
LEAST, MOST = -1.0, 3.0
"""Beyond, a ratio is an arrow: its size would say nothing more."""


def height(rows: pd.DataFrame) -> float:
    """Height of the figure, which grows with its rows."""
    return FRAME + ROW * len(rows)


def draw_ratios(rows: pd.DataFrame, ax: Axes, *, words: Words) -> None:
    """Draw sets one under another.

    Parameters
    ----------
    rows : DataFrame
        ``label, value, kind, low, high``: value NaN where it is not printed; kinds of
        `whatworks.stats.displacement.ratios.RatioSet`.
    ax : Axes
    words : Words
    """
    for mark in (0.0, 1.0):
        ax.axvline(mark, color=INK if mark == 0 else GREY, linewidth=1.4)
    for place, row in enumerate(rows_of(rows)):
        colour = BLUE if row.kind == "interval" else ORANGE
        for low, high in segments(str(row.kind), float(row.low), float(row.high)):
            _segment(ax, place, low, high, colour)
        if isfinite(row.value):
            ax.plot([row.value], [place], marker="o", markersize=13, color=colour, linestyle="none")
        label_row(ax, str(row.label), place)
    ax.set_xlim(LEAST - 0.1, MOST + 0.1)
    ax.set_ylim(len(rows) - 0.6, -0.85)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    ax.xaxis.set_major_formatter(plain_ticks(words))
    ax.set_xlabel(words.text("graph.ratio"))


def segments(kind: str, low: float, high: float) -> list[tuple[float, float]]:
    """Pieces of a set, infinite where they have no end.

    >>> segments("outside", -2.0, 5.0)
    [(-inf, -2.0), (5.0, inf)]
    """
    if kind == "outside":
        return [(float("-inf"), low), (high, float("inf"))]
    return [] if kind == "undefined" else [(low, high)]


def _segment(ax: Axes, place: int, low: float, high: float, colour: str) -> None:
    """A piece of a set, cut at the edges of the figure with an arrow."""
    shown = max(low, LEAST), min(high, MOST)
    left, right = low < LEAST, high > MOST
    if shown[0] >= shown[1]:  # wholly beyond an edge: the arrow alone says so
        edge = MOST if low >= MOST else LEAST
        shown = (edge - 0.25, edge) if edge == MOST else (edge, edge + 0.25)
        left, right = edge == LEAST, edge == MOST
    ax.plot(shown, [place, place], color=colour, linewidth=4, solid_capstyle="butt")
    for wanted, edge, mark in ((left, shown[0], "<"), (right, shown[1], ">")):
        if wanted:
            ax.plot([edge], [place], marker=mark, markersize=14, color=colour, linestyle="none")

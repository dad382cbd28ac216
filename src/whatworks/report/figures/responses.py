"""What the assigned gain and the others lose by share assigned: cells, and the fits that smooth them."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from whatworks.report.figures.style import BLUE, GREY, INK, ORANGE, plain_ticks
from whatworks.report.language import Words

HEIGHT: Final = 600
ARMS: Final = {"total": (BLUE, "o", -0.008), "spillover": (ORANGE, "s", 0.008)}
"""Colour, mark and step aside of each effect against markets left alone."""
LINES: Final = {"pooled": (0, (6, 2)), "linear": (0, (1, 1.6))}


def draw_responses(effects: pd.DataFrame, ax: Axes, *, words: Words, unit: str) -> None:
    """Draw both arms against markets left alone, cells as points and fits as lines.

    Parameters
    ----------
    effects : DataFrame
        ``quantity`` (``total``, ``spillover``), ``fit``, ``share, estimate, low, high, band_low,
        band_high``, rounded.
    ax : Axes
    words : Words
    unit : str
        Of the effects.
    """
    ax.axhline(0, color=INK, linewidth=1.4)
    for quantity, (colour, mark, aside) in ARMS.items():
        mine = effects[effects["quantity"] == quantity]
        cells = mine[(mine["fit"] == "saturated") & mine["estimate"].notna()]
        place = cells["share"].to_numpy(float) + aside
        ax.vlines(place, cells["band_low"], cells["band_high"], color=colour, linewidth=1.6)
        ax.vlines(place, cells["low"], cells["high"], color=colour, linewidth=5, alpha=0.45)
        ax.plot(
            place,
            cells["estimate"].to_numpy(float),
            color=colour,
            marker=mark,
            markersize=10,
            linestyle="none",
            zorder=4,
        )
        for fit, line in LINES.items():
            told = mine[(mine["fit"] == fit) & mine["estimate"].notna()].sort_values("share")
            ax.plot(told["share"], told["estimate"], color=colour, linestyle=line, linewidth=2.6)
    share_axis(ax, effects["share"].to_numpy(float), words=words)
    ax.set_title(words.axis(unit), loc="left")
    ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_formatter(plain_ticks(words))
    ax.grid(axis="y", color="#e3e6ea", linewidth=1)
    ax.set_axisbelow(True)
    fits = [fit for fit in LINES if (effects["fit"] == fit).any()]
    _legend(ax, words, fits)


def share_axis(ax: Axes, shares: np.ndarray, *, words: Words) -> None:
    """Shares assigned as percentages, no more ticks than there is room for."""
    known = np.unique(np.round(shares[np.isfinite(shares)], 6))
    reach = max(float(known.max()) - float(known.min()), 0.1)
    ax.set_xlim(known.min() - 0.12 * reach, known.max() + 0.12 * reach)
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: words.percent(round(x, 4))))
    ax.set_xlabel(words.text("graph.share_helped"))


def _legend(ax: Axes, words: Words, fits: list[str]) -> None:
    """Arms by colour and mark; cells and fits by line."""
    handles = [
        Line2D([], [], color=colour, marker=mark, linestyle="none", markersize=10)
        for colour, mark, _ in ARMS.values()
    ]
    names = [words.text(f"graph.arm.{quantity}") for quantity in ARMS]
    handles += [
        Line2D([], [], color=GREY, linestyle=LINES[fit], linewidth=2.6, marker=None) for fit in fits
    ]
    names += [words.text(f"fit.{fit}.label") for fit in fits]
    ax.legend(
        handles,
        names,
        frameon=False,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.16),
        ncols=2,
        handlelength=1.8,
        columnspacing=1.0,
        fontsize=18,
    )

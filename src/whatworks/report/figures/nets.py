"""What is left in net per 100 persons by share assigned: by cells, and by the fits that smooth them."""

from __future__ import annotations

from typing import Final

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from whatworks.report.figures.responses import LINES, share_axis
from whatworks.report.figures.style import BLUE, GREY, INK, ORANGE, plain_ticks
from whatworks.report.language import Words

HEIGHT: Final = 600
POOLS: Final = {
    "eligible_only": (BLUE, "o", -0.01),
    "everyone_exposed": (ORANGE, "s", 0.01),
    "seen": (GREY, "D", 0.0),
}
"""Colour, mark and step aside by whose losses are counted."""


def draw_nets(nets: pd.DataFrame, ax: Axes, *, words: Words, unit: str) -> None:
    """Draw nets by share.

    Parameters
    ----------
    nets : DataFrame
        ``pool, fit, share, estimate, low, high``, rounded.
    ax : Axes
    words : Words
    unit : str
        Of the outcome, for 100 persons.
    """
    ax.axhline(0, color=INK, linewidth=1.4)
    for pool, (colour, mark, aside) in POOLS.items():
        mine = nets[(nets["pool"] == pool) & nets["estimate"].notna()]
        cells = mine[mine["fit"] == "saturated"]
        place = cells["share"].to_numpy(float) + aside
        ax.vlines(place, cells["low"], cells["high"], color=colour, linewidth=5, alpha=0.45)
        ax.plot(
            place, cells["estimate"], color=colour, marker=mark, markersize=10, linestyle="none"
        )
        for fit, line in LINES.items():
            told = mine[mine["fit"] == fit].sort_values("share")
            ax.plot(told["share"], told["estimate"], color=colour, linestyle=line, linewidth=2.6)
    share_axis(ax, nets["share"].to_numpy(float), words=words)
    ax.set_title(words.text("graph.per_hundred", {"unit": words.axis(unit)}), loc="left")
    ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_formatter(plain_ticks(words))
    ax.grid(axis="y", color="#e3e6ea", linewidth=1)
    ax.set_axisbelow(True)
    _legend(nets, ax, words)


def _legend(nets: pd.DataFrame, ax: Axes, words: Words) -> None:
    pools = [pool for pool in POOLS if (nets["pool"] == pool).any()]
    fits = [fit for fit in LINES if (nets["fit"] == fit).any()]
    handles = [
        Line2D([], [], color=POOLS[p][0], marker=POOLS[p][1], linestyle="none", markersize=10)
        for p in pools
    ]
    handles += [Line2D([], [], color=GREY, linestyle=LINES[f], linewidth=2.6) for f in fits]
    names = [words.text(f"pool.{pool}.short") for pool in pools]
    names += [words.text(f"fit.{fit}.label") for fit in fits]
    ax.legend(
        handles,
        names,
        frameon=False,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.16),
        ncols=1,
        handlelength=1.8,
        fontsize=18,
    )

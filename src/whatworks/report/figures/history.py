"""What the months before entry were made of: treated and comparison, one state under another."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

from whatworks.report import names
from whatworks.report.figures.style import BLUE, GREY, ORANGE
from whatworks.report.language import Words

ROW_HEIGHT: Final = 210
FRAME_HEIGHT: Final = 120
_ARMS: Final = (("treated", BLUE, "-", "o"), ("comparison", ORANGE, (0, (4, 2)), "s"))
_FILLED: Final = 0.62
"""Part of a state's row that its axes fill; its name and its months have the rest."""


def height(history: pd.DataFrame) -> float:
    """Height of the figure, which grows with its states."""
    return FRAME_HEIGHT + ROW_HEIGHT * history["state"].nunique()


def draw_history(history: pd.DataFrame, ax: Axes, *, words: Words) -> None:
    """Share of each arm in each state by month before entry.

    Parameters
    ----------
    history : DataFrame
        ``state, month, treated, comparison``; a share is NaN where too few persons are behind it.
    ax : Axes
    words : Words
    """
    ax.set_axis_off()
    states = list(dict.fromkeys(history["state"]))
    each = 1 / max(len(states), 1)
    for place, state in enumerate(states):
        bottom = 1 - (place + 1) * each + each * (1 - _FILLED) / 2
        inset = ax.inset_axes((0.0, bottom, 1.0, each * _FILLED))
        _draw_state(history[history["state"] == state], inset, words=words)
        inset.set_title(names.state(words, str(state)), loc="left")
        if place == len(states) - 1:
            inset.set_xlabel(words.text("month.since"))
            inset.legend(
                ncols=2,
                frameon=False,
                loc="upper center",
                bbox_to_anchor=(0.5, -0.42),
                handlelength=1.8,
            )


def _draw_state(rows: pd.DataFrame, ax: Axes, *, words: Words) -> None:
    for arm, colour, line, marker in _ARMS:
        ax.plot(
            rows["month"].to_numpy(float),
            rows[arm].to_numpy(float),
            color=colour,
            linestyle=line,
            linewidth=2.4,
            marker=marker,
            markersize=5,
            markerfacecolor="white" if arm == "comparison" else colour,
            label=words.text(f"graph.{arm}"),
        )
    top = float(np.nanmax(rows[["treated", "comparison"]].to_numpy(float)))
    ax.set_ylim(0, min(1.08, max(1.15 * top, 0.05)))
    known = rows[rows[["treated", "comparison"]].notna().any(axis=1)]
    ax.set_xlim(known["month"].min() - 0.5, -0.5)
    ax.axvline(-0.5, color=GREY, linewidth=1.6, linestyle=(0, (2, 2)))
    ax.xaxis.set_major_locator(MultipleLocator(6))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: words.number(x)))
    ax.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: words.percent(y)))
    ax.grid(axis="y", color="#e3e6ea", linewidth=1)
    ax.set_axisbelow(True)

"""What a person helped leaves by how much of the gain is taken from others, and where nothing is left."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from whatworks.report.figures.style import BLUE, GREY, INK, ORANGE, TINT_BLUE, plain_ticks
from whatworks.report.language import Words

HEIGHT: Final = 560


def draw_break_even(
    line: pd.DataFrame, ax: Axes, *, words: Words, scenarios: tuple[float, ...] = ()
) -> None:
    """Draw the line of what is left, with its interval, from nothing taken to all of it.

    Parameters
    ----------
    line : DataFrame
        ``taken`` (share of the gain), ``left, low, high`` (money per person helped), rounded.
    ax : Axes
    words : Words
    scenarios : tuple of float
        Shares lost in published studies: marks on the axis, which are no estimate.
    """
    taken = line["taken"].to_numpy(float)
    ax.fill_between(taken, line["low"], line["high"], color=TINT_BLUE, linewidth=0)
    ax.plot(taken, line["left"], color=BLUE, label=words.text("graph.left"))
    ax.axhline(0, color=INK, linewidth=1.4)
    left = line["left"].to_numpy(float)
    if left[0] > 0 > left[-1]:
        even = float(np.interp(0.0, left[::-1], taken[::-1]))
        ax.plot(
            [even],
            [0],
            marker="o",
            markersize=13,
            color=BLUE,
            linestyle="none",
            label=words.text("graph.break_even"),
        )
        ax.axvline(even, color=GREY, linewidth=1.6, linestyle=(0, (2, 2)))
    inside = [s for s in scenarios if taken[0] <= s <= taken[-1]]
    if inside:
        ax.plot(
            inside,
            np.zeros(len(inside)),
            marker="X",
            markersize=12,
            markerfacecolor="white",
            markeredgecolor=ORANGE,
            markeredgewidth=2,
            linestyle="none",
            zorder=5,
            label=words.text("graph.scenarios"),
        )
    ax.set_xlabel(words.text("graph.taken"))
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: words.percent(round(x, 4))))
    ax.set_title(words.text("graph.money"), loc="left")
    ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_formatter(plain_ticks(words))
    ax.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.17), fontsize=18)

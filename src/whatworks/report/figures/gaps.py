"""What each territory became less what its synthetic one did, by time since its start."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from whatworks.report.figures.style import BLUE, GREY, INK, plain_ticks
from whatworks.report.language import Words


def draw_gaps(gaps: pd.DataFrame, ax: Axes, *, words: Words, unit: str, clock: str) -> None:
    """Draw one thin line per territory and their mean.

    Parameters
    ----------
    gaps : DataFrame
        ``territory, month, gap``.
    ax : Axes
    words : Words
    unit : str
        Of the outcome.
    clock : str
        ``"month"`` or ``"period"``.
    """
    several = gaps["territory"].nunique() > 1
    if several:
        for place, (_, rows) in enumerate(gaps.groupby("territory", sort=False)):
            ax.plot(
                rows["month"].to_numpy(float),
                rows["gap"].to_numpy(float),
                color=GREY,
                linewidth=1.0,
                alpha=0.7,
                label=words.text("graph.territories") if place == 0 else None,
            )
    mean = gaps.groupby("month")["gap"].mean()
    ax.plot(
        mean.index.to_numpy(float),
        mean.to_numpy(float),
        color=BLUE,
        linewidth=3.0,
        marker="o" if mean.size <= 40 else None,
        markersize=6,
        label=words.text("graph.mean_gap" if several else "graph.gap"),
    )
    ax.axhline(0, color=INK, linewidth=1.4)
    ax.axvline(-0.5, color=GREY, linewidth=1.6, linestyle=(0, (2, 2)))
    ax.set_xlabel(words.text(f"{clock}.since"))
    ax.set_title(words.axis(unit), loc="left")
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: words.number(x)))
    ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_formatter(plain_ticks(words))
    ax.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    ax.margins(x=0.02)

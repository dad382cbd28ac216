"""Who starts when: one band per cohort over the periods, filled from its start on."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from whatworks.report import names
from whatworks.report.figures.style import BLUE, GREY, INK, TINT_BLUE
from whatworks.report.language import Words

BAND: Final = 92
FRAME: Final = 170
_THICKNESS: Final = 0.4
_MOST_TICKS: Final = 6


def height(calendar: pd.DataFrame) -> float:
    """Height of the figure, which grows with the cohorts."""
    return FRAME + BAND * len(calendar)


def draw_calendar(calendar: pd.DataFrame, ax: Axes, *, words: Words, clock: str) -> None:
    """Draw bands from the first to start to those that never do.

    Parameters
    ----------
    calendar : DataFrame
        ``start`` (missing for never), ``first``, ``last`` (periods seen, both included), ``units``
        (missing where too few), ``markets`` (missing where none are known).
    ax : Axes
    words : Words
    clock : str
        ``"month"`` or ``"period"``.
    """
    first, last = int(calendar["first"].min()), int(calendar["last"].max())
    for place, row in enumerate(calendar.to_dict("records")):
        bottom = place + 0.5
        _band(ax, first, last - first + 1, bottom, facecolor=TINT_BLUE)
        if not np.isnan(row["start"]):
            begin = int(row["start"])
            _band(ax, begin, last - begin + 1, bottom, facecolor=BLUE, hatch="//")
        ax.text(
            first,
            bottom - 0.06,
            names.cohort_size(words, row, clock=clock),
            ha="left",
            va="bottom",
            color=INK,
        )
    ax.set_xlim(first - 0.2, last + 1.2)
    ax.set_ylim(len(calendar), 0)
    ax.set_yticks([])
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    ticks_of_periods(ax, np.arange(first, last + 1), words=words, clock=clock, middle=0.5)
    handles = [
        Patch(facecolor=TINT_BLUE, edgecolor=GREY, label=words.text("graph.not_started")),
        Patch(facecolor=BLUE, edgecolor="white", hatch="//", label=words.text("graph.started")),
    ]
    ax.figure.legend(handles=handles, ncols=2, frameon=False, loc="outside lower left")


def _band(
    ax: Axes, begin: int, width: int, bottom: float, *, facecolor: str, hatch: str = ""
) -> None:
    ax.add_patch(
        Rectangle(
            (begin, bottom),
            width,
            _THICKNESS,
            facecolor=facecolor,
            edgecolor="white" if hatch else GREY,
            linewidth=0.8,
            hatch=hatch,
        )
    )


def ticks_of_periods(
    ax: Axes, periods: np.ndarray, *, words: Words, clock: str, middle: float = 0.0
) -> None:
    """Ticks at a few periods: years where periods are months, else the numbers of the table."""
    if clock == "month":
        januaries = [int(p) for p in periods if p % 12 == 0]
        shown = januaries or [int(periods[0])]
        labels = [str(p // 12) if januaries else names.period(words, p, clock=clock) for p in shown]
    else:
        shown = [int(p) for p in periods]
        labels = [names.period(words, p, clock=clock) for p in shown]
    every = -(-len(shown) // _MOST_TICKS)
    ax.set_xticks([p + middle for p in shown[::every]], labels[::every])

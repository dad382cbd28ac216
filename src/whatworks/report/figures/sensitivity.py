"""Interval of the effect by how far trends may have departed from parallel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from whatworks.report.figures.style import BLUE, GREY, INK, ORANGE, plain_ticks
from whatworks.report.language import Words

Line = tuple[float, Sequence[float]]
_WIDTH: Final = 7.0


def draw_sensitivity(robust: pd.DataFrame, ax: Axes, *, words: Words, unit: str) -> None:
    """Draw one vertical interval per departure; those that hold zero in another colour and dashed.

    Parameters
    ----------
    robust : DataFrame
        ``departure`` (times the largest move before the start), ``conf_low, conf_high``.
    ax : Axes
    words : Words
    unit : str
        Of the effect.
    """
    known = robust[np.isfinite(robust["conf_low"]) & np.isfinite(robust["conf_high"])]
    holds_zero = (known["conf_low"] <= 0) & (known["conf_high"] >= 0)
    told: tuple[tuple[pd.Series, str, Line, str], ...] = (
        (~holds_zero, BLUE, (0, (1, 0)), "apart"),
        (holds_zero, ORANGE, (0, (1, 1)), "with_zero"),
    )
    for rows, colour, line, key in told:
        if rows.any():
            ax.vlines(
                known.loc[rows, "departure"],
                known.loc[rows, "conf_low"],
                known.loc[rows, "conf_high"],
                colors=colour,
                linestyles=line,
                linewidth=_WIDTH,
                label=words.text(f"graph.sensitivity_{key}"),
            )
    ax.axhline(0, color=INK, linewidth=1.4)
    ax.axvline(1.0, color=GREY, linewidth=1.6, linestyle=(0, (2, 2)))
    ax.set_xlabel(words.text("graph.departure"))
    ax.set_title(words.axis(unit), loc="left")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(plain_ticks(words))
    ax.margins(x=0.06)
    ax.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)

"""Effects by cohort and period, a cell each: sign and size by colour and by number."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize

from whatworks.report import names
from whatworks.report.figures.calendar import ticks_of_periods
from whatworks.report.figures.style import INK, TYPE
from whatworks.report.language import Words
from whatworks.report.numbers import Scale

BAND: Final = 74
FRAME: Final = 190
_COLOURS: Final = LinearSegmentedColormap.from_list("effects", ["#b8500a", "#ffffff", "#0a5fa5"])
_DARK: Final = 0.62
"""Part of the largest effect beyond which a cell is dark enough for white figures."""
_ROOM: Final = 9
"""Periods up to which each cell has room for its number."""


def height(cells: pd.DataFrame) -> float:
    """Height of the figure, which grows with the cohorts."""
    return FRAME + BAND * cells["cohort"].nunique()


def draw_cells(cells: pd.DataFrame, ax: Axes, *, words: Words, scale: Scale, clock: str) -> None:
    """Draw one row of cells per cohort, the start of each marked.

    Parameters
    ----------
    cells : DataFrame
        ``cohort, period, estimate``, rounded.
    ax : Axes
    words : Words
    scale : Scale
    clock : str
        ``"month"`` or ``"period"``.
    """
    wide = cells.pivot(index="cohort", columns="period", values="estimate").sort_index()
    periods, cohorts = wide.columns.to_numpy(), wide.index.to_numpy()
    values = wide.to_numpy(float)
    edge = max(float(np.nanmax(np.abs(values), initial=0.0)), 10.0**-scale.decimals)
    ax.set_facecolor("#eceef1")
    ax.pcolormesh(
        np.arange(periods.size + 1),
        np.arange(cohorts.size + 1),
        np.ma.masked_invalid(values),
        cmap=_COLOURS,
        norm=Normalize(-edge, edge),
        edgecolors="white",
        linewidth=1.5,
    )
    for row, cohort in enumerate(cohorts):
        begin = int(np.searchsorted(periods, cohort))
        ax.plot([begin, begin], [row, row + 1], color=INK, linewidth=4)
        if periods.size <= _ROOM:
            _numbers(ax, values[row], row, edge, words=words, scale=scale)
    ax.set_ylim(cohorts.size, 0)
    ax.set_yticks(
        np.arange(cohorts.size) + 0.5,
        [names.period(words, int(g), clock=clock) for g in cohorts],
    )
    ax.tick_params(length=0)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    ax.set_title(words.text("graph.cohorts"), loc="left")
    _ticks(ax, periods, words=words, clock=clock)
    ax.set_xlim(0, periods.size)  # ticks were first laid at dates, which widens the axes
    ax.set_xlabel(words.text("graph.cells_key"), loc="left")


def _numbers(
    ax: Axes, values: np.ndarray, row: int, edge: float, *, words: Words, scale: Scale
) -> None:
    for place, value in enumerate(values):
        if np.isfinite(value):
            ax.text(
                place + 0.5,
                row + 0.5,
                words.number(float(value), scale.decimals, signed=True),
                ha="center",
                va="center",
                fontsize=TYPE - 3,
                color="white" if abs(value) > _DARK * edge else INK,
            )


def _ticks(ax: Axes, periods: np.ndarray, *, words: Words, clock: str) -> None:
    """Ticks under the cells, which stand at their rank and not at their date."""
    ticks_of_periods(ax, periods, words=words, clock=clock)
    told = {int(p): k for k, p in enumerate(periods)}
    places = [told[int(p)] + 0.5 for p in ax.get_xticks()]
    labels = [t.get_text() for t in ax.get_xticklabels()]
    ax.set_xticks(places, labels)

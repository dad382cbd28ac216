"""Standardised differences before and after choosing comparisons, largest first."""

from __future__ import annotations

import textwrap
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from whatworks.report import names
from whatworks.report.figures.style import BLUE, GREY, INK, ORANGE, label_row, plain_ticks
from whatworks.report.language import Words

SHOWN: Final = 12
"""Covariates drawn; the table beside the figure has them all."""
ROW_HEIGHT: Final = 62
FRAME_HEIGHT: Final = 190
_LABEL_WIDTH: Final = 54


def largest(balance: pd.DataFrame) -> pd.DataFrame:
    """Covariates drawn: those furthest apart before or after, furthest first."""
    size = balance[["smd_before", "smd_after"]].abs().max(axis=1)
    order = size.sort_values(ascending=False, kind="stable", na_position="last").index
    return balance.loc[order[:SHOWN]].reset_index(drop=True)


def height(balance: pd.DataFrame) -> float:
    """Height of the figure, which grows with its rows."""
    return FRAME_HEIGHT + ROW_HEIGHT * min(len(balance), SHOWN)


def draw_balance(balance: pd.DataFrame, ax: Axes, *, words: Words) -> None:
    """Love plot: one row per covariate, hollow before, full after.

    Parameters
    ----------
    balance : DataFrame
        ``covariate, smd_before, smd_after``.
    ax : Axes
    words : Words
    """
    rows = largest(balance)
    _sides(rows, ax, words)
    for y, covariate in enumerate(rows["covariate"]):
        label = textwrap.shorten(names.covariate(words, covariate), _LABEL_WIDTH, placeholder="…")
        label_row(ax, label, y)
    ax.set_ylim(len(rows) - 0.5, -0.85)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.margins(x=0.08)
    ax.set_xlabel(words.text("graph.smd"))
    ax.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    ax.xaxis.set_major_formatter(plain_ticks(words))
    ax.legend(
        ncols=2,
        frameon=False,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        handletextpad=0.3,
    )


def _sides(rows: pd.DataFrame, ax: Axes, words: Words) -> None:
    """Both differences of each row, joined, between the bounds held to be small."""
    place = np.arange(len(rows))
    before, after = (rows[f"smd_{when}"].to_numpy(float) for when in ("before", "after"))
    ax.axvline(0, color=INK, linewidth=1.4)
    for bound in (-0.1, 0.1):
        ax.axvline(bound, color=GREY, linewidth=1.4, linestyle=(0, (2, 3)))
    ax.hlines(place, before, after, color=GREY, linewidth=1.2)
    ax.plot(
        before,
        place,
        linestyle="none",
        marker="o",
        markersize=11,
        markerfacecolor="white",
        markeredgecolor=ORANGE,
        markeredgewidth=2.5,
        label=words.text("graph.smd_before"),
    )
    ax.plot(
        after,
        place,
        linestyle="none",
        marker="D",
        markersize=9,
        color=BLUE,
        label=words.text("graph.smd_after"),
    )

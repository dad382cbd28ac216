"""Where the arms stand on the probability of entering: treated above, comparison below."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import StepPatch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from whatworks.report.figures.style import BLUE, INK, ORANGE, plain_ticks
from whatworks.report.language import Words


def draw_overlap(overlap: pd.DataFrame, ax: Axes, *, words: Words) -> None:
    """Two histograms back to back, full before choosing, outlined after.

    Parameters
    ----------
    overlap : DataFrame
        ``score_from, score_to, treated, comparison``, and the same two ``_after`` choosing: shares
        of each arm per bin.
    ax : Axes
    words : Words
    """
    left = overlap["score_from"].to_numpy(float)
    width = overlap["score_to"].to_numpy(float) - left
    top, bottom = (overlap[arm].to_numpy(float) for arm in ("treated", "comparison"))
    arms = (
        (top, BLUE, "", words.text("graph.treated")),
        (-bottom, ORANGE, "/", words.text("graph.comparison")),
    )
    for height, colour, hatch, label in arms:
        ax.bar(
            left,
            height,
            width,
            align="edge",
            color=colour,
            edgecolor="white",
            linewidth=1.0,
            hatch=hatch,
            label=label,
        )
    edges = np.append(left, left[-1:] + width[-1:])
    after = tuple(overlap[f"{arm}_after"].to_numpy(float) for arm in ("treated", "comparison"))
    ax.stairs(after[0], edges, color=INK, linewidth=2.0, label=words.text("graph.after_choice"))
    ax.stairs(-after[1], edges, color=INK, linewidth=2.0)
    top, bottom = np.maximum(top, after[0]), np.maximum(bottom, after[1])
    ax.axhline(0, color=INK, linewidth=1.4)
    seen = np.flatnonzero(top + bottom > 0)
    if seen.size:
        ax.set_xlim(left[seen[0]], left[seen[-1]] + width[seen[-1]])
    edge = 1.08 * max(np.max(top, initial=0.0), np.max(bottom, initial=0.0), 0.01)
    ax.set_ylim(-edge, edge)
    ax.set_xlabel(words.text("graph.score"))
    ax.set_title(words.text("graph.share_of_group"), loc="left")
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    ax.xaxis.set_major_formatter(plain_ticks(words))
    ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: words.percent(abs(y))))
    handles, labels = ax.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda k: isinstance(handles[k], StepPatch))
    ax.legend(
        [handles[k] for k in order],
        [labels[k] for k in order],
        ncols=2,
        frameon=False,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.2),
        handlelength=1.2,
    )

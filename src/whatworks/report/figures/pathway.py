"""The causal graph of a question: what is held, what is not, what nobody observes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch

from whatworks.design.causes.pathway import OUTCOME, TREATMENT
from whatworks.report.figures.style import BLUE, GREY, INK, ORANGE, TINT_BLUE, TINT_ORANGE
from whatworks.report.language import Words

ROW: Final = 54
FRAME: Final = 150
ENDS: Final = (TREATMENT, OUTCOME)
_LEFT, _RIGHT = 0.61, 0.99
_FROM, _DOWN = 0.63, 0.92
_TO: Final = {TREATMENT: 0.85, OUTCOME: 0.83}
_BOXES: Final[dict[str, dict[str, Any]]] = {
    "held": {"facecolor": TINT_BLUE, "edgecolor": BLUE},
    "free": {"facecolor": "white", "edgecolor": GREY},
    "at_fault": {"facecolor": TINT_ORANGE, "edgecolor": ORANGE, "linewidth": 2.5},
    "unobserved": {"facecolor": "white", "edgecolor": GREY, "linestyle": (0, (3, 2))},
    "after_entry": {"facecolor": "white", "edgecolor": GREY, "linestyle": (0, (1, 2))},
    "end": {"facecolor": INK, "edgecolor": INK},
}


def height(nodes: pd.DataFrame) -> float:
    """Height of the drawing, in its units."""
    return FRAME + ROW * len(nodes)


def draw_pathway(
    nodes: pd.DataFrame, edges: Sequence[tuple[str, str]], ax: Axes, *, words: Words
) -> None:
    """Causes one under another on the left; treatment and outcome on the right.

    Parameters
    ----------
    nodes : DataFrame
        ``node, fr, en, role``.
    edges : sequence of (cause, effect)
        Arrows to treatment or outcome are drawn, and those from what the treatment acts on; arrows
        among causes are left to the table.
    ax : Axes
    words : Words
    """
    n = len(nodes)
    places = dict(zip(nodes["node"], np.linspace(0.94, 0.06, n), strict=True))
    ends = {TREATMENT: 0.78, OUTCOME: 0.22}
    ax.set_axis_off()
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1)
    for cause, effect in edges:
        if cause in places and effect in ends:
            colour = BLUE if effect == TREATMENT else ORANGE
            _arrow(ax, (_FROM, places[cause]), (_TO[effect], ends[effect]), colour=colour)
    down = (ends[TREATMENT] - 0.045, ends[OUTCOME] + 0.045)
    _arrow(ax, (_DOWN, down[0]), (_DOWN, down[1]), colour=INK, width=3)
    for row in nodes.itertuples():
        box = {"boxstyle": "round,pad=0.3", **_BOXES[str(row.role)]}
        label = str(getattr(row, words.lang))
        ax.text(_LEFT, places[row.node], label, va="center", ha="right", bbox=box)
    for name, at in ends.items():
        box = {"boxstyle": "round,pad=0.4", **_BOXES["end"]}
        label = words.text(f"pathway.{name}")
        ax.text(_RIGHT, at, label, va="center", ha="right", color="white", bbox=box)


def _arrow(
    ax: Axes,
    begin: tuple[float, float],
    end: tuple[float, float],
    *,
    colour: str,
    width: float = 1.4,
) -> None:
    ax.add_patch(
        FancyArrowPatch(
            begin,
            end,
            arrowstyle="-|>",
            mutation_scale=14,
            color=colour,
            linewidth=width,
            shrinkA=0,
            shrinkB=0,
        )
    )

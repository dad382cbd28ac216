"""One look for every figure: size, type and colours that stay apart without colour vision.

Figures are drawn 640 units wide with type of 20, so that at 390 pixels, margins taken off, no
letter is smaller than 11 pixels.
"""

from __future__ import annotations

from textwrap import wrap
from typing import Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from whatworks.report.language import Words

POINTS_PER_INCH: Final = 72
WIDTH: Final = 640
HEIGHT: Final = 460
TYPE: Final = 20

_LINE: Final = 52
"""Letters of a line above a figure."""

BLUE: Final = "#0a5fa5"
ORANGE: Final = "#b8500a"
INK: Final = "#1b1f24"
GREY: Final = "#5b6470"
TINT_BLUE: Final = "#c9dff2"
TINT_ORANGE: Final = "#fbe6d6"

_LOOK: Final = {
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans"],
    "font.size": TYPE,
    "axes.titlesize": TYPE,
    "axes.labelsize": TYPE,
    "xtick.labelsize": TYPE,
    "ytick.labelsize": TYPE,
    "legend.fontsize": TYPE,
    "text.color": INK,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 1.2,
    "axes.unicode_minus": True,
    "text.parse_math": False,
    "lines.linewidth": 3.0,
    "lines.markersize": 9.0,
    "figure.facecolor": "white",
    "hatch.linewidth": 1.0,
}


def look(name: str) -> mpl.RcParams:
    """Matplotlib settings of a figure; its name makes the ids of its SVG its own."""
    return mpl.RcParams({**_LOOK, "svg.hashsalt": f"whatworks-{name}"})


def blank(height: float = HEIGHT) -> tuple[Figure, Axes]:
    """New figure and its axes, of the house's width, laid out to hold everything drawn."""
    size = (WIDTH / POINTS_PER_INCH, height / POINTS_PER_INCH)
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots()


def statement(figure: Figure, text: str) -> None:
    """Write a statement above a figure, on as many lines as it needs; nothing where there is none."""
    if text:
        figure.suptitle("\n".join(wrap(text, _LINE)), x=0.02, ha="left", color=ORANGE, fontsize=18)


def plain_ticks(words: Words) -> FuncFormatter:
    """Ticks with the decimals their own value needs, in the reader's typography.

    Ticks stand on round values, so six decimals are never cut short.
    """

    def shown(value: float, _: int | None) -> str:
        text = f"{value:.6f}".rstrip("0")
        return words.number(value, len(text.partition(".")[2]))

    return FuncFormatter(shown)


def label_row(ax: Axes, label: str, place: float) -> None:
    """Write a row's name above it, at the left edge, clear of the lines that cross the axes."""
    ax.annotate(
        label,
        xy=(0, place - 0.2),
        xycoords=("axes fraction", "data"),
        ha="left",
        va="bottom",
        zorder=4,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
    )

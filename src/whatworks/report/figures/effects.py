"""Effect by month since entry, with its interval; or effects one under another without a clock."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

from whatworks.evidence.record import Benchmark
from whatworks.report.figures.style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    TINT_BLUE,
    TINT_ORANGE,
    label_row,
    plain_ticks,
)
from whatworks.report.frames import Curve, rows_of
from whatworks.report.language import Words

ENOUGH_FOR_A_CURVE: Final = 3
MARKERS: Final = {"truth": "D", "experiment": "s", "naive": "X"}


def is_curve(curve: Curve) -> bool:
    """Whether there are months enough to draw a line through them."""
    return len(curve.drawn) >= ENOUGH_FOR_A_CURVE


def draw_curve(
    curve: Curve,
    ax: Axes,
    *,
    words: Words,
    clock: str = "month",
    benchmarks: Sequence[Benchmark] = (),
    base: bool = False,
) -> None:
    """Line of effects; before entry hollow and dashed, after entry full, the fall shaded.

    With ``base``, months whose zero was built are marked as such; else they are not drawn.
    """
    rows = curve.drawn
    fall = curve.lock_in()
    if fall is not None:
        ax.axvspan(
            fall[0] - 0.5,
            fall[1] + 0.5,
            facecolor=TINT_ORANGE,
            edgecolor=ORANGE,
            hatch="/",
            alpha=0.55,
            linewidth=0,
            label=words.text("graph.lock_in"),
        )
    ax.axhline(0, color=INK, linewidth=1.4)
    ax.axvline(-0.5, color=GREY, linewidth=1.6, linestyle=(0, (2, 2)))
    _arm(rows[rows["month"] < 0], ax, label=words.text("graph.before"), before=True)
    _arm(rows[rows["month"] >= 0], ax, label=words.text("graph.after"), before=False)
    built = curve.rows.loc[curve.built, "month"].to_numpy(float)
    if base and built.size:
        ax.plot(
            built,
            np.zeros(built.size),
            linestyle="none",
            marker="s",
            markersize=8,
            markerfacecolor="white",
            markeredgecolor=INK,
            markeredgewidth=1.8,
            zorder=5,
            label=words.text("graph.base"),
        )
    _marks(benchmarks, ax, words)
    ax.set_xlabel(words.text(f"{clock}.since"))
    ax.set_title(words.axis(curve.scale.unit), loc="left")
    step = 12 if np.ptp(rows["month"]) > 30 else 6 if np.ptp(rows["month"]) > 12 else 2
    ax.xaxis.set_major_locator(MultipleLocator(step))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: words.number(x)))
    ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_formatter(plain_ticks(words))
    ax.grid(axis="y", color="#e3e6ea", linewidth=1)
    ax.set_axisbelow(True)
    _legend(ax)


def _legend(ax: Axes) -> None:
    """Names under the axes: before and after entry first, then what is laid over them."""
    handles, labels = ax.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda k: isinstance(handles[k], Patch))
    ax.legend(
        [handles[k] for k in order],
        [labels[k] for k in order],
        ncols=2,
        frameon=False,
        handlelength=1.6,
        columnspacing=1.2,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.2),
    )


def _arm(rows: pd.DataFrame, ax: Axes, *, label: str, before: bool) -> None:
    """One side of entry: joint band, interval of each month within it, points on a line."""
    if rows.empty:
        return
    month = rows["month"].to_numpy(float)
    bounds = rows["conf_low"].to_numpy(float), rows["conf_high"].to_numpy(float)
    tint = "#e4e7eb" if before else TINT_BLUE
    joint = rows["band_low"].to_numpy(float), rows["band_high"].to_numpy(float)
    ax.fill_between(month, *joint, color=tint, alpha=0.45, linewidth=0)
    ax.fill_between(month, *bounds, color=tint, linewidth=0)
    ax.plot(
        month,
        rows["estimate"].to_numpy(float),
        color=GREY if before else BLUE,
        linestyle=(0, (4, 2)) if before else "-",
        linewidth=2.0 if before else 3.0,
        marker="o",
        markersize=5.5,
        markerfacecolor="white" if before else BLUE,
        markeredgewidth=1.5,
        label=label,
    )


def _marks(benchmarks: Sequence[Benchmark], ax: Axes, words: Words) -> None:
    """Numbers known from elsewhere, one shape per kind."""
    for code in dict.fromkeys(b.code for b in benchmarks):
        known = [b for b in benchmarks if b.code == code]
        ax.plot(
            [b.month for b in known],
            [b.value for b in known],
            linestyle="none",
            marker=MARKERS.get(code, "P"),
            markersize=11,
            markerfacecolor=ORANGE,
            markeredgecolor="white",
            markeredgewidth=1.2,
            zorder=5,
            label=words.text(f"benchmark.{code}.short"),
        )


def draw_rows(rows: pd.DataFrame, ax: Axes, *, words: Words, unit: str) -> None:
    """Effects one under another.

    Parameters
    ----------
    rows : DataFrame
        ``label, mark, value, low, high``; bounds NaN where there is no interval.
    ax : Axes
    words : Words
    unit : str
    """
    ax.axvline(0, color=INK, linewidth=1.4)
    for place, row in enumerate(rows_of(rows)):
        known = row.mark in MARKERS
        colour = ORANGE if known else BLUE
        if not isnan(row.low):
            ax.plot([row.low, row.high], [place, place], color=colour, linewidth=4)
        ax.plot(
            [row.value],
            [place],
            marker=MARKERS.get(row.mark, "o"),
            markersize=13,
            color=colour,
            linestyle="none",
        )
        label_row(ax, row.label, place)
    ax.set_ylim(len(rows) - 0.6, -0.85)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.margins(x=0.06)
    ax.set_xlabel(words.axis(unit))
    ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    ax.xaxis.set_major_formatter(plain_ticks(words))

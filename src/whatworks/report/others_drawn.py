"""Figures of what became of others, each told in words, with its numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite
from typing import Any, Final

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes

from whatworks.estimate.shares.net import NetEffects
from whatworks.evidence.record import Evidence
from whatworks.report import frames, others
from whatworks.report.drawn import figure_of
from whatworks.report.figures import break_even as break_even_figure
from whatworks.report.figures import nets as nets_figure
from whatworks.report.figures import ratios as ratios_figure
from whatworks.report.figures import responses as responses_figure
from whatworks.report.figures import style
from whatworks.report.figures.svg import Drawing
from whatworks.report.frames import rows_of
from whatworks.report.language import Words, words

IN_FIGURE: Final = ("spillover_over_direct", "displacement_ratio", "structural_displacement")
"""Ratios of one scale: shares of a gain."""


def plot_responses(found: NetEffects, *, ax: Axes | None = None, lang: str = "fr") -> Axes:
    """What the assigned gain and the unassigned lose, by share of the market assigned.

    Points are the cells, with intervals of each share alone (thick) and of all shares at once (thin);
    lines are the fits that smooth over shares, drawn together so that nobody reads one for the other.

    Parameters
    ----------
    found : NetEffects
    ax : matplotlib Axes, optional
        By default those of a new figure, at ``ax.figure``, unknown to pyplot.
    lang : str
        ``"fr"`` or ``"en"``.
    """
    with _axes_of("responses", ax, responses_figure.HEIGHT) as axes:
        scale = others.scale_of_net(found)
        table = others.responses_in(others.rounded_net(found, scale))
        responses_figure.draw_responses(table, axes, words=words(lang), unit=scale.unit)
    return axes


def plot_net(found: NetEffects, *, ax: Axes | None = None, lang: str = "fr") -> Axes:
    """What is left in net per 100 assigned, by share of the market assigned and whose losses count.

    Parameters
    ----------
    found : NetEffects
    ax : matplotlib Axes, optional
        By default those of a new figure, at ``ax.figure``, unknown to pyplot.
    lang : str
        ``"fr"`` or ``"en"``.
    """
    with _axes_of("net", ax, nets_figure.HEIGHT) as axes:
        scale = others.scale_of_net(found)
        table = others.nets_in(others.rounded_net(found, scale))
        nets_figure.draw_nets(table, axes, words=words(lang), unit=scale.unit)
    return axes


@contextmanager
def _axes_of(name: str, ax: Axes | None, height: float) -> Iterator[Axes]:
    """Axes in the look of a figure; new ones where none are given."""
    with mpl.rc_context(style.look(name)):
        yield style.blank(height)[1] if ax is None else ax


def drawings(evidence: Evidence, speak: Words) -> tuple[Drawing, ...]:
    """Those there are numbers for, in the order of the page."""
    made = (
        responses_drawing(evidence, speak),
        nets_drawing(evidence, speak),
        ratios_drawing(evidence, speak),
        break_even_drawing(evidence, speak),
    )
    return tuple(d for d in made if d is not None)


def responses_drawing(evidence: Evidence, speak: Words) -> Drawing | None:
    """Both arms by share, None where no net is told."""
    table = others.responses(evidence)
    if table.empty:
        return None
    scale = frames.common_scale(evidence)
    told = [
        speak.text(
            f"told.responses.{row.quantity}",
            {
                "share": speak.percent(row.share),
                "fit": speak.text(f"fit.{row.fit}.label"),
                "effect": speak.amount(row.estimate, scale, signed=True),
                "interval": speak.span(row.low, row.high, scale),
            },
        )
        for row in rows_of(table[table["fit"] != "linear"])
    ]
    return figure_of(
        "responses",
        lambda ax: responses_figure.draw_responses(table, ax, words=speak, unit=scale.unit),
        height=responses_figure.HEIGHT,
        told=" ".join(told),
        data=table,
        speak=speak,
    )


def nets_drawing(evidence: Evidence, speak: Words) -> Drawing | None:
    """Net per 100 by share, None where none is told."""
    table = others.nets(evidence)
    if not table["estimate"].notna().any():
        return None
    scale = others.per_hundred_scale(evidence)
    told = [
        speak.text(
            "told.net",
            {
                "share": speak.percent(row.share),
                "fit": speak.text(f"fit.{row.fit}.label"),
                "pool": speak.text(f"pool.{row.pool}.short"),
                "net": speak.number(row.estimate, scale.decimals, signed=True),
                "interval": speak.bounds(row.low, row.high, scale),
            },
        )
        for row in rows_of(table[table["estimate"].notna()])
    ]
    return figure_of(
        "net",
        lambda ax: nets_figure.draw_nets(table, ax, words=speak, unit=scale.unit),
        height=nets_figure.HEIGHT,
        told=" ".join(told),
        data=table,
        speak=speak,
    )


def ratios_drawing(evidence: Evidence, speak: Words) -> Drawing | None:
    """Ratios at the mean share and what is not excluded of each, None where none is told."""
    table = others.ratios(evidence)
    table = table[table["quantity"].isin(IN_FIGURE) & (table["fit"] != "linear")]
    if table.empty:
        return None
    rows = pd.DataFrame(
        {
            "label": [ratio_label(speak, row) for row in rows_of(table)],
            "value": table["estimate"].to_numpy(),
            "kind": table["set_kind"].to_numpy(),
            "low": table["low"].to_numpy(),
            "high": table["high"].to_numpy(),
        }
    )
    told = [
        speak.text("told.ratio", {"label": str(row.label), "set": set_told(speak, row)})
        for row in rows_of(rows)
    ]
    return figure_of(
        "ratios",
        lambda ax: ratios_figure.draw_ratios(rows, ax, words=speak),
        height=ratios_figure.height(rows),
        told=" ".join(told),
        data=rows,
        speak=speak,
    )


def ratio_label(speak: Words, row: Any) -> str:
    """Name of a ratio with whose losses it counts and by which fit."""
    parts = [speak.text(f"quantity.{row.quantity}.short")]
    if row.pool:
        parts.append(speak.text(f"pool.{row.pool}.tag"))
    return ", ".join([*parts, speak.text(f"fit.{row.fit}.label")])


def set_told(speak: Words, row: Any) -> str:
    """Values of a ratio not excluded, in words: bounded, outside two bounds, or any."""
    kind = str(row.kind if hasattr(row, "kind") else row.set_kind)
    low, high = row.low, row.high
    if kind == "interval" and not (isfinite(low) and isfinite(high)):
        kind = "line"
    facts = {
        "low": speak.number(low, others.RATIO_DECIMALS),
        "high": speak.number(high, others.RATIO_DECIMALS),
    }
    return speak.text(f"set.{kind}", facts)


def break_even_drawing(evidence: Evidence, speak: Words) -> Drawing | None:
    """Money left by the share of the gain taken, None without a cost and a value."""
    line = others.line_of_break_even(evidence)
    if line.empty:
        return None
    published = others.scenarios(evidence)["share_lost"].dropna()
    known = others.break_even(evidence).iloc[0]
    facts = {
        "cost": speak.number(known["cost"]),
        "value": speak.number(known["value"]),
        "set": share_set_told(speak, known),
    }
    return figure_of(
        "break_even",
        lambda ax: break_even_figure.draw_break_even(
            line, ax, words=speak, scenarios=tuple(float(s) for s in published)
        ),
        height=break_even_figure.HEIGHT,
        told=speak.text("told.break_even", facts),
        data=line,
        speak=speak,
    )


def share_set_told(speak: Words, row: pd.Series) -> str:
    """Break-even share with what is not excluded, in words."""
    if row["set_kind"] != "interval" or not isfinite(row["estimate"]):
        return speak.text("break_even.unbounded")
    facts = {
        name: speak.number(100 * row[end], 1)
        for name, end in (("share", "estimate"), ("low", "low"), ("high", "high"))
    }
    never = row["estimate"] <= 0
    return speak.text("break_even.never" if never else "break_even.share", facts)

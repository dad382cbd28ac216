"""Every figure of an evidence, drawn, told in words, with the numbers it draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes

from whatworks.design.causes.pathway import Pathway
from whatworks.design.record import Design
from whatworks.errors import OptionError, choice
from whatworks.estimate.record import Estimate
from whatworks.evidence.record import Evidence
from whatworks.report import frames, names, rollout, wording
from whatworks.report.drawn import figure_of
from whatworks.report.figures import (
    balance,
    calendar,
    effects,
    flow,
    history,
    overlap,
    pathway,
    style,
)
from whatworks.report.figures.svg import Drawing, drawing
from whatworks.report.frames import Curve, curve
from whatworks.report.language import Words, words
from whatworks.report.numbers import rounded_effects

_ROW: Final = ["label", "mark", "value", "low", "high"]
_ROW_HEIGHT: Final = 78
_ROWS_FRAME: Final = 110
_NAN: Final = float("nan")
DESIGN_FIGURES: Final = ("balance", "overlap", "history", "calendar", "flow")


_TABLES: Final[Mapping[str, Callable[[Design], pd.DataFrame]]] = {
    "overlap": frames.overlap,
    "history": frames.history,
    "calendar": rollout.calendar,
    "flow": Design.flow,
}


def plot_effects(estimate: Estimate, *, ax: Axes | None = None, lang: str = "fr") -> Axes:
    """Effects of an estimate by month since entry, with their 95 % intervals.

    Parameters
    ----------
    estimate : Estimate
    ax : matplotlib Axes, optional
        By default those of a new figure, at ``ax.figure``, unknown to pyplot.
    lang : str
        ``"fr"`` or ``"en"``.
    """
    speak, found = words(lang), curve(estimate)
    with mpl.rc_context(style.look("effects")):
        if effects.is_curve(found):
            ax = style.blank()[1] if ax is None else ax
            effects.draw_curve(found, ax, words=speak)
        else:
            rows = effect_rows(estimate.effects, found, speak)
            ax = style.blank(_rows_height(rows))[1] if ax is None else ax
            effects.draw_rows(rows, ax, words=speak, unit=found.scale.unit)
    return ax


def plot_balance(design: Design, *, ax: Axes | None = None, lang: str = "fr") -> Axes:
    """Love plot of a design: standardised differences before and after choosing comparisons.

    Parameters
    ----------
    design : Design
    ax : matplotlib Axes, optional
        By default those of a new figure, at ``ax.figure``, unknown to pyplot.
    lang : str
        ``"fr"`` or ``"en"``.
    """
    table = frames.balance_of(design)
    with mpl.rc_context(style.look("balance")):
        ax = style.blank(balance.height(table))[1] if ax is None else ax
        balance.draw_balance(table, ax, words=words(lang))
    return ax


def plot_design(design: Design, kind: str, *, ax: Axes | None = None, lang: str = "fr") -> Axes:
    """One figure of a design, before or after its outcomes are opened.

    Parameters
    ----------
    design : Design
    kind : str
        ``"balance"``, ``"overlap"``, ``"history"``, ``"calendar"`` or ``"flow"``.
    ax : matplotlib Axes, optional
        By default those of a new figure, at ``ax.figure``, unknown to pyplot.
    lang : str
        ``"fr"`` or ``"en"``.

    Raises
    ------
    OptionError
        For another kind, or one that this design has nothing to show of.
    """
    choice(kind, DESIGN_FIGURES, what="kind")
    if kind == "balance":
        return plot_balance(design, ax=ax, lang=lang)
    speak = words(lang)
    table = _TABLES[kind](design)
    if table.empty:
        raise OptionError(
            what=f"figure {kind!r}",
            needed="a score for the overlap, a panel for the history, a rollout for the calendar",
            found="none in this design",
            remedy="draw another figure",
        )
    with mpl.rc_context(style.look(kind)):
        if kind == "overlap":
            ax = style.blank()[1] if ax is None else ax
            overlap.draw_overlap(table, ax, words=speak)
        elif kind == "history":
            ax = style.blank(history.height(table))[1] if ax is None else ax
            history.draw_history(table, ax, words=speak)
        elif kind == "calendar":
            ax = style.blank(calendar.height(table))[1] if ax is None else ax
            calendar.draw_calendar(table, ax, words=speak, clock=frames.clock(design))
        else:
            ax = style.blank(flow.height(design.ledger, speak))[1] if ax is None else ax
            flow.draw_flow(design.ledger, ax, words=speak)
    return ax


def effect_rows(table: pd.DataFrame, found: Curve, speak: Words) -> pd.DataFrame:
    """Effects one under another: ``label, mark, value, low, high``, rounded."""
    rounded = rounded_effects(table, found.scale)
    rounded = rounded[rounded["cohort"] == frames.ALL_COHORTS]
    records = [
        (
            _row_label(row, speak),
            "estimate",
            row["estimate"],
            row["conf_low"],
            row["conf_high"],
        )
        for _, row in rounded.iterrows()
    ]
    return pd.DataFrame(records, columns=_ROW)


def _row_label(row: pd.Series, speak: Words) -> str:
    """Term, month and group of one effect, as far as they say something."""
    label = speak.text(f"term.{row['term']}.short")
    parts = [label]
    if row["month"] != 0:
        parts.append(names.at(speak, int(row["month"]), clock="month"))
    if row["group"] != frames.EVERYONE:
        parts.append(names.group(speak, str(row["group"])))
    return ", ".join(parts)


def effects_drawing(evidence: Evidence, speak: Words) -> Drawing:
    """Curve by month since entry, or effects and benchmarks one under another."""
    found = curve(evidence.estimates[0])
    if not effects.is_curve(found):
        return _rows_drawing(evidence, speak)
    with mpl.rc_context(style.look("effects")):
        figure, ax = style.blank()
        effects.draw_curve(
            found,
            ax,
            words=speak,
            clock=frames.clock(evidence.design),
            benchmarks=evidence.benchmarks,
            base=frames.rolls_out(evidence.design),
        )
        banner = wording.beside_direct(speak, evidence)
        style.statement(figure, banner)
    return drawing(
        figure,
        name="effects",
        title=speak.text("figure.effects"),
        description=wording.effects_told(speak, evidence),
        data=found.drawn.assign(displacement=banner) if banner else found.drawn,
    )


def _rows_drawing(evidence: Evidence, speak: Words) -> Drawing:
    estimate = evidence.estimates[0]
    found = curve(estimate)
    everyone = estimate.effects[estimate.effects["group"] == frames.EVERYONE]
    records = effect_rows(everyone, found, speak).to_records(index=False).tolist()
    rows = pd.DataFrame([*records, *_known(evidence, speak)], columns=_ROW)
    with mpl.rc_context(style.look("effects")):
        figure, ax = style.blank(_rows_height(rows))
        effects.draw_rows(rows, ax, words=speak, unit=found.scale.unit)
        banner = wording.beside_direct(speak, evidence)
        style.statement(figure, banner)
    told, data = wording.rows_told(speak, rows, found), rows.drop(columns="mark")
    return drawing(
        figure,
        name="effects",
        title=speak.text("figure.effects"),
        description=f"{told} {banner}".rstrip(),
        data=data.assign(displacement=banner) if banner else data,
    )


def _known(evidence: Evidence, speak: Words) -> list[tuple[str, str, float, float, float]]:
    known = frames.benchmarks(evidence)
    return [
        (speak.text(f"benchmark.{code}.label"), str(code), float(value), _NAN, _NAN)
        for code, value in zip(known["benchmark"], known["value"], strict=True)
    ]


def _rows_height(rows: pd.DataFrame) -> float:
    return _ROWS_FRAME + _ROW_HEIGHT * len(rows)


def balance_drawing(table: pd.DataFrame, speak: Words) -> Drawing | None:
    """Love plot, None when balance was not tested."""
    if table.empty:
        return None
    return figure_of(
        "balance",
        lambda ax: balance.draw_balance(table, ax, words=speak),
        height=balance.height(table),
        told=wording.balance_told(speak, table),
        data=table,
        speak=speak,
    )


def history_drawing(design: Design, speak: Words) -> Drawing | None:
    """States before entry in each arm, None when no panel was read or nothing may be shown."""
    table = frames.history(design)
    if table.empty:
        return None
    return figure_of(
        "history",
        lambda ax: history.draw_history(table, ax, words=speak),
        height=history.height(table),
        told=wording.history_told(speak, table),
        data=table,
        speak=speak,
    )


def overlap_drawing(design: Design, speak: Words) -> Drawing | None:
    """Histogram of the score, None when no score was fitted."""
    table = frames.overlap(design)
    if table.empty:
        return None
    return figure_of(
        "overlap",
        lambda ax: overlap.draw_overlap(table, ax, words=speak),
        told=wording.overlap_told(speak, table),
        data=table,
        speak=speak,
    )


def pathway_drawing(evidence: Evidence, speak: Words) -> Drawing | None:
    """Causal graph the covariates were set against, None when nothing rests on covariates."""
    nodes = frames.pathway(evidence)
    if nodes.empty:
        return None
    edges = (evidence.design.graph or Pathway.default()).edges()
    return figure_of(
        "pathway",
        lambda ax: pathway.draw_pathway(nodes, edges, ax, words=speak),
        height=pathway.height(nodes),
        told=wording.pathway_told(speak, nodes),
        data=nodes,
        speak=speak,
    )


def flow_drawing(evidence: Evidence, speak: Words) -> Drawing | None:
    """Flow of persons, None when no step was written."""
    ledger = frames.ledger(evidence)
    if not ledger.steps:
        return None
    return figure_of(
        "flow",
        lambda ax: flow.draw_flow(ledger, ax, words=speak),
        height=flow.height(ledger, speak),
        told=wording.flow_told(speak, ledger),
        data=ledger.frame(),
        speak=speak,
    )

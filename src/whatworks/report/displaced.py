"""The part of the page on others: what is left in net, or what can be said when nothing is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any, Final

import pandas as pd
from markupsafe import Markup

from whatworks.estimate.shares.at_shares import BETWEEN
from whatworks.evidence.record import Evidence
from whatworks.report import frames, others, others_drawn
from whatworks.report.figures.svg import Drawing
from whatworks.report.frames import rows_of
from whatworks.report.language import Words
from whatworks.report.numbers import Scale
from whatworks.report.pieces import Picture, Reason
from whatworks.report.tables import Table, table_of

_POOLS: Final = {"everyone_exposed": "net_everyone_exposed", "seen": "net_seen"}
"""Whose losses are counted, and the column that says so."""
_ORDER: Final = ("saturated", "pooled", "linear")
"""Of fits, as they are printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Others:
    """What the page says of others, beside the statement on displacement.

    Parameters
    ----------
    said : tuple of str
        Sentences with the nets and the break-even, each fit beside the others.
    net, ratios, bounds, scenarios : Table or None
    figures : tuple of Picture
    definitions : tuple of (str, str)
        Of every quantity printed, with its formula in words.
    wanting : tuple of Reason
    """

    said: tuple[str, ...]
    net: Table | None
    ratios: Table | None
    bounds: Table | None
    scenarios: Table | None
    figures: tuple[Picture, ...]
    definitions: tuple[tuple[str, str], ...]
    wanting: tuple[Reason, ...]


def of_others(words: Words, evidence: Evidence) -> Others:
    """Everything the page says of others."""
    drawn = others_drawn.drawings(evidence, words)
    return Others(
        said=(*_nets_said(words, evidence), *_break_even_said(words, evidence)),
        net=_net(words, evidence),
        ratios=_ratios(words, evidence),
        bounds=_bounds(words, evidence),
        scenarios=_scenarios(words, evidence),
        figures=tuple(_picture(words, evidence, d) for d in drawn),
        definitions=_definitions(words, evidence),
        wanting=tuple(
            Reason(
                text=words.text(f"lack.{lack.code}.text"),
                lifted_by=words.text(f"lack.{lack.code}.lifted_by"),
            )
            for lack in evidence.displacement.lacks
        ),
    )


def _at_mean(evidence: Evidence) -> pd.DataFrame:
    """Nets at the share that is read first: the mean one, by every fit that tells it."""
    found, table = others.net_of(evidence), others.nets(evidence)
    if found is None:
        return table
    table = table[table["estimate"].notna()]
    here = table[(table["share"] - found.mean_share).abs() < 1e-3]
    return here if (here["fit"] == "saturated").any() else table


def _nets_said(words: Words, evidence: Evidence) -> tuple[str, ...]:
    """Nets in sentences: each fit says its own, losses of the rest of the pool with and without."""
    scale = others.per_hundred_scale(evidence)
    said = [
        words.text(
            f"net.reading.{row.pool}",
            {
                "share": words.percent(row.share),
                "fit": words.text(f"fit.{row.fit}.said"),
                "net": words.number(row.estimate, scale.decimals, signed=True),
                "interval": words.bounds(row.low, row.high, scale),
            },
        )
        for row in rows_of(_ordered(_at_mean(evidence)))
        if row.fit != "linear"
    ]
    found = others.net_of(evidence)
    if found is not None and isnan(found.pool_share):
        said.append(words.text("net.pool_unknown"))
    return tuple(said)


def _break_even_said(words: Words, evidence: Evidence) -> tuple[str, ...]:
    table = others.break_even(evidence)
    return tuple(others_drawn.share_set_told(words, row) for _, row in table.iterrows())


def _net(words: Words, evidence: Evidence) -> Table | None:
    """Net per 100 by share and fit."""
    table = others.net_table(evidence)
    if table.empty:
        return None
    scale = others.per_hundred_scale(evidence)
    pools = [p for p in _POOLS if ((table["quantity"] == "net_pool") & (table["pool"] == p)).any()]
    took_part = (table["quantity"] == "net_participants").any()
    rows = []
    for _, here in _ordered(table).groupby(["share", "fit"], sort=False):
        first = here.iloc[0]
        alone = here[here["quantity"] == "net_assigned"].iloc[0]
        cells = [_share(words, first), words.text(f"fit.{first['fit']}.label")]
        cells += _valued(words, alone, scale)
        for pool in pools:
            one = here[(here["quantity"] == "net_pool") & (here["pool"] == pool)]
            cells += _valued(words, one.iloc[0], scale) if len(one) else [_none(words)] * 2
        if took_part:
            one = here[here["quantity"] == "net_participants"]
            cells += _valued(words, one.iloc[0], scale) if len(one) else [_none(words)] * 2
        rows.append(tuple(cells))
    columns = ["share_helped", "fit", "net_eligible", "interval"]
    columns += [name for p in pools for name in (_POOLS[p], "interval")]
    columns += ["net_participants", "interval"] if took_part else []
    return table_of(words, "net", columns, rows, text=("fit",))


def _share(words: Words, row: pd.Series) -> str:
    """A share assigned; one that no market had is told to be between two that some had."""
    shown = words.percent(float(row["share"]))
    return words.text("text.between", {"share": shown}) if row["read"] == BETWEEN else shown


def _valued(words: Words, row: pd.Series, scale: Scale) -> list[str]:
    """A number and its interval; where there is none, why."""
    if pd.isna(row["estimate"]) and row["code"]:
        return [_none(words), words.text(f"lack.{row['code']}.short")]
    return [
        words.number(row["estimate"], scale.decimals, signed=True),
        words.bounds(row["low"], row["high"], scale),
    ]


def _none(words: Words) -> str:
    return words.text("number.undefined")


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    """Rows by share, then fit."""
    rank = table["fit"].map({fit: k for k, fit in enumerate(_ORDER)})
    return table.assign(rank=rank).sort_values(["share", "rank"], kind="stable")


def _ratios(words: Words, evidence: Evidence) -> Table | None:
    """Ratios at the mean share, with the set of each."""
    table = others.ratios(evidence)
    if table.empty:
        return None
    rows = [
        (
            words.text(f"quantity.{row.quantity}.label"),
            words.text(f"pool.{row.pool}.short") if row.pool else words.text("text.none"),
            words.text(f"fit.{row.fit}.label"),
            _ratio(words, evidence, row, float(row.estimate)),
            _set(words, evidence, row),
        )
        for row in rows_of(table)
    ]
    columns = ["quantity", "pool", "fit", "ratio", "set"]
    return table_of(words, "ratios", columns, rows, text=("pool", "fit", "set"))


def _ratio(words: Words, evidence: Evidence, row: Any, value: float) -> str:
    if isnan(value):
        return _none(words)
    return words.number(value, others.decimals_of(evidence, str(row.quantity)))


def _set(words: Words, evidence: Evidence, row: Any) -> str:
    """Values not excluded, in the decimals of their quantity."""
    facts = {end: _ratio(words, evidence, row, float(getattr(row, end))) for end in ("low", "high")}
    return words.text(f"set.{row.set_kind}", facts)


def _bounds(words: Words, evidence: Evidence) -> Table | None:
    """Bounds on the net under each assumption."""
    table = others.bounds(evidence)
    if table.empty:
        return None
    scale = others.per_hundred_scale(evidence)
    rows = [
        (
            words.text(f"assumption.{row.assumption}"),
            words.bounds(row.low, row.high, scale),
            words.bounds(row.conf_low, row.conf_high, scale),
        )
        for row in rows_of(table)
    ]
    return table_of(
        words,
        "bounds",
        ["assumption", "bounds", "bounds_with_error"],
        rows,
        text=("bounds", "bounds_with_error"),
    )


def _scenarios(words: Words, evidence: Evidence) -> Table | None:
    """Published magnitudes, each on its own, and what each would leave."""
    table = others.scenarios(evidence)
    if table.empty:
        return None
    scale = others.per_hundred_scale(evidence)
    rows = [
        (
            words.text("scenario.study", {"study": str(row.study), "source": str(row.source)}),
            str(getattr(row, words.lang)),
            words.text(f"tightness.{row.tightness}"),
            words.share(row.share_lost)
            if pd.notna(row.share_lost)
            else words.text(f"direction_of.{row.direction}"),
            words.number(row.left, scale.decimals, signed=True)
            if pd.notna(row.left)
            else words.text("text.none"),
        )
        for row in rows_of(table)
    ]
    columns = ["study", "finding_of_study", "tightness", "share_lost", "left"]
    return table_of(words, "scenarios", columns, rows, text=columns[1:4])


def _picture(words: Words, evidence: Evidence, drawn: Drawing) -> Picture:
    """A figure with its caption and the table of what it draws."""
    caption = [words.text(f"caption.{drawn.name}")]
    if drawn.name == "responses":
        caption += [
            words.text(f"caption.lack_of_fit.{row.fit}", {"p": words.p_value(float(row.p_value))})
            for row in rows_of(others.lack_of_fit(evidence))
        ]
    if drawn.name == "break_even" and others.scenarios(evidence)["share_lost"].notna().any():
        caption.append(words.text("caption.break_even_scenarios"))
    svg = Markup(drawn.svg)  # noqa: S704 drawn by us, text escaped by ElementTree
    table = _drawn_table(words, evidence, drawn)
    return Picture(key=drawn.name, svg=svg, caption=" ".join(caption), table=table)


def _drawn_table(words: Words, evidence: Evidence, drawn: Drawing) -> Table:
    """The numbers of a figure as a table."""
    data = drawn.data
    if drawn.name == "break_even":
        kept = data.iloc[:: max(len(data) // 12, 1)]
        rows: Sequence[tuple[str, ...]] = [
            (words.share(r.taken), words.number(r.left), _span(words, r.low, r.high))
            for r in rows_of(kept)
        ]
        return table_of(words, "break_even", ["taken", "money_left", "interval"], rows)
    if drawn.name == "ratios":
        rows = [
            (
                str(r.label),
                _none(words) if pd.isna(r.value) else words.number(r.value, others.RATIO_DECIMALS),
                others_drawn.set_told(words, r),
            )
            for r in rows_of(data)
        ]
        return table_of(words, "ratios_drawn", ["quantity", "ratio", "set"], rows, text=("set",))
    if drawn.name == "net":
        scale, head = others.per_hundred_scale(evidence), "pool"
        first = [words.text(f"pool.{p}.short") for p in data["pool"]]
    else:
        scale, head = frames.common_scale(evidence), "term"
        first = [words.text(f"term.{q}.short") for q in data["quantity"]]
    rows = [
        (
            name,
            words.percent(r.share),
            words.text(f"fit.{r.fit}.label"),
            words.number(r.estimate, scale.decimals, signed=True),
            words.bounds(r.low, r.high, scale),
        )
        for name, r in zip(first, rows_of(data), strict=True)
    ]
    columns = [head, "share_helped", "fit", "value", "interval"]
    key = "nets_drawn" if drawn.name == "net" else "responses"
    return table_of(words, key, columns, rows, text=("share_helped", "fit"))


def _span(words: Words, low: float, high: float) -> str:
    return words.text("interval.bare", {"low": words.number(low), "high": words.number(high)})


def _definitions(words: Words, evidence: Evidence) -> tuple[tuple[str, str], ...]:
    """Every ratio printed, kept apart by what it is."""
    quantities = list(dict.fromkeys(others.ratios(evidence)["quantity"]))
    if others.net_of(evidence) is not None:
        quantities = ["net_assigned", *quantities]
    return tuple(
        (words.text(f"quantity.{q}.label"), words.text(f"quantity.{q}.definition"))
        for q in quantities
    )

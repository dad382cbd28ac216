"""The heat map of missingness as a drawing, told in words, with its numbers; as SVG or PNG."""

from __future__ import annotations

import io
from typing import Final

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from whatworks.indicators import Measured
from whatworks.months import to_label
from whatworks.report import names
from whatworks.report.figures import missingness, style
from whatworks.report.figures.svg import Drawing, drawing
from whatworks.report.language import Words, words

NAME: Final = "missingness"
_DOTS_PER_INCH: Final = 144


def missingness_drawing(measured: Measured, speak: Words) -> Drawing:
    """Heat map of a panel's missing data.

    Parameters
    ----------
    measured : Measured
    speak : Words
    """
    table = measured.missingness()
    return drawing(
        _figure(table, speak),
        name=NAME,
        title=speak.text("figure.missingness"),
        description=told(table, speak),
        data=table.assign(month=table["month"].map(to_label)),
    )


def heatmap(measured: Measured, *, kind: str = "svg", lang: str = "fr") -> bytes:
    """Heat map as the bytes of a file.

    Parameters
    ----------
    measured : Measured
    kind : str
        ``"svg"``, with its text alternative, or ``"png"``.
    lang : str
        ``"fr"`` or ``"en"``.
    """
    speak = words(lang)
    if kind == "svg":
        return missingness_drawing(measured, speak).file().encode()
    buffer = io.BytesIO()
    with mpl.rc_context(style.look(NAME)):
        figure = _figure(measured.missingness(), speak)
        figure.savefig(buffer, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()


def told(table: pd.DataFrame, speak: Words) -> str:
    """Heat map in words: its window, then each source with its numbers."""
    months = table["month"]
    window = {
        end: speak.month(to_label(int(m)))
        for end, m in (("first", months.min()), ("last", months.max()))
    }
    said = [speak.text("told.missing", window)]
    for source, rows in table.groupby("source", sort=False):
        covered = rows[rows["share"] < 1.0]["share"]
        name = names.source(speak, str(source))
        if covered.empty:
            said.append(speak.text("told.missing_none_covered", {"source": name}))
            continue
        facts = {
            "source": name,
            "uncovered": speak.count(len(rows) - len(covered)),
            "worst": speak.share(float(covered.max())),
            "mean": speak.share(float(covered.mean())),
        }
        said.append(speak.text("told.missing_row", facts))
    return " ".join(said)


def _figure(table: pd.DataFrame, speak: Words) -> Figure:
    with mpl.rc_context(style.look(NAME)):
        figure, ax = style.blank(missingness.height(table))
        missingness.draw_missingness(table, ax, words=speak)
        figure.suptitle(speak.text("figure.missingness"), x=0.02, ha="left", fontsize=style.TYPE)
    return figure

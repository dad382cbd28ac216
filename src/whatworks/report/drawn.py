"""One figure of the page, from what draws it: the house's look, its name's words, its numbers."""

from __future__ import annotations

from collections.abc import Callable

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes

from whatworks.report.figures import style
from whatworks.report.figures.svg import Drawing, drawing
from whatworks.report.language import Words


def figure_of(
    name: str,
    draw: Callable[[Axes], None],
    *,
    told: str,
    data: pd.DataFrame,
    speak: Words,
    height: float = style.HEIGHT,
) -> Drawing:
    """A figure of the house's look, under the name that its words have in the catalogue."""
    with mpl.rc_context(style.look(name)):
        figure, ax = style.blank(height)
        draw(ax)
    return drawing(
        figure, name=name, title=speak.text(f"figure.{name}"), description=told, data=data
    )

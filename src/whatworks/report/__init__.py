"""Evidence → pages, tables, figures, files. It computes nothing.

What comes in: `Evidence`. What goes out: a folder with a self-contained page, the figures as SVG with
their numbers, and the effects as CSV, Parquet and JSON, all from one table of rounded numbers
(``numbers.py``). Texts live in ``catalogue/fr.po`` and ``catalogue/en.po``, read by ``language.py``;
a page looks up its words by key and an absent key is an error.
"""

from whatworks.report.collection import Entry, render_collection
from whatworks.report.others_drawn import plot_net, plot_responses
from whatworks.report.pictures import plot_balance, plot_design, plot_effects
from whatworks.report.render import render

__all__ = [
    "Entry",
    "plot_balance",
    "plot_design",
    "plot_effects",
    "plot_net",
    "plot_responses",
    "render",
    "render_collection",
]

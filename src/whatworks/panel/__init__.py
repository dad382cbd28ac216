"""Spells → Panel: a row for every person and every month, whether anything was seen or not.

What comes in: `Spells`. What goes out: `Panel`, a table of the engine with one column per state,
null where no source covers the month. ``expand.py`` is the verb.
"""

from whatworks.panel.expand import expand
from whatworks.panel.record import Panel

__all__ = ["Panel", "expand"]

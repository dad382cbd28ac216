"""Records → Spells: contradictions between rows are resolved once, here.

What comes in: `Records`, row by row as the files have it. What goes out: `Spells`, in which a month
of a snapshot has become a stay, an open or sentinel end has been closed at the end of what its source
covers, and overlapping rows of one state are one stay. ``reconcile.py`` is the verb;
``overlaps.py`` cuts and merges.
"""

from whatworks.spells.reconcile import reconcile
from whatworks.spells.record import Overlap, Spells

__all__ = ["Overlap", "Spells", "reconcile"]

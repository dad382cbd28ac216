"""Spells → Panel: a row for every person and every month, whether anything was seen or not.

What comes in: `Spells`. What goes out: `Panel`, a table of the engine with one column per state,
null where no source sees the person. ``expand.py`` lays it out in the engine; ``build.py`` writes it
as a folder of files, block by block, and ``manifest.py`` opens such a folder.

``parts.py`` brings the spells and what stands beside them to numbers, ``layout.py`` lays them out,
``fingerprints.py`` tells which files are to be written again, ``store.py`` makes files appear whole.
"""

from whatworks.panel.build import build
from whatworks.panel.expand import expand
from whatworks.panel.manifest import open_panel
from whatworks.panel.record import Panel

__all__ = ["Panel", "build", "expand", "open_panel"]

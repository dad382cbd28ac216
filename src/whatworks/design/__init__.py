"""Panel + Question → Design: who is compared with whom, before any outcome is seen.

What comes in: a `Panel` and a `Question` (``compare.py``), or an ordinary table
(`Design.from_cross_section`, `Design.from_panel`). What goes out: a `Design`. ``cohorts.py`` lays out
monthly risk sets in the engine; ``comparisons/`` holds the ways of choosing, one file each.
"""

from whatworks.design.compare import compare
from whatworks.design.comparisons.exact import Exact
from whatworks.design.comparisons.nearest import NearestNeighbours
from whatworks.design.parts import Outcomes, Population
from whatworks.design.question import Question
from whatworks.design.record import Design

__all__ = [
    "Design",
    "Exact",
    "NearestNeighbours",
    "Outcomes",
    "Population",
    "Question",
    "compare",
]

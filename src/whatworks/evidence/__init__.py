"""Design + Estimates → Evidence: what the numbers are worth, with every reason named.

What comes in: a `Design` and its `Estimate` records. What goes out: `Evidence`. Checks are one file
each in ``checks/``; ``rating.py`` holds the caps and the rules of the conclusion.
"""

from whatworks.evidence.record import (
    Benchmark,
    Deduction,
    Displacement,
    Evidence,
    Finding,
    Lack,
    Rating,
    Refusal,
    Stakes,
)
from whatworks.evidence.weigh import weigh

__all__ = [
    "Benchmark",
    "Deduction",
    "Displacement",
    "Evidence",
    "Finding",
    "Lack",
    "Rating",
    "Refusal",
    "Stakes",
    "weigh",
]

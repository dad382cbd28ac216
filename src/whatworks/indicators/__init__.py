"""Panel → outcome columns: what may be called a result, and whether this panel can carry it.

What comes in: `Panel`. What goes out: an `Assessment` by the reliability gate, and the monthly
expression of a registered outcome. Adding an outcome is adding one file to ``definitions/``; adding a
criterion of the gate, one file to ``criteria/`` and its thresholds to ``gate.toml``. Activity, input
and process measures are registered too (``definitions/activity.py``): so that asking for one as a
result is answered by a refusal that says why.
"""

from whatworks.indicators.assessment import Assessment, assess
from whatworks.indicators.claims import Claim, examine
from whatworks.indicators.esf import EsfCounts, esf_counts
from whatworks.indicators.gate import Gate, Waiver
from whatworks.indicators.measured import Measured, measure
from whatworks.indicators.record import Indicator, Refusal
from whatworks.indicators.registry import indicators, lookup, possible, usable_as

__all__ = [
    "Assessment",
    "Claim",
    "EsfCounts",
    "Gate",
    "Indicator",
    "Measured",
    "Refusal",
    "Waiver",
    "assess",
    "esf_counts",
    "examine",
    "indicators",
    "lookup",
    "measure",
    "possible",
    "usable_as",
]

"""Panel → outcome columns: what may be called a result, and whether this panel can carry it.

What comes in: `Panel`. What goes out: an `Assessment` by the reliability gate (``gate.py``), and the
monthly expression of a registered outcome. Adding an outcome is adding one file to ``definitions/``.
Activity, input and process measures are registered too (``definitions/activity.py``): so that
asking for one as a result is answered by a refusal that says why.
"""

from whatworks.indicators.gate import Assessment, assess
from whatworks.indicators.record import Indicator, Refusal
from whatworks.indicators.registry import indicators, lookup

__all__ = ["Assessment", "Indicator", "Refusal", "assess", "indicators", "lookup"]

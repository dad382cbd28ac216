"""Design → Estimate: one file per method in ``methods/``, one result shape for all.

What comes in: a `Design`. What goes out: an `Estimate`, whose ``effects`` are tidy and whose
``uncertainty`` can be combined over months, cohorts and types without estimating anything again.
"""

from whatworks.estimate.methods.matched_difference import MatchedDifference
from whatworks.estimate.methods.saturation_contrast import SaturationContrast
from whatworks.estimate.methods.two_by_two_did import TwoByTwoDiD
from whatworks.estimate.record import Estimate
from whatworks.estimate.registry import ESTIMATORS

__all__ = ["ESTIMATORS", "Estimate", "MatchedDifference", "SaturationContrast", "TwoByTwoDiD"]

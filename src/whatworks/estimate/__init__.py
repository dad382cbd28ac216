"""Design → Estimate: one file per method in ``methods/``, one result shape for all.

What comes in: a `Design`. What goes out: an `Estimate`, whose ``effects`` are tidy and whose
``uncertainty`` can be combined over months, cohorts and types without estimating anything again.
"""

from whatworks.estimate.groups import by_group
from whatworks.estimate.methods.doubly_robust import DoublyRobust
from whatworks.estimate.methods.doubly_robust_did import DoublyRobustDiD
from whatworks.estimate.methods.extended_two_way import ExtendedTwoWay
from whatworks.estimate.methods.group_ranking import GroupRanking
from whatworks.estimate.methods.imputation import Imputation
from whatworks.estimate.methods.matched_difference import MatchedDifference
from whatworks.estimate.methods.quantile_effects import QuantileEffects
from whatworks.estimate.methods.regression_adjustment import RegressionAdjustment
from whatworks.estimate.methods.saturation_contrast import SaturationContrast
from whatworks.estimate.methods.stacked_did import StackedDiD
from whatworks.estimate.methods.sun_abraham import SunAbraham
from whatworks.estimate.methods.two_by_two_did import TwoByTwoDiD
from whatworks.estimate.methods.weighted_difference import WeightedDifference
from whatworks.estimate.record import Estimate
from whatworks.estimate.registry import ESTIMATORS
from whatworks.estimate.rollouts import aggregate

__all__ = [
    "ESTIMATORS",
    "DoublyRobust",
    "DoublyRobustDiD",
    "Estimate",
    "ExtendedTwoWay",
    "GroupRanking",
    "Imputation",
    "MatchedDifference",
    "QuantileEffects",
    "RegressionAdjustment",
    "SaturationContrast",
    "StackedDiD",
    "SunAbraham",
    "TwoByTwoDiD",
    "WeightedDifference",
    "aggregate",
    "by_group",
]

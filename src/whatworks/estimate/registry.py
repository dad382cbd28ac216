"""Every estimator, by its name; the contract suite runs over this list."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

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

ESTIMATORS: Final = MappingProxyType(
    {
        cls.__name__: cls
        for cls in (
            MatchedDifference,
            WeightedDifference,
            TwoByTwoDiD,
            Imputation,
            ExtendedTwoWay,
            StackedDiD,
            SunAbraham,
            SaturationContrast,
            RegressionAdjustment,
            DoublyRobust,
            DoublyRobustDiD,
            QuantileEffects,
            GroupRanking,
        )
    }
)

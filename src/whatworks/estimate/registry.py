"""Every estimator, by its name; the contract suite runs over this list."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from whatworks.estimate.methods.augmented_synthetic_control import AugmentedSyntheticControl
from whatworks.estimate.methods.callaway_santanna import CallawaySantAnna
from whatworks.estimate.methods.continuous_dose import ContinuousDose
from whatworks.estimate.methods.doubly_robust import DoublyRobust
from whatworks.estimate.methods.doubly_robust_did import DoublyRobustDiD
from whatworks.estimate.methods.exposure_mapping import ExposureMapping
from whatworks.estimate.methods.extended_two_way import ExtendedTwoWay
from whatworks.estimate.methods.filling_times import FillingTimes
from whatworks.estimate.methods.group_ranking import GroupRanking
from whatworks.estimate.methods.imputation import Imputation
from whatworks.estimate.methods.matched_did import MatchedDiD
from whatworks.estimate.methods.matched_difference import MatchedDifference
from whatworks.estimate.methods.partial_interference import PartialInterference
from whatworks.estimate.methods.pilot_areas import PilotAreas
from whatworks.estimate.methods.quantile_effects import QuantileEffects
from whatworks.estimate.methods.random_timing import RandomTiming
from whatworks.estimate.methods.regression_adjustment import RegressionAdjustment
from whatworks.estimate.methods.rolling_did import RollingDiD
from whatworks.estimate.methods.saturation_iv import SaturationIV
from whatworks.estimate.methods.saturation_means import SaturationMeans
from whatworks.estimate.methods.saturation_regression import SaturationRegression
from whatworks.estimate.methods.saturation_score import SaturationScore
from whatworks.estimate.methods.spillover_did import SpilloverDiD
from whatworks.estimate.methods.stacked_did import StackedDiD
from whatworks.estimate.methods.sun_abraham import SunAbraham
from whatworks.estimate.methods.synthetic_control import SyntheticControl
from whatworks.estimate.methods.synthetic_did import SyntheticDiD
from whatworks.estimate.methods.triple_difference import TripleDifference
from whatworks.estimate.methods.two_way_fixed_effects import TwoWayFixedEffects
from whatworks.estimate.methods.weighted_difference import WeightedDifference

ESTIMATORS: Final = MappingProxyType(
    {
        cls.__name__: cls
        for cls in (
            MatchedDifference,
            WeightedDifference,
            MatchedDiD,
            ContinuousDose,
            Imputation,
            TwoWayFixedEffects,
            ExtendedTwoWay,
            StackedDiD,
            SunAbraham,
            RandomTiming,
            RollingDiD,
            TripleDifference,
            SpilloverDiD,
            PilotAreas,
            SyntheticControl,
            AugmentedSyntheticControl,
            SyntheticDiD,
            SaturationRegression,
            SaturationMeans,
            SaturationIV,
            SaturationScore,
            PartialInterference,
            ExposureMapping,
            RegressionAdjustment,
            DoublyRobust,
            DoublyRobustDiD,
            QuantileEffects,
            GroupRanking,
            FillingTimes,
            CallawaySantAnna,
        )
    }
)

BESIDE_ONLY: Final = frozenset({TwoWayFixedEffects.__name__})
"""Methods that are read beside another, never first and never alone."""

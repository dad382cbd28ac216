"""Design → Estimate: one file per method in ``methods/``, one result shape for all.

What comes in: a `Design`. What goes out: an `Estimate`, whose ``effects`` are tidy and whose
``uncertainty`` can be combined over months, cohorts and types without estimating anything again.

What methods share lies beside ``methods/``:

- every method: ``protocol``, ``record``, ``registry``;
- units compared at entry: ``columns`` (month by month), ``weights``, ``matched``, ``nuisance``,
  ``clustered`` (effects by month whose errors are sums by cluster), ``groups``;
- rollouts: ``rollouts`` (what is read), ``cells`` (effects by cohort and period, the one shape all
  give), ``aggregation`` (cells to an estimate, and its averages), ``controlled`` (with units that are
  not treated), ``by_cohort`` (cells fitted one cohort at a time), ``saturated`` (all in one
  regression), ``two_way``, ``dosed``, ``exposed`` (who is near the treated, with ``exposed_terms``
  and ``exposed_widths``), ``changes`` (stacked cohorts); ``synthetic/`` for territories;
- how sure, a second time: ``few_clusters`` (on ``long_difference``; ``few_saturations`` on
  ``exposure_regression``; rows in ``few_ways``), ``randomisation`` (over ``assignment``;
  ``reassigned/`` for shares and persons drawn one after the other, and for the untreated alone),
  ``redrawn`` (bootstrap bands).
"""

from whatworks.estimate.aggregation import aggregate
from whatworks.estimate.few.clusters import FewClusters
from whatworks.estimate.groups import by_group
from whatworks.estimate.methods.augmented_synthetic_control import AugmentedSyntheticControl
from whatworks.estimate.methods.callaway_santanna import CallawaySantAnna
from whatworks.estimate.methods.continuous_dose import ContinuousDose
from whatworks.estimate.methods.doubly_robust import DoublyRobust
from whatworks.estimate.methods.doubly_robust_did import DoublyRobustDiD
from whatworks.estimate.methods.exposure_mapping import ExposureMapping, vary_competition
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
from whatworks.estimate.methods.saturation_score import SaturationScore, placebo_pool
from whatworks.estimate.methods.spillover_did import SpilloverDiD
from whatworks.estimate.methods.stacked_did import StackedDiD
from whatworks.estimate.methods.sun_abraham import SunAbraham
from whatworks.estimate.methods.synthetic_control import SyntheticControl
from whatworks.estimate.methods.synthetic_did import SyntheticDiD
from whatworks.estimate.methods.triple_difference import TripleDifference
from whatworks.estimate.methods.two_way_fixed_effects import TwoWayFixedEffects
from whatworks.estimate.methods.weighted_difference import WeightedDifference
from whatworks.estimate.reassigned.assignment import Assignment
from whatworks.estimate.reassigned.record import RandomisationTest
from whatworks.estimate.reassigned.two_stage import TwoStage
from whatworks.estimate.record import Estimate
from whatworks.estimate.redrawn import bootstrap
from whatworks.estimate.registry import ESTIMATORS
from whatworks.estimate.shares.market_totals import MarketTotals, market_totals, participation

__all__ = [
    "ESTIMATORS",
    "Assignment",
    "AugmentedSyntheticControl",
    "CallawaySantAnna",
    "ContinuousDose",
    "DoublyRobust",
    "DoublyRobustDiD",
    "Estimate",
    "ExposureMapping",
    "ExtendedTwoWay",
    "FewClusters",
    "FillingTimes",
    "GroupRanking",
    "Imputation",
    "MarketTotals",
    "MatchedDiD",
    "MatchedDifference",
    "PartialInterference",
    "PilotAreas",
    "QuantileEffects",
    "RandomTiming",
    "RandomisationTest",
    "RegressionAdjustment",
    "RollingDiD",
    "SaturationIV",
    "SaturationMeans",
    "SaturationRegression",
    "SaturationScore",
    "SpilloverDiD",
    "StackedDiD",
    "SunAbraham",
    "SyntheticControl",
    "SyntheticDiD",
    "TripleDifference",
    "TwoStage",
    "TwoWayFixedEffects",
    "WeightedDifference",
    "aggregate",
    "bootstrap",
    "by_group",
    "market_totals",
    "participation",
    "placebo_pool",
    "vary_competition",
]

"""Impact evaluation of accompaniments on people's pathways: outcomes, never activity counts.

The walk: `read` → `reconcile` → `expand` → `assess` → `compare` → ``fit`` → `weigh` → `render`.
Names are loaded when first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from whatworks.design import Design, Exact, NearestNeighbours, Outcomes, Question
    from whatworks.design.causes.identify import identify
    from whatworks.design.causes.pathway import Pathway
    from whatworks.design.choosing.coarsening import Coarsened
    from whatworks.design.choosing.nearness import Caliper
    from whatworks.design.choosing.propensity import Propensity
    from whatworks.design.cohorts import Layout, lay_out
    from whatworks.design.compare import choose, compare
    from whatworks.design.comparisons.coarsened import CoarsenedExact
    from whatworks.design.comparisons.covariate_balancing import CovariateBalancing
    from whatworks.design.comparisons.entropy_balancing import EntropyBalancing
    from whatworks.design.comparisons.everyone import Everyone
    from whatworks.design.comparisons.full import FullMatching
    from whatworks.design.comparisons.inverse_probability import InverseProbability
    from whatworks.design.comparisons.kernel import KernelMatching
    from whatworks.design.comparisons.optimal_pairs import OptimalPairs
    from whatworks.design.comparisons.overlap import OverlapWeights
    from whatworks.design.comparisons.pairs import PairMatching
    from whatworks.design.comparisons.radius import RadiusMatching
    from whatworks.design.comparisons.stable import StableWeights
    from whatworks.design.comparisons.subclasses import Subclassification
    from whatworks.design.markets.across import exposures
    from whatworks.design.markets.attach import competing, with_markets
    from whatworks.design.markets.competition import Competition
    from whatworks.design.markets.expose import expose, leave_one_out
    from whatworks.design.markets.record import Markets
    from whatworks.design.markets.table import SaturationTable, saturation_table
    from whatworks.design.pairwise import Pair, pairwise
    from whatworks.design.registry import COMPARISONS
    from whatworks.design.rollout.pathways import roll_out
    from whatworks.design.rollout.stacked import stack
    from whatworks.design.rollout.territories import territories
    from whatworks.design.vacancies.build import vacancies
    from whatworks.errors import WhatworksError
    from whatworks.estimate import (
        ESTIMATORS,
        Assignment,
        AugmentedSyntheticControl,
        CallawaySantAnna,
        ContinuousDose,
        DoublyRobust,
        DoublyRobustDiD,
        Estimate,
        ExposureMapping,
        ExtendedTwoWay,
        FewClusters,
        FillingTimes,
        GroupRanking,
        Imputation,
        MatchedDiD,
        MatchedDifference,
        PartialInterference,
        PilotAreas,
        QuantileEffects,
        RandomisationTest,
        RandomTiming,
        RegressionAdjustment,
        RollingDiD,
        SaturationIV,
        SaturationMeans,
        SaturationRegression,
        SaturationScore,
        SpilloverDiD,
        StackedDiD,
        SunAbraham,
        SyntheticControl,
        SyntheticDiD,
        TripleDifference,
        TwoStage,
        TwoWayFixedEffects,
        WeightedDifference,
        aggregate,
        bootstrap,
        by_group,
        placebo_pool,
        vary_competition,
    )
    from whatworks.estimate.few.clusters import few_clusters
    from whatworks.estimate.reassigned.randomisation import randomisation
    from whatworks.estimate.reassigned.untreated import SpilloverTest, spillover_test
    from whatworks.estimate.shares.market_totals import MarketTotals, market_totals, participation
    from whatworks.estimate.shares.net import NetEffects, net
    from whatworks.evidence import Benchmark, Evidence, Finding, Stakes
    from whatworks.evidence.checks.placebo_outcomes import placebo_outcomes
    from whatworks.evidence.scenarios import scenarios
    from whatworks.evidence.weigh import weigh
    from whatworks.indicators import (
        Assessment,
        Claim,
        Gate,
        Indicator,
        assess,
        esf_counts,
        examine,
        measure,
    )
    from whatworks.ledger import Ledger
    from whatworks.panel import Panel, open_panel
    from whatworks.panel.build import build
    from whatworks.panel.expand import expand
    from whatworks.report import (
        Entry,
        plot_balance,
        plot_effects,
        plot_net,
        plot_responses,
        render_collection,
    )
    from whatworks.report.render import render
    from whatworks.sources import Records, connect, connect_spark, read_records, write_records
    from whatworks.sources.read import read
    from whatworks.spells import Overlap, Spells
    from whatworks.spells.link import link, score
    from whatworks.spells.reconcile import reconcile
    from whatworks.study import run

_HOME: Final = {
    "sources": ("Records", "connect", "connect_spark", "read", "read_records", "write_records"),
    "spells": ("Overlap", "Spells", "reconcile"),
    "spells.link": ("link", "score"),
    "panel": ("Panel", "build", "expand", "open_panel"),
    "indicators": (
        "Assessment",
        "Claim",
        "Gate",
        "Indicator",
        "assess",
        "esf_counts",
        "examine",
        "measure",
    ),
    "design": (
        "Caliper",
        "Coarsened",
        "CoarsenedExact",
        "Competition",
        "CovariateBalancing",
        "Design",
        "EntropyBalancing",
        "Everyone",
        "Exact",
        "FullMatching",
        "InverseProbability",
        "KernelMatching",
        "Layout",
        "Markets",
        "NearestNeighbours",
        "OptimalPairs",
        "Outcomes",
        "OverlapWeights",
        "Pair",
        "PairMatching",
        "Propensity",
        "Question",
        "RadiusMatching",
        "SaturationTable",
        "StableWeights",
        "Subclassification",
        "choose",
        "compare",
        "competing",
        "expose",
        "exposures",
        "lay_out",
        "leave_one_out",
        "pairwise",
        "roll_out",
        "saturation_table",
        "stack",
        "territories",
        "vacancies",
        "with_markets",
    ),
    "estimate": (
        "ESTIMATORS",
        "Assignment",
        "FewClusters",
        "RandomisationTest",
        "TwoStage",
        "CallawaySantAnna",
        "ContinuousDose",
        "DoublyRobust",
        "DoublyRobustDiD",
        "Estimate",
        "FillingTimes",
        "GroupRanking",
        "Imputation",
        "MatchedDiD",
        "MatchedDifference",
        "PilotAreas",
        "QuantileEffects",
        "RegressionAdjustment",
        "SaturationIV",
        "SaturationMeans",
        "SaturationRegression",
        "SaturationScore",
        "PartialInterference",
        "ExposureMapping",
        "placebo_pool",
        "vary_competition",
        "TripleDifference",
        "RollingDiD",
        "RandomTiming",
        "SunAbraham",
        "SyntheticControl",
        "AugmentedSyntheticControl",
        "SyntheticDiD",
        "SpilloverDiD",
        "StackedDiD",
        "ExtendedTwoWay",
        "TwoWayFixedEffects",
        "WeightedDifference",
        "aggregate",
        "bootstrap",
        "by_group",
    ),
    "estimate.shares.net": ("NetEffects", "net"),
    "evidence": ("Benchmark", "Evidence", "Finding", "Stakes", "weigh"),
    "evidence.scenarios": ("scenarios",),
    "evidence.checks.placebo_outcomes": ("placebo_outcomes",),
    "report": (
        "Entry",
        "plot_balance",
        "plot_effects",
        "plot_net",
        "plot_responses",
        "render",
        "render_collection",
    ),
    "design.causes.identify": ("identify",),
    "design.registry": ("COMPARISONS",),
    "estimate.few.clusters": ("few_clusters",),
    "estimate.shares.market_totals": ("MarketTotals", "market_totals", "participation"),
    "estimate.reassigned.randomisation": ("randomisation",),
    "estimate.reassigned.untreated": ("SpilloverTest", "spillover_test"),
    "design.causes.pathway": ("Pathway",),
    "errors": ("WhatworksError",),
    "ledger": ("Ledger",),
    "study": ("run",),
}
_ROOM: Final = {name: room for room, names in _HOME.items() for name in names}

__all__ = [
    "COMPARISONS",
    "ESTIMATORS",
    "Assessment",
    "Assignment",
    "AugmentedSyntheticControl",
    "Benchmark",
    "Caliper",
    "CallawaySantAnna",
    "Claim",
    "Coarsened",
    "CoarsenedExact",
    "Competition",
    "ContinuousDose",
    "CovariateBalancing",
    "Design",
    "DoublyRobust",
    "DoublyRobustDiD",
    "EntropyBalancing",
    "Entry",
    "Estimate",
    "Everyone",
    "Evidence",
    "Exact",
    "ExposureMapping",
    "ExtendedTwoWay",
    "FewClusters",
    "FillingTimes",
    "Finding",
    "FullMatching",
    "Gate",
    "GroupRanking",
    "Imputation",
    "Indicator",
    "InverseProbability",
    "KernelMatching",
    "Layout",
    "Ledger",
    "MarketTotals",
    "Markets",
    "MatchedDiD",
    "MatchedDifference",
    "NearestNeighbours",
    "NetEffects",
    "OptimalPairs",
    "Outcomes",
    "Overlap",
    "OverlapWeights",
    "Pair",
    "PairMatching",
    "Panel",
    "PartialInterference",
    "Pathway",
    "PilotAreas",
    "Propensity",
    "QuantileEffects",
    "Question",
    "RadiusMatching",
    "RandomTiming",
    "RandomisationTest",
    "Records",
    "RegressionAdjustment",
    "RollingDiD",
    "SaturationIV",
    "SaturationMeans",
    "SaturationRegression",
    "SaturationScore",
    "SaturationTable",
    "Spells",
    "SpilloverDiD",
    "SpilloverTest",
    "StableWeights",
    "StackedDiD",
    "Stakes",
    "Subclassification",
    "SunAbraham",
    "SyntheticControl",
    "SyntheticDiD",
    "TripleDifference",
    "TwoStage",
    "TwoWayFixedEffects",
    "WeightedDifference",
    "WhatworksError",
    "aggregate",
    "assess",
    "bootstrap",
    "build",
    "by_group",
    "choose",
    "compare",
    "competing",
    "connect",
    "connect_spark",
    "esf_counts",
    "examine",
    "expand",
    "expose",
    "exposures",
    "few_clusters",
    "identify",
    "lay_out",
    "leave_one_out",
    "link",
    "market_totals",
    "measure",
    "net",
    "open_panel",
    "pairwise",
    "participation",
    "placebo_outcomes",
    "placebo_pool",
    "plot_balance",
    "plot_effects",
    "plot_net",
    "plot_responses",
    "randomisation",
    "read",
    "read_records",
    "reconcile",
    "render",
    "render_collection",
    "roll_out",
    "run",
    "saturation_table",
    "scenarios",
    "score",
    "spillover_test",
    "stack",
    "territories",
    "vacancies",
    "vary_competition",
    "weigh",
    "with_markets",
    "write_records",
]


def __getattr__(name: str) -> Any:
    if name == "planning":  # a room whose names are read with its own: planning.assign
        return import_module(f"{__name__}.planning")
    if name not in _ROOM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOM[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)

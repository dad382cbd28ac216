"""Every way of choosing comparisons, by the name a study file gives it."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from whatworks.design.comparisons.coarsened import CoarsenedExact
from whatworks.design.comparisons.covariate_balancing import CovariateBalancing
from whatworks.design.comparisons.entropy_balancing import EntropyBalancing
from whatworks.design.comparisons.everyone import Everyone
from whatworks.design.comparisons.exact import Exact
from whatworks.design.comparisons.full import FullMatching
from whatworks.design.comparisons.inverse_probability import InverseProbability
from whatworks.design.comparisons.kernel import KernelMatching
from whatworks.design.comparisons.nearest import NearestNeighbours
from whatworks.design.comparisons.optimal_pairs import OptimalPairs
from whatworks.design.comparisons.overlap import OverlapWeights
from whatworks.design.comparisons.pairs import PairMatching
from whatworks.design.comparisons.radius import RadiusMatching
from whatworks.design.comparisons.stable import StableWeights
from whatworks.design.comparisons.subclasses import Subclassification

COMPARISONS: Final = MappingProxyType(
    {
        "nearest_neighbours": NearestNeighbours,
        "pair_matching": PairMatching,
        "radius_matching": RadiusMatching,
        "kernel_matching": KernelMatching,
        "exact": Exact,
        "coarsened_exact": CoarsenedExact,
        "subclassification": Subclassification,
        "optimal_pairs": OptimalPairs,
        "full_matching": FullMatching,
        "everyone": Everyone,
        "inverse_probability": InverseProbability,
        "overlap_weights": OverlapWeights,
        "entropy_balancing": EntropyBalancing,
        "covariate_balancing": CovariateBalancing,
        "stable_weights": StableWeights,
    }
)

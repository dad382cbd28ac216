"""Every way of choosing comparisons, by the name a study file gives it."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from whatworks.design.comparisons.exact import Exact
from whatworks.design.comparisons.kernel import KernelMatching
from whatworks.design.comparisons.nearest import NearestNeighbours
from whatworks.design.comparisons.pairs import PairMatching
from whatworks.design.comparisons.radius import RadiusMatching

COMPARISONS: Final = MappingProxyType(
    {
        "nearest_neighbours": NearestNeighbours,
        "pair_matching": PairMatching,
        "radius_matching": RadiusMatching,
        "kernel_matching": KernelMatching,
        "exact": Exact,
    }
)

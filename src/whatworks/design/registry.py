"""Every way of choosing comparisons, by the name a study file gives it."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from whatworks.design.comparisons.exact import Exact
from whatworks.design.comparisons.nearest import NearestNeighbours

COMPARISONS: Final = MappingProxyType({"nearest_neighbours": NearestNeighbours, "exact": Exact})

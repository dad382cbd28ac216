"""Every estimator, by its name; the contract suite runs over this list."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from whatworks.estimate.methods.matched_difference import MatchedDifference
from whatworks.estimate.methods.saturation_contrast import SaturationContrast
from whatworks.estimate.methods.two_by_two_did import TwoByTwoDiD

ESTIMATORS: Final = MappingProxyType(
    {cls.__name__: cls for cls in (MatchedDifference, TwoByTwoDiD, SaturationContrast)}
)

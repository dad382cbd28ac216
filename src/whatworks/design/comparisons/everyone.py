"""Everyone: no comparison is chosen, and the method adjusts by itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whatworks.design.comparison import Chosen
from whatworks.design.parts import Candidates
from whatworks.errors import DesignRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class Everyone:
    """Every treated and untreated unit of months that have both, at its sampling weight.

    For `whatworks.RegressionAdjustment`, `whatworks.DoublyRobust` and `whatworks.GroupRanking`, which adjust
    for covariates themselves. The arms are not comparable yet: a method that takes the design's weights to
    have made them so is refused.

    Raises
    ------
    DesignRefused
        From ``choose``: when no month has both arms.

    Examples
    --------
    >>> Everyone() == Everyone()
    True
    """

    def choose(self, candidates: Candidates) -> Chosen:
        """Keep everyone who has somebody of the other arm in the same month."""
        names, month = np.unique(candidates.cell, return_inverse=True)
        both = np.ones(names.size, dtype=bool)
        for arm in (candidates.treated, ~candidates.treated):
            both &= np.bincount(month[arm], minlength=names.size) > 0
        kept = both[month]
        if not kept.any():
            raise DesignRefused(
                what="everyone",
                needed="a month with treated and untreated units",
                found=f"{names.size} months, none with both",
                remedy="widen eligibility or the window of entries",
            )
        return Chosen(
            weight=np.where(kept, candidates.weight, 0.0),
            lost={"no_comparison": candidates.sought & ~kept},
            comparable=False,
        )

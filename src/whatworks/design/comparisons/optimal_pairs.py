r"""Optimal pair matching: each comparison serves once, and the total distance is the least there is.

Estimand
--------
ATT or ATC: matches are sought for one arm, which should not be short of the other.

Equation
--------
.. math:: \min\sum_{(i,j)}d_{ij},\qquad \text{each i in at most }k\text{ pairs, each j in at most one}

over the largest number of pairs that months, cells and calipers allow. On a propensity the flow over its
gaps is solved; between covariates, an assignment on lists of nearest that prices prove complete
(``stats/line.py``, ``stats/flow.py``).

Edge cases
----------
Of several optima one is taken that values decide; among units alike in every covariate and weight, the
first in the data, the convention of the field's software. Whoever finds no comparison is left out and
counted. Totals are least but for 1e-9 of the greatest distance.

References
----------
Rosenbaum (1989), doi:10.1080/01621459.1989.10478868. Hansen & Klopfer (2006),
doi:10.1198/106186006X137047. Abadie & Spiess (2022), doi:10.1080/01621459.2020.1840383 for what follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whatworks.design.choosing.near_options import check_reach, hold, nearness_of
from whatworks.design.choosing.nearness import (
    Measured,
    Metric,
    chosen_near,
    too_many,
)
from whatworks.design.choosing.sets import one_arm, values_first
from whatworks.design.comparison import Chosen, Matches
from whatworks.design.parts import Candidates
from whatworks.options import typed
from whatworks.stats.flow import Within, members, pairs_in_cells
from whatworks.stats.line import pairs_on_line
from whatworks.stats.search import TooManyPairsError

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimalPairs:
    """Pairs of one month, each comparison serving once, of the least total distance.

    Parameters
    ----------
    ratio : int
        Comparisons per treated unit, at most.
    metric, on, caliper_sd, calipers, exact, propensity
        As in `NearestNeighbours`.

    Raises
    ------
    OptionError
        On a ratio below 1, a caliper not above 0 or an unknown metric; from ``choose``, when the ATE
        or the ATO is asked.
    DesignRefused
        From ``choose``: when a covariate separates treated from untreated, nobody is left, or the
        distances that matter do not fit in memory.

    Examples
    --------
    >>> OptimalPairs(ratio=2).metric
    'linear_propensity'
    """

    ratio: int = 1
    metric: Metric = "linear_propensity"
    on: tuple[str, ...] = ()
    caliper_sd: float | None = None
    calipers: tuple[Any, ...] = ()
    exact: tuple[str, ...] = ()
    propensity: Any = None

    def __post_init__(self) -> None:
        typed(self)
        check_reach(self, ratio=self.ratio, example=1)
        hold(self)

    def choose(self, candidates: Candidates) -> Chosen:
        """Choose comparisons without seeing any outcome."""
        arm = one_arm(candidates, what="estimand")
        measured = nearness_of(self).measure(candidates)
        rows = values_first(candidates)
        mine, theirs = (rows[candidates.treated[rows] == side] for side in (arm, not arm))
        try:
            unit, match = self._pairs(measured, mine, theirs)
        except TooManyPairsError as many:
            raise too_many(many.count) from None
        unit, match = mine[unit], theirs[match]
        share = candidates.weight[match]
        total = np.bincount(unit, weights=share, minlength=candidates.treated.size)
        matches = Matches(unit=unit, match=match, part=share / total[unit])
        return chosen_near(candidates, matches, measured)

    def _pairs(self, measured: Measured, mine: Ints, theirs: Ints) -> tuple[Ints, Ints]:
        """Pairs as positions within either side."""
        points = measured.points[mine], measured.points[theirs]
        cells = measured.cell[mine], measured.cell[theirs]
        if not measured.on_line or measured.widths.size:
            within = Within(
                caliper=measured.caliper,
                keys=(measured.keys[mine], measured.keys[theirs]),
                widths=measured.widths,
            )
            return pairs_in_cells(points, cells, ratio=self.ratio, within=within)
        unit, match = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
        for one, other in members(cells):
            row, column = pairs_on_line(
                points[0][one, 0],
                points[1][other, 0],
                ratio=self.ratio,
                caliper=measured.caliper,
            )
            unit.append(one[row])
            match.append(other[column])
        return np.concatenate(unit), np.concatenate(match)

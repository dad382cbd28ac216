r"""Optimal full matching: everyone within reach in a set around one treated or one comparison.

Estimand
--------
ATT, ATC or ATE: sets are the same, weights are not.

Equation
--------
.. math:: \min\sum_s\sum_{(i,j)\in s}d_{ij}

over divisions into sets in which one treated stands with one or more comparisons or one comparison with
one or more treated; the effect is that of the sets, each weighing as much as those it is of.

Edge cases
----------
Nobody is left out but those with no one of the other arm within the caliper, in their month and cell; where
sizes are limited, as many are in sets as the limits allow, and the least distance is taken among those
divisions. Of several optima one is taken that values decide; among units alike in every covariate and
weight, the first in the data, the convention of the field's software.

References
----------
Rosenbaum (1991), doi:10.1111/j.2517-6161.1991.tb01848.x. Hansen & Klopfer (2006),
doi:10.1198/106186006X137047. Stuart & Green (2008), doi:10.1037/0012-1649.44.2.395.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whatworks.design.choosing.near_options import hold, nearness_of
from whatworks.design.choosing.nearness import Measured, Metric, too_many
from whatworks.design.choosing.sets import from_sets, values_first
from whatworks.design.comparison import Chosen
from whatworks.design.parts import Candidates
from whatworks.errors import OptionError
from whatworks.options import typed
from whatworks.stats.cover import full_sets
from whatworks.stats.flow import Within, members
from whatworks.stats.search import TooManyPairsError

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class FullMatching:
    """Everyone of one month in sets of the least total distance to the one they stand around.

    Parameters
    ----------
    max_comparisons : int, optional
        Most comparisons around a treated unit.
    max_treated : int, optional
        Most treated units around a comparison.
    metric, on, caliper_sd, calipers, exact, propensity
        As in `NearestNeighbours`.

    Raises
    ------
    OptionError
        On a limit below 1, a caliper not above 0 or an unknown metric; from ``choose``, when the ATO
        is asked.
    DesignRefused
        From ``choose``: when a covariate separates treated from untreated, nobody is left, or the
        distances that matter do not fit in memory.

    Examples
    --------
    >>> FullMatching(max_comparisons=5).metric
    'linear_propensity'
    """

    max_comparisons: int | None = None
    max_treated: int | None = None
    metric: Metric = "linear_propensity"
    on: tuple[str, ...] = ()
    caliper_sd: float | None = None
    calipers: tuple[Any, ...] = ()
    exact: tuple[str, ...] = ()
    propensity: Any = None

    def __post_init__(self) -> None:
        typed(self)
        limits = [n for n in (self.max_comparisons, self.max_treated) if n is not None]
        if any(n < 1 for n in limits) or (self.caliper_sd is not None and not self.caliper_sd > 0):
            raise OptionError(
                what="FullMatching",
                needed="limits of 1 or more and caliper_sd above 0",
                found=f"max_comparisons={self.max_comparisons}, max_treated={self.max_treated}, "
                f"caliper_sd={self.caliper_sd}",
                remedy="write for instance max_comparisons=5, caliper_sd=0.2",
            )
        hold(self)

    def choose(self, candidates: Candidates) -> Chosen:
        """Choose comparisons without seeing any outcome."""
        measured = nearness_of(self).measure(candidates)
        try:
            number = self._sets(candidates, measured)
        except TooManyPairsError as many:
            raise too_many(many.count) from None
        confined = np.isfinite(measured.caliper) or measured.widths.size > 0
        return from_sets(
            candidates,
            number,
            reason="no_match_in_caliper" if confined else "no_comparison",
            what="full matching",
            propensity=measured.propensity,
        )

    def _sets(self, candidates: Candidates, measured: Measured) -> Ints:
        """Set of each candidate, −1 for none."""
        rows = values_first(candidates)
        treated, others = rows[candidates.treated[rows]], rows[~candidates.treated[rows]]
        number = np.full(rows.size, -1, dtype=np.int64)
        confined = np.isfinite(measured.caliper) or measured.widths.size > 0
        before = 0
        for one, other in members((measured.cell[treated], measured.cell[others])):
            mine, theirs = treated[one], others[other]
            found = full_sets(
                (measured.points[mine], measured.points[theirs]),
                Within(
                    caliper=measured.caliper,
                    keys=(measured.keys[mine], measured.keys[theirs]),
                    widths=measured.widths,
                ),
                most=(self.max_treated, self.max_comparisons),
                on_line=measured.on_line and not confined,
            )
            for side, part in zip((mine, theirs), found, strict=True):
                number[side] = np.where(part >= 0, part + before, -1)
            before = int(number.max(initial=-1)) + 1
        return number

r"""Nearest neighbours: each treated unit against the untreated most alike that month.

Estimand
--------
ATT, ATC or ATE: matches are sought for the treated, the untreated or both.

Equation
--------
The match of a unit is the one of the other arm, in its month and cell, that minimises a distance: the
gap of propensities or of their log-odds, or :math:`\sqrt{(x_i-x_j)'S^{-1}(x_i-x_j)}` with S the
covariance of everyone (``mahalanobis``), that within arms (``mahalanobis_pooled``), that of ranks
(``robust_mahalanobis``), or the variances alone (``scaled_euclidean``).

Edge cases
----------
With replacement: a comparison serves as often as it is nearest, and all that tie share the unit.
Units without anyone within reach are left out and counted, as are those outside the common support.

References
----------
Rosenbaum & Rubin (1983), doi:10.1093/biomet/70.1.41; (1985), doi:10.1080/00031305.1985.10479383.
Abadie & Imbens (2006), doi:10.1111/j.1468-0262.2006.00655.x. Austin (2011), doi:10.1002/pst.433.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from whatworks.design.choosing.near_options import check_reach, hold, nearness_of
from whatworks.design.choosing.nearness import (
    Measured,
    Metric,
    chosen_near,
    too_many,
)
from whatworks.design.comparison import (
    Chosen,
    Matches,
    arms_sought,
    by_arm,
    on_line,
)
from whatworks.design.parts import Candidates
from whatworks.errors import choice
from whatworks.options import typed
from whatworks.stats.neighbours import (
    Pairs,
    TooManyPairsError,
    first_of_ties,
    nearest_allowed_in_cells,
    nearest_in_space,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NearestNeighbours:
    """Nearest comparisons of the same calendar month, with replacement, every tie kept.

    Parameters
    ----------
    ratio : int
        Comparisons per treated unit; more when several are equally near.
    metric : str
        ``"linear_propensity"``: log-odds of entering that month, by default from a logistic
        regression on the covariates with an intercept per month, converged to machine precision;
        ``"propensity"``: the probability itself; ``"mahalanobis"``: distance under the covariance
        of all candidates; ``"mahalanobis_pooled"``: under that within arms, pooled;
        ``"robust_mahalanobis"``: between ranks; ``"scaled_euclidean"``: each covariate in its
        standard deviations within arms.
    on : tuple of str
        Covariates a distance between covariates is measured on; empty means all.
    caliper_sd : float, optional
        Greatest distance, in standard deviations of the score over the candidates whose
        probability is neither 0 nor 1 (for a distance between covariates, the distance itself).
        Treated units with nobody within reach are left out and counted.
    calipers : tuple of Caliper
        Further greatest differences: of a covariate, or of the propensity while neighbours are
        sought by another distance.
    exact : tuple of str
        Covariates on which treated and comparison must agree.
    propensity : Propensity or str, optional
        How the probability is modelled; a name is short for a `Propensity` of that model.
    ties : str
        ``"all"`` that are equally near share the unit; ``"first"`` takes the first in the data, as
        some software does: the answer then depends on the order of rows.

    Raises
    ------
    OptionError
        On a ratio below 1, a caliper not above 0 or an unknown metric.
    DesignRefused
        From ``choose``: when a covariate separates treated from untreated, or nobody is left.

    Examples
    --------
    >>> NearestNeighbours(ratio=3, caliper_sd=0.2).metric
    'linear_propensity'
    """

    ratio: int = 1
    metric: Metric = "linear_propensity"
    on: tuple[str, ...] = ()
    caliper_sd: float | None = None
    calipers: tuple[Any, ...] = ()
    exact: tuple[str, ...] = ()
    propensity: Any = None
    ties: Literal["all", "first"] = "all"

    def __post_init__(self) -> None:
        typed(self)
        choice(self.ties, ("all", "first"), what="ties")
        check_reach(self, ratio=self.ratio, example=3)
        hold(self)

    def choose(self, candidates: Candidates) -> Chosen:
        """Choose comparisons without seeing any outcome."""
        measured = nearness_of(self).measure(candidates)
        if measured.on_line and not measured.widths.size and self.ties == "all":
            matches = on_line(
                measured.points[:, 0],
                measured.cell,
                candidates,
                ratio=self.ratio,
                caliper=measured.caliper,
            )
        else:
            matches = self._searched(candidates, measured)
        return chosen_near(candidates, matches, measured)

    def _searched(self, candidates: Candidates, measured: Measured) -> Matches:
        found = {}
        for arm in arms_sought(candidates):
            sides = candidates.treated == arm, candidates.treated != arm
            try:
                found[arm] = self._pairs(measured, sides)
            except TooManyPairsError as many:
                raise too_many(many.count) from None
        return by_arm(candidates, found)

    def _pairs(self, measured: Measured, sides: tuple[NDArray[np.bool_], ...]) -> Pairs:
        points = measured.points[sides[0]], measured.points[sides[1]]
        cell = measured.cell[sides[0]], measured.cell[sides[1]]
        if measured.widths.size:
            found = nearest_allowed_in_cells(
                points,
                cell,
                keys=(measured.keys[sides[0]], measured.keys[sides[1]]),
                widths=measured.widths,
                ratio=self.ratio,
                caliper=measured.caliper,
            )
        else:
            found = nearest_in_space(
                points[0],
                points[1],
                cell_treated=cell[0],
                cell_comparison=cell[1],
                ratio=self.ratio,
                caliper=measured.caliper,
            )
        if self.ties == "first":
            return first_of_ties(points, found, ratio=self.ratio)
        return found

r"""Inverse probability: each unit weighted by the inverse of its chance of being where it is.

Estimand
--------
ATT, ATC or ATE, as the question asks; with units dropped, the effect on those kept.

Equation
--------
With :math:`p_i` the probability of entering that month and :math:`q_i` sampling weights,

.. math::

    \text{ATE: } w_i=q_i\Big(\tfrac{d_i}{p_i}+\tfrac{1-d_i}{1-p_i}\Big),\quad
    \text{ATT: } w_i=q_i\Big(d_i+\tfrac{(1-d_i)p_i}{1-p_i}\Big),\quad
    \text{ATC: } w_i=q_i\Big(\tfrac{d_i(1-p_i)}{p_i}+1-d_i\Big).

``stabilised`` multiplies the weights of an arm by its share, so that they average about one; means
within arms, hence effects, do not move.

Identification
--------------
Given covariates and month, who enters is unrelated to what would have become of them otherwise; the
probability of entering is neither 0 nor 1 (overlap); its model is right.

Inference
---------
A logit or probit fitted on all units gives its equation with the weights, for which
`whatworks.WeightedDifference` accounts; those left out beyond a bound are then left out of the fit as
well. The bound itself is taken as given. Weights from a classifier, or cross-fitted, are taken as known.

Edge cases
----------
Months that lack an arm, and units beyond a bound, are left out and counted. Covariates that separate
the arms are refused.

References
----------
Hirano, Imbens & Ridder (2003), doi:10.1111/1468-0262.00442; Crump et al. (2009),
doi:10.1093/biomet/asn055; Lunceford & Davidian (2004), doi:10.1002/sim.1903.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from whatworks.design.choosing.propensity import as_propensity
from whatworks.design.choosing.scored import Scored
from whatworks.design.choosing.weighting import one_of
from whatworks.design.comparison import Chosen
from whatworks.design.parts import Candidates
from whatworks.errors import OptionError, choice
from whatworks.options import typed
from whatworks.stats.trimming import crump_bounds, one_sided, percentile_bounds
from whatworks.vocabulary import Estimand

Floats = NDArray[np.float64]

_WHAT = "inverse probability"


@dataclass(frozen=True, slots=True, kw_only=True)
class InverseProbability:
    """Units weighted by the inverse of their probability of being in their arm.

    Parameters
    ----------
    propensity : str, mapping or Propensity
        As `Propensity` reads it: ``"logit"``, ``"probit"``, a scikit-learn classifier.
    stabilised : bool
        Multiply weights by the share of the arm.
    bounds : str
        Rule that bounds the probability: ``"none"``; ``"crump"``, where the effect is most precise;
        ``"fixed"``, at ``bound`` and 1 − ``bound``; ``"percentile"``, leaving a share ``bound``
        beyond each side. The ATT is bounded above only, the ATC below only.
    bound : float
        For ``"fixed"`` and ``"percentile"``.
    beyond : str
        ``"drop"`` leaves out units beyond the bounds and fits again without them; ``"hold"``
        keeps them with the weight of the bound.

    Raises
    ------
    OptionError
        On unknown names or a bound outside 0 to 0.5, or, from ``choose``, for the overlap
        population.
    DesignRefused
        From ``choose``: when covariates separate the arms, or nobody is left.

    References
    ----------
    Crump et al. (2009), doi:10.1093/biomet/asn055.

    Examples
    --------
    >>> InverseProbability(bounds="fixed", bound=0.05).beyond
    'drop'
    """

    propensity: Any = "logit"
    stabilised: bool = False
    bounds: Literal["none", "crump", "fixed", "percentile"] = "none"
    bound: float = 0.1
    beyond: Literal["drop", "hold"] = "drop"

    def __post_init__(self) -> None:
        typed(self)
        choice(self.bounds, ("none", "crump", "fixed", "percentile"), what="bounds")
        choice(self.beyond, ("drop", "hold"), what="beyond")
        as_propensity(self.propensity)
        if not 0 < self.bound < 0.5:
            raise OptionError(
                what="bound",
                needed="a number above 0 and below 0.5",
                found=str(self.bound),
                remedy="write for instance bound=0.1",
            )

    def choose(self, candidates: Candidates) -> Chosen:
        """Choose weights without seeing any outcome."""
        one_of(candidates, (Estimand.ATT, Estimand.ATC, Estimand.ATE), what=_WHAT)
        scored = Scored.of(candidates, as_propensity(self.propensity), what=_WHAT)
        low, high = self._bounds(scored)
        if self.beyond == "drop":
            inside = (scored.probability >= low) & (scored.probability <= high)
            scored = scored.without(candidates, ~inside, reason="outside_bounds", what=_WHAT)
            low, high = 0.0, 1.0
        held = np.clip(scored.probability, low, high)
        scored.refuse_certain(held, estimand=candidates.estimand, what=_WHAT)
        weight, rate = _weights(scored, held, estimand=candidates.estimand)
        moving = (scored.probability >= low) & (scored.probability <= high)
        slope = np.where(moving, rate * scored.density(), 0.0)
        if self.stabilised:
            factor = _shares(scored, estimand=candidates.estimand)
            weight, slope = weight * factor, slope * factor
        return scored.chosen(candidates, weight=weight, slope=slope)

    def _bounds(self, scored: Scored) -> tuple[float, float]:
        """Lowest and highest probability that is used as it is."""
        estimand, p = scored.units.estimand, scored.probability
        if self.bounds == "none":
            return 0.0, 1.0
        if self.bounds == "fixed":
            return one_sided(self.bound, 1.0 - self.bound, estimand=estimand)
        weight = scored.units.weight
        if self.bounds == "percentile":
            return percentile_bounds(p, weight=weight, share=self.bound, estimand=estimand)
        # A probability of exactly 0 or 1 costs more than any bound allows.
        usable = (p > 0) & (p < 1)
        return crump_bounds(p[usable], weight=weight[usable], estimand=estimand)


def _weights(scored: Scored, held: Floats, *, estimand: str) -> tuple[Floats, Floats]:
    """Weights, and their derivative in the probability."""
    treated, q = scored.units.treated, scored.units.weight
    own = np.where(treated, held, 1.0 - held)
    sign = np.where(treated, -1.0, 1.0)
    inverse, steep = q / own, sign * q / own**2
    if estimand == Estimand.ATE:
        return inverse, steep
    moved = ~treated if estimand == Estimand.ATT else treated
    # The odds of being in the other arm: its probability over one's own.
    return np.where(moved, inverse * (1.0 - own), q), np.where(moved, steep, 0.0)


def _shares(scored: Scored, *, estimand: str) -> Floats:
    """What brings the weights of each reweighted arm to about its size."""
    treated, q = scored.units.treated, scored.units.weight
    share = float(q[treated].sum() / q.sum())
    if estimand == Estimand.ATE:
        return np.where(treated, share, 1.0 - share)
    if estimand == Estimand.ATT:
        return np.where(treated, 1.0, (1.0 - share) / share)
    return np.where(treated, share / (1.0 - share), 1.0)

r"""Overlap weights: each unit weighted by its chance of being in the other arm.

Estimand
--------
ATO: the average effect over those who could as well have been in either arm, who are weighted by
:math:`p(1-p)`.

Equation
--------
.. math:: w_i = q_i\{d_i(1-p_i) + (1-d_i)p_i\}

with :math:`p_i` the probability of entering that month and :math:`q_i` sampling weights. With a logistic
regression fitted by maximum likelihood, means of every covariate are the same in both arms, exactly.

Identification
--------------
Given covariates and month, who enters is unrelated to what would have become of them otherwise. No
probability is too near 0 or 1: such units weigh nothing.

Inference
---------
A logit or probit gives its equation with the weights, for which `whatworks.WeightedDifference`
accounts. Weights from a classifier, or cross-fitted, are taken as known.

Edge cases
----------
Months that lack an arm are left out and counted. Covariates that separate the arms are refused.

References
----------
Li, Morgan & Zaslavsky (2018), doi:10.1080/01621459.2016.1260466; Li & Li (2019),
doi:10.1214/19-AOAS1282 for its variance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from whatworks.design.choosing.propensity import as_propensity
from whatworks.design.choosing.scored import Scored
from whatworks.design.comparison import Chosen
from whatworks.design.parts import Candidates
from whatworks.errors import OptionError
from whatworks.options import typed
from whatworks.vocabulary import Estimand

_WHAT = "overlap weights"


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlapWeights:
    """Units weighted by their probability of being in the other arm.

    Parameters
    ----------
    propensity : str, mapping or Propensity
        As `Propensity` reads it: ``"logit"``, ``"probit"``, a scikit-learn classifier.

    Raises
    ------
    OptionError
        From ``choose``: for another estimand than the ATO.
    DesignRefused
        From ``choose``: when covariates separate the arms, or no month holds both.

    References
    ----------
    Li, Morgan & Zaslavsky (2018), doi:10.1080/01621459.2016.1260466.

    Examples
    --------
    >>> OverlapWeights().propensity
    'logit'
    """

    propensity: Any = "logit"

    def __post_init__(self) -> None:
        typed(self)
        as_propensity(self.propensity)

    def choose(self, candidates: Candidates) -> Chosen:
        """Choose weights without seeing any outcome."""
        if candidates.estimand != Estimand.ATO:
            raise OptionError(
                what="estimand with overlap weights",
                needed="ATO, which is what they estimate",
                found=repr(candidates.estimand),
                remedy="ask for estimand='ATO', or use inverse probability or entropy balancing",
            )
        scored = Scored.of(candidates, as_propensity(self.propensity), what=_WHAT)
        treated, q, p = scored.units.treated, scored.units.weight, scored.probability
        toward_other = np.where(treated, -1.0, 1.0)
        return scored.chosen(
            candidates,
            weight=q * np.where(treated, 1.0 - p, p),
            slope=q * toward_other * scored.density(),
        )

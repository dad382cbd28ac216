r"""Covariate-balancing propensity score: a logistic regression fitted so that its weights balance.

Estimand
--------
ATT, ATC or ATE, as the question asks.

Equation
--------
With :math:`\eta_i=\alpha_{g(i)}+x_i'\beta` and :math:`p_i=1/(1+e^{-\eta_i})`, the parameters solve as
many moments as there are of them (just identified):

.. math::

    \text{ATT: }\sum_i q_i\Big(d_i-\tfrac{(1-d_i)p_i}{1-p_i}\Big)z_i=0,\quad
    \text{ATE: }\sum_i q_i\Big(\tfrac{d_i}{p_i}-\tfrac{1-d_i}{1-p_i}\Big)z_i=0,

with :math:`z=(1\{g=1\},\dots,1\{g=G\},x)`, :math:`g` the calendar month and :math:`q` sampling weights;
the ATC exchanges the arms. Each is the slope of a convex function (Zhao 2019), minimised to machine
precision. For the ATT and the ATC the weights are those of entropy balancing.

Identification
--------------
Given covariates and month, who enters is unrelated to what would have become of them otherwise, and
either the log-odds of entering are linear in :math:`x` or the outcomes are.

Inference
---------
The equation is given with the weights: `whatworks.WeightedDifference` accounts for it.

Edge cases
----------
Months that lack an arm are left out and counted. Collinear covariates change nothing. Means that no
weights bring together are refused, and the covariate named.

References
----------
Imai & Ratkovic (2014), doi:10.1111/rssb.12027; Zhao (2019), doi:10.1214/18-AOS1698.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit

from whatworks.design.choosing.weighting import (
    Weighed,
    check_moments,
    one_of,
    reachable_alone,
    refuse_imbalance,
    weighed,
)
from whatworks.design.comparison import Chosen
from whatworks.design.parts import Candidates
from whatworks.options import typed
from whatworks.stats.balancing import Balanced, Pull, solve_balance
from whatworks.vocabulary import Estimand

_WHAT = "the covariate-balancing propensity score"


@dataclass(frozen=True, slots=True, kw_only=True)
class CovariateBalancing:
    """Weights of a propensity score that balances covariates, in each calendar month.

    Parameters
    ----------
    moments : int
        1 balances means; 2 also means of squares of covariates that are not 0/1.

    Raises
    ------
    OptionError
        On other moments, or, from ``choose``, for the overlap population.
    DesignRefused
        From ``choose``: when no weights balance the means, naming a covariate; or no month holds
        both arms.

    References
    ----------
    Imai & Ratkovic (2014), doi:10.1111/rssb.12027.

    Examples
    --------
    >>> CovariateBalancing().moments
    1
    """

    moments: Literal[1, 2] = 1

    def __post_init__(self) -> None:
        typed(self)
        check_moments(self.moments)

    def choose(self, candidates: Candidates) -> Chosen:
        """Choose weights without seeing any outcome."""
        one_of(candidates, (Estimand.ATT, Estimand.ATC, Estimand.ATE), what=_WHAT)
        found = weighed(candidates, moments=self.moments, what=_WHAT)
        pull = _pull(found, candidates.estimand)
        balanced = solve_balance(found.basis, group=found.group, pull=pull)
        if not balanced.feasible:
            _refuse(found, balanced, candidates.estimand)
        # A unit of an arm that is weighted counts once by itself where both arms are.
        own = np.where((pull.up + pull.down == 0) | (pull.level != 0), found.weight, 0.0)
        equation = balanced.fitted(
            found.basis,
            group=found.group,
            pull=pull,
            slope=balanced.rising - balanced.falling,
        )
        return found.chosen(
            candidates,
            weight=own + balanced.rising + balanced.falling,
            fitted=(equation,),
            propensity=expit(balanced.linear),
        )


def _pull(found: Weighed, estimand: str) -> Pull:
    """What pulls the log-odds of each unit, from the moments of the estimand."""
    treated = np.where(found.treated, found.weight, 0.0)
    others = found.weight - treated
    nothing = np.zeros(treated.size)
    if estimand == Estimand.ATT:
        return Pull(up=others, down=nothing, level=treated)
    if estimand == Estimand.ATC:
        return Pull(up=nothing, down=treated, level=-others)
    return Pull(up=others, down=treated, level=treated - others)


def _refuse(found: Weighed, balanced: Balanced, estimand: str) -> None:
    """Name the covariate on which one arm cannot be weighted to the other."""
    arm = found.treated if estimand == Estimand.ATC else ~found.treated
    target = np.where(arm, 0.0, found.weight)
    alone = np.ones(found.basis.shape[1], dtype=bool)
    if estimand != Estimand.ATE:
        alone = reachable_alone(found.basis, found.group, arm=arm, target=target)
    refuse_imbalance(found, balanced.gap, reachable=alone, what=_WHAT)

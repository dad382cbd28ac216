r"""Entropy balancing: comparisons weighted, as little as can be, to the very means of those sought for.

Estimand
--------
ATT, ATC or ATE, as the question asks.

Equation
--------
For the ATT, weights of comparisons :math:`w_j=q_je^{\alpha_{g(j)}+x_j'\beta}`, with :math:`q` sampling
weights (the base weights) and :math:`g` the calendar month, such that

.. math:: \sum_{j:d_j=0} w_j z_j = \sum_{i:d_i=1} q_i z_i,
          \qquad z = (1\{g=1\},\dots,1\{g=G\},x)

Among all weights that do so, these are nearest to :math:`q` in entropy. For the ATE each arm is
weighted to the means of both together. With ``moments=2``, :math:`x` holds squares too.

Identification
--------------
Given covariates and month, who enters is unrelated to what would have become of them otherwise, and
either the outcome otherwise is linear in :math:`x` or the log-odds of entering are (Zhao & Percival
2017: doubly robust).

Inference
---------
The weights are the solution of the equation above, given with them: `whatworks.WeightedDifference`
accounts for it.

Edge cases
----------
Months that lack an arm are left out and counted. Collinear covariates change nothing. A mean that no
weights reach is refused, and the covariate named. A value that nobody sought for has is given a weight
that tends to zero.

References
----------
Hainmueller (2012), doi:10.1093/pan/mpr025; Zhao & Percival (2017), doi:10.1515/jci-2016-0010.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

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
from whatworks.stats.balancing import Pull, solve_balance
from whatworks.stats.fitted import FittedScore
from whatworks.vocabulary import Estimand

Floats = NDArray[np.float64]

_WHAT = "entropy balancing"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntropyBalancing:
    """Comparisons weighted to the exact means of those sought for, in each calendar month.

    Parameters
    ----------
    moments : int
        1 balances means; 2 also means of squares, hence variances, of covariates that are not 0/1.

    Raises
    ------
    OptionError
        On other moments, or, from ``choose``, for the overlap population.
    DesignRefused
        From ``choose``: when no weights reach the means, naming a covariate; or no month holds both
        arms.

    References
    ----------
    Hainmueller (2012), doi:10.1093/pan/mpr025.

    Examples
    --------
    >>> EntropyBalancing(moments=2).moments
    2
    """

    moments: Literal[1, 2] = 1

    def __post_init__(self) -> None:
        typed(self)
        check_moments(self.moments)

    def choose(self, candidates: Candidates) -> Chosen:
        """Choose weights without seeing any outcome."""
        one_of(candidates, (Estimand.ATT, Estimand.ATC, Estimand.ATE), what=_WHAT)
        found = weighed(candidates, moments=self.moments, what=_WHAT)
        weight, fitted = np.zeros(found.rows.size), []
        for arm in (True, False):
            mine = found.treated == arm
            if candidates.estimand == (Estimand.ATT if arm else Estimand.ATC):
                weight[mine] = found.weight[mine]
                continue
            target = found.weight
            if candidates.estimand != Estimand.ATE:
                target = np.where(mine, 0.0, found.weight)
            tilted, equation = _tilt(found, arm=arm, target=target)
            weight[mine] = tilted[mine]
            fitted.append(equation)
        return found.chosen(candidates, weight=weight, fitted=tuple(fitted))


def _tilt(found: Weighed, *, arm: bool, target: Floats) -> tuple[Floats, FittedScore]:
    """Weights of one arm with the totals of ``target``, and their equation."""
    mine = found.treated == arm
    pull = Pull(
        up=np.where(mine, found.weight, 0.0), down=np.zeros(found.weight.size), level=target
    )
    balanced = solve_balance(found.basis, group=found.group, pull=pull)
    if not balanced.feasible:
        alone = reachable_alone(found.basis, found.group, arm=mine, target=target)
        refuse_imbalance(found, balanced.gap, reachable=alone, what=_WHAT)
    equation = balanced.fitted(found.basis, group=found.group, pull=pull, slope=balanced.rising)
    return balanced.rising, equation

r"""Stable balancing weights: the least variable weights that balance covariates to within a tolerance.

Estimand
--------
ATT, ATC or ATE, as the question asks.

Equation
--------
For the ATT, with :math:`q` sampling weights, :math:`T=\sum_{d_i=1}q_i` and :math:`s_j` the standard
deviation of covariate :math:`j` among the treated,

.. math::

    \min_{w\ge0}\sum_{d_i=0} \frac{w_i^2}{q_i}\quad\text{such that}\quad
    \Big|\sum_{d_i=0}w_ix_{ij}-\sum_{d_i=1}q_ix_{ij}\Big|\le\delta s_jT,\qquad
    \sum_{d_i=0,\,g_i=g}w_i=\sum_{d_i=1,\,g_i=g}q_i

in every calendar month :math:`g`: for equal :math:`q`, the weights of least variance. For the ATE each arm
is weighted towards both together.

Identification
--------------
Given covariates and month, who enters is unrelated to what would have become of them otherwise, and the
outcome otherwise is linear in covariates; what the tolerance leaves of a covariate's difference leaves
that much bias, at most.

Inference
---------
:math:`w_i=q_i\max(0,\alpha_{g(i)}+x_i'\beta)`, with :math:`\beta_j=0` where balance does not bind: given
who has a weight and which constraints bind, the weights solve an equation, given with them, for which
`whatworks.WeightedDifference` accounts, standard deviations :math:`s_j` included. That these two sets vary
between samples is not accounted for, nor the centre about which squares are taken.

Edge cases
----------
Months that lack an arm are left out and counted. Comparisons of zero weight are left out; for the ATE they
keep a millionth of their sampling weight, since the mean sought is theirs too. A covariate that does not
vary among those sought for is balanced exactly. A tolerance that no weights meet is
refused, and the covariate named.

References
----------
Zubizarreta (2015), doi:10.1080/01621459.2015.1023805; Wang & Zubizarreta (2020),
doi:10.1093/biomet/asz050.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

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
from whatworks.errors import OptionError
from whatworks.options import typed
from whatworks.stats.fitted import FittedScore
from whatworks.stats.stable import Stable, stable_weights
from whatworks.vocabulary import Estimand

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_WHAT = "stable balancing weights"

LEAST: Final = 1e-6
"""Least weight per sampling weight where both arms are sought for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StableWeights:
    """Comparisons weighted as evenly as a tolerance on their balance allows.

    Parameters
    ----------
    tolerance_sd : float
        Largest difference of means left, in standard deviations among those sought for. What is
        left is left as bias: 0 by default.
    moments : int
        1 balances means; 2 also means of squares of covariates that are not 0/1.

    Raises
    ------
    OptionError
        On a negative tolerance or other moments, or, from ``choose``, for the overlap population.
    DesignRefused
        From ``choose``: when no weights are within tolerance, naming a covariate; or no month holds
        both arms.

    References
    ----------
    Zubizarreta (2015), doi:10.1080/01621459.2015.1023805.

    Examples
    --------
    >>> StableWeights(tolerance_sd=0.05).moments
    1
    """

    tolerance_sd: float = 0.0
    moments: int = 1

    def __post_init__(self) -> None:
        typed(self)
        check_moments(self.moments)
        if not 0 <= self.tolerance_sd < np.inf:
            raise OptionError(
                what="tolerance_sd",
                needed="0 or more",
                found=str(self.tolerance_sd),
                remedy="write for instance tolerance_sd=0.02",
            )

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
            stable, equation = self._towards(found, mine=mine, target=target)
            weight[mine] = stable
            fitted.append(equation)
        return found.chosen(candidates, weight=weight, fitted=tuple(fitted))

    def _towards(
        self, found: Weighed, *, mine: Bools, target: Floats
    ) -> tuple[Floats, FittedScore]:
        """Weights of one arm towards the means of ``target``, and their equation."""
        mass = float(target.sum())
        mean = target @ found.basis / mass
        spread = np.sqrt(np.maximum(target @ (found.basis - mean) ** 2 / mass, 0.0))
        spread[spread < 1e-10] = 0.0
        n_groups = int(found.group.max()) + 1
        stable = stable_weights(
            found.basis[mine],
            group=found.group[mine],
            weight=found.weight[mine],
            totals=np.bincount(found.group, weights=target, minlength=n_groups).astype(float),
            sums=target @ found.basis,
            tolerance=self.tolerance_sd * spread,
            # Those whose own mean is sought stay in the design: its uncertainty is theirs too.
            least=LEAST if bool((target[mine] > 0).any()) else 0.0,
        )
        if not stable.feasible:
            slack = self.tolerance_sd * spread
            alone = reachable_alone(found.basis, found.group, arm=mine, target=target, slack=slack)
            refuse_imbalance(found, stable.multiplier, reachable=alone, what=_WHAT)
        equation = self._equation(found, stable, mine=mine, target=target, mean=mean, spread=spread)
        return stable.weight, equation

    def _equation(
        self,
        found: Weighed,
        stable: Stable,
        *,
        mine: Bools,
        target: Floats,
        mean: Floats,
        spread: Floats,
    ) -> FittedScore:
        r"""Constraints that bind, as an equation.

        On side :math:`\sigma_j` the constraint asks for :math:`\sum_i w_ix_{ij}` of
        :math:`\sum_i q_ix_{ij}+\sigma_j\delta s_jT`, and a unit moves :math:`s_jT` by
        :math:`q_i\{s_j+((x_{ij}-\bar x_j)^2-s_j^2)/(2s_j)\}`.
        """
        bind = np.flatnonzero((stable.multiplier != 0) | (self.tolerance_sd * spread == 0))
        side = -np.sign(stable.multiplier[bind]) * self.tolerance_sd
        basis, scale = found.basis[:, bind], spread[bind]
        safe = np.where(scale > 0, scale, 1.0)
        moved = scale + ((basis - mean[bind]) ** 2 - scale**2) / (2 * safe)
        weight, rising = np.zeros(target.size), np.zeros(target.size)
        weight[mine] = stable.weight
        rising[mine] = np.where(stable.free, found.weight[mine], 0.0)
        return FittedScore(
            basis=basis,
            group=found.group,
            score=target - weight,
            curvature=rising,
            slope=rising,
            beyond=target[:, None] * np.where(scale > 0, side * moved, 0.0),
        )

r"""Extended two-way fixed effects.

Estimand
--------
Average effect on the treated by cohort and period; over cohorts, by their share of those observed then.

Equation
--------
One least-squares fit over all units and periods, with :math:`\dot x_i=x_i-\bar x_{G_i}`,

.. math:: y_{it} = \alpha_i + \lambda_t + x_i'\gamma_t
          + \sum_g\sum_{t\ge g}\big(\tau_{g,t} + \dot x_i'\rho_{g,t}\big)1\{G_i=g\} + \varepsilon_{it}

Effects are :math:`\hat\tau_{g,t}`, read where the covariates of the cohort are on average. On panels
without gaps unit effects do the same as indicators of cohorts and covariates in pooled least squares
(Mundlak); moments by cohort and period are all that is read.

With ``control="not_yet_treated"`` coefficients start at the treatment; without covariates and without
gaps the points are those of imputation (Borusyak, Jaravel & Spiess), which where there are gaps leaves
treated rows out of unit effects, as this does not. With ``control="never_treated"`` there is one in
every period but the last before the start, and without covariates the points are those of Sun & Abraham.

Identification
--------------
Parallel trends given covariates, whose effect on trends is linear and the same in all cohorts, in every
period before treatment as well (``not_yet_treated``) or from the last period before it
(``never_treated``); nobody reacts before the start (less ``anticipation``); the treatment of some leaves
the outcome of others alone. Without units never treated the last cohort is the control, over the periods
before its start.

Inference
---------
Scores of the regression summed by person or by market. The means of covariates are estimated, and add
:math:`\hat\rho_{g,t}'(x_i-\bar x_g)/n_g`; the shares of cohorts add their influence. ``small_sample``
multiplies the covariance by :math:`\frac{G}{G-1}\frac{N-1}{N-K}`, :math:`K` counting every coefficient but
unit effects. By market, Student's t with G−1 degrees of freedom.

Edge cases
----------
Units may lack periods (``gaps="keep"``). An effect that the data do not determine, such as that of a
cohort with fewer units than covariates, has no row and is counted in the ledger. Outcomes that do not
vary have NaN standard errors.

References
----------
Wooldridge (2021), doi:10.2139/ssrn.3906345; (2025), doi:10.1007/s00181-025-02807-z. Mundlak (1978),
doi:10.2307/1913646. Borusyak, Jaravel & Spiess (2024), doi:10.1093/restud/rdae007.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

import numpy as np

from whatworks.design.record import Design
from whatworks.errors import choice
from whatworks.estimate.aggregation import estimate_of_cells
from whatworks.estimate.controlled import not_negative, with_a_control
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate
from whatworks.estimate.rollouts import Rollout
from whatworks.estimate.saturated import fit_saturated, ledger_of_cells, saturated_cells
from whatworks.options import typed
from whatworks.vocabulary import CONTROLS, Control, Supply


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendedTwoWay:
    """Effects by cohort and period that vary with covariates, from one regression.

    Parameters
    ----------
    control : str
        ``"not_yet_treated"``: units count until they start; ``"never_treated"``.
    anticipation : int
        Periods before the start in which units may react already.
    gaps : str
        ``"keep"``: units count in the periods in which they are observed; ``"drop"``: those not
        observed in some period are left out.
    cluster : str
        ``"person"`` or ``"market"``.
    small_sample : bool
        Multiply the covariance by G/(G−1) · (N−1)/(N−K).

    Examples
    --------
    >>> ExtendedTwoWay(control="never_treated").gaps
    'keep'
    """

    control: Control = "not_yet_treated"
    anticipation: int = 0
    gaps: Literal["keep", "drop"] = "keep"
    cluster: Literal["person", "market"] = "person"
    small_sample: bool = True

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.ROLLOUT})

    def __post_init__(self) -> None:
        typed(self)
        choice(self.control, CONTROLS, what="control")
        choice(self.gaps, ("keep", "drop"), what="gaps")
        choice(self.cluster, ("person", "market"), what="cluster")
        not_negative(self.anticipation, what="anticipation")

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate effects by cohort and period, and by month since the start over cohorts.

        Parameters
        ----------
        design : Design
            A rollout; trends and effects vary with its covariates, if any.
        rng : Generator, optional
            Not used: nothing is drawn.

        Returns
        -------
        Estimate
            Term ``att``; `whatworks.aggregate` averages it otherwise.

        Raises
        ------
        DesignRefused
            When the design is no rollout, no unit is observed twice, or nobody is left to compare.
        """
        require(design, self.needs, method="ExtendedTwoWay", cluster=self.cluster)
        rollout = Rollout.of(
            design, cluster=self.cluster, gaps=self.gaps, anticipation=self.anticipation
        )
        rollout = with_a_control(rollout, anticipation=self.anticipation, method="ExtendedTwoWay")
        never = self.control == "never_treated"
        fitted = fit_saturated(rollout, leads=never, moderated=True, anticipation=self.anticipation)
        within = rollout.start <= rollout.periods[-1]
        until = np.where(within & never, rollout.periods[0], rollout.start - self.anticipation)
        cells = saturated_cells(
            fitted,
            anticipation=self.anticipation,
            small_sample=self.small_sample,
            compared_until=until,
        )
        return estimate_of_cells(
            cells,
            method="ExtendedTwoWay",
            options=asdict(self),
            unit=design.outcomes.unit,
            ledger=ledger_of_cells(fitted, cells),
        )

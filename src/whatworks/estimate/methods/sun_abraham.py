r"""Interaction-weighted event study.

Estimand
--------
Average effect on the treated by cohort and by months since the start; over cohorts, by their share of
those observed then.

Equation
--------
One least-squares fit over all units and periods,

.. math:: y_{it} = \alpha_i + \lambda_t + \sum_g\sum_{e\ne -1}\delta_{g,e}\,
          1\{G_i=g\}\,1\{t-g=e\} + x_i'\gamma_t + \varepsilon_{it}

and :math:`\hat\theta_e=\sum_g\hat p_g\hat\delta_{g,e}/\sum_g\hat p_g` over the cohorts observed then.
Covariates of the design, if any, have a coefficient in each period (:math:`\gamma_t`).

Identification
--------------
Parallel trends, given covariates when there are some, of each cohort and of those never treated;
nobody reacts before the start (less ``anticipation`` periods); the treatment of some leaves the outcome of
others alone. Without units never treated the last cohort is the control, over the periods before its
start.

Inference
---------
Scores of the regression summed by person or by market. ``small_sample`` multiplies the covariance by
:math:`\frac{G}{G-1}\frac{N-1}{N-K}`, :math:`K` counting every coefficient but unit effects, which are nested
in clusters: the factor of the R package ``fixest``. Shares of cohorts are estimated and add their
influence; `whatworks.aggregate` with ``weights=`` takes them as given, as ``fixest`` does. By market,
Student's t with G−1 degrees of freedom.

Edge cases
----------
The period from which effects are counted is the last one observed before the start, whatever its
distance. Units may lack periods (``gaps="keep"``): a unit seen once is swept out by its own effect. An
effect that the data do not determine, such as that of a cohort never observed before its start, has no
row and is counted in the ledger. Outcomes that do not vary have NaN standard errors.

References
----------
Sun & Abraham (2021), doi:10.1016/j.jeconom.2020.09.006.
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
from whatworks.vocabulary import Supply


@dataclass(frozen=True, slots=True, kw_only=True)
class SunAbraham:
    """Effects by cohort and period from one saturated regression.

    Parameters
    ----------
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
    >>> SunAbraham(cluster="market").gaps
    'keep'
    """

    anticipation: int = 0
    gaps: Literal["keep", "drop"] = "keep"
    cluster: Literal["person", "market"] = "person"
    small_sample: bool = True

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.ROLLOUT})

    def __post_init__(self) -> None:
        typed(self)
        choice(self.gaps, ("keep", "drop"), what="gaps")
        choice(self.cluster, ("person", "market"), what="cluster")
        not_negative(self.anticipation, what="anticipation")

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate effects by cohort and period, and by month since the start over cohorts.

        Parameters
        ----------
        design : Design
            A rollout; its covariates are controlled for, each period its own way.
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
        require(design, self.needs, method="SunAbraham", cluster=self.cluster)
        rollout = Rollout.of(
            design, cluster=self.cluster, gaps=self.gaps, anticipation=self.anticipation
        )
        rollout = with_a_control(rollout, anticipation=self.anticipation, method="SunAbraham")
        fitted = fit_saturated(rollout, leads=True, moderated=False, anticipation=self.anticipation)
        never = rollout.start > rollout.periods[-1]
        cells = saturated_cells(
            fitted,
            anticipation=self.anticipation,
            small_sample=self.small_sample,
            compared_until=np.where(never, rollout.start, rollout.periods[0]),
        )
        return estimate_of_cells(
            cells,
            method="SunAbraham",
            options=asdict(self),
            unit=design.outcomes.unit,
            ledger=ledger_of_cells(fitted, cells),
        )

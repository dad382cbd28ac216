r"""Synthetic difference in differences: weights on territories and on periods, and an intercept.

Estimand
--------
Effect on the treated territories, by months since the start: for each cohort, and over cohorts by their
share of the treated. ``aggregate(by="simple")`` weighs cohorts by treated territories and periods.

Equation
--------
For the cohort that starts in :math:`g`, weights :math:`\hat\omega` on the never treated and
:math:`\hat\lambda` on periods before :math:`g`,

.. math:: \hat\tau_{gt}=\Big(\bar y_{gt}-\sum_j\hat\omega_jy_{jt}\Big)
          -\sum_{s<g}\hat\lambda_s\Big(\bar y_{gs}-\sum_j\hat\omega_jy_{js}\Big)

whose mean over periods from :math:`g` on is the estimate of Arkhangelsky et al. Unit weights are those of
a synthetic control with an intercept and the penalty :math:`\zeta^2T_0\|\omega\|^2`,
:math:`\zeta=(N_1T_1)^{1/4}\hat\sigma` with :math:`\hat\sigma` the standard deviation of donors' changes
before :math:`g`; period weights make the donors' past foretell their mean outcome afterwards.

Identification
--------------
Outcomes without treatment follow territory and period effects and common factors that weights balance;
nobody reacts before the start; the treatment of some leaves the donors alone.

Inference
---------
``"jackknife"``: over territories, weights kept (their Algorithm 3), Student's t with degrees of freedom
by Satterthwaite's rule from the parts of treated and donors; with one treated territory it is not defined
and NaN, and a cohort of one has no interval of its own. ``"placebo"``: the variance of effects of as many
never-treated territories drawn at random (Algorithm 4, which takes errors to vary alike in all
territories); with one treated territory its standard error would rest on the donors alone: p-values are
ranks, never under 1/(donors+1), intervals hold the effects not rejected (none with fewer than nineteen
donors), and that error is in ``extras["inference"]``. ``"bootstrap"``: territories drawn again and
weighted again (Algorithm 2); refused for a cohort of one. ``"auto"``: ranks with one treated territory,
the jackknife with more.

Edge cases
----------
``solver="frank_wolfe"`` stops where the R package ``synthdid`` 0.0.9 stops, near the optimum. ``adjust``
first frees outcomes of what covariates foretell among the never treated, period by period. A sampling
weight of two is a territory written twice. Gaps in the panel, fewer than two periods before a start, and
designs without never-treated territories are refused.

References
----------
Arkhangelsky, Athey, Hirshberg, Imbens & Wager (2021), doi:10.1257/aer.20190159. Clarke, Pailañir, Athey &
Imbens (2024), doi:10.1177/1536867X241297914, and Ciccia (2024), doi:10.48550/arXiv.2407.09565, for cohorts
and months.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import OptionError, choice
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate
from whatworks.estimate.synthetic.answer import Inference, Reading, answer
from whatworks.estimate.synthetic.fitting import Weighted
from whatworks.estimate.synthetic.reading import Cohort, Territories, cohorts_of
from whatworks.options import typed
from whatworks.stats.synthetic.difference import (
    Solver,
    noise_level,
    sdid_weights,
    unit_penalty,
)
from whatworks.vocabulary import Supply

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticDiD:
    """Synthetic difference in differences by cohort and month, and over cohorts.

    Parameters
    ----------
    adjust : bool
        Free outcomes of what covariates foretell among the never treated.
    solver : str
        ``"exact"`` or ``"frank_wolfe"``.
    inference : str
        ``"auto"``, ``"jackknife"``, ``"placebo"`` or ``"bootstrap"``.
    draws : int
        Of placebos or of the bootstrap; at least 2.

    Examples
    --------
    >>> SyntheticDiD(inference="placebo").draws
    200
    """

    adjust: bool = False
    solver: Solver = "exact"
    inference: Inference = "auto"
    draws: int = 200

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.NEVER_TREATED, Supply.ROLLOUT})

    def __post_init__(self) -> None:
        typed(self)
        choice(self.solver, ("exact", "frank_wolfe"), what="solver")
        choice(self.inference, ("auto", "jackknife", "placebo", "bootstrap"), what="inference")
        if self.draws < 2:
            raise OptionError(
                what="SyntheticDiD(draws=...)",
                needed="at least 2",
                found=repr(self.draws),
                remedy="leave it out for 200",
            )

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate effects by cohort and month.

        Parameters
        ----------
        design : Design
            A rollout whose units are territories; of persons, `whatworks.territories` makes one.
        rng : Generator, optional
            Draws placebos or bootstrap samples.

        Returns
        -------
        Estimate
            Term ``att`` from the start on. Extras ``donors``, ``periods``, ``fit``, ``paths``,
            ``without``, ``placebos``, ``inference``.

        Raises
        ------
        DesignRefused
            For gaps, fewer than two periods before a start, or no never-treated territory.
        """
        adjusting = {Supply.COVARIATES} if self.adjust else set()
        require(design, self.needs | adjusting, method="SyntheticDiD")
        land = Territories.of(design, method="SyntheticDiD")
        if self.adjust:
            land = land.adjusted(method="SyntheticDiD")
        cohorts = cohorts_of(land, method="SyntheticDiD")
        return answer(
            design,
            land,
            cohorts,
            _Weighing.of(land, cohorts, solver=self.solver),
            method="SyntheticDiD",
            options=asdict(self),
            reading=Reading(inference=self.inference, draws=self.draws, together=True, ratio=False),
            rng=rng,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weighing:
    """Weights of donors and periods for territories treated together; penalties are the design's own.

    Parameters
    ----------
    land : Territories
    penalties : dict of int to (float, float)
        By number of periods before the start: noise, and penalty on units.
    solver : str
    """

    land: Territories
    penalties: dict[int, tuple[float, float]]
    solver: Solver

    @classmethod
    def of(cls, land: Territories, cohorts: list[Cohort], *, solver: Solver) -> _Weighing:
        penalties = {}
        for c in cohorts:
            noise = noise_level(land.values[c.donors, : c.n_before], land.weight[c.donors])
            count = float(land.weight[c.treated].sum())
            zeta = unit_penalty(noise, n_treated=count, n_after=c.read.size)
            penalties[c.n_before] = (noise, zeta)
        return cls(land=land, penalties=penalties, solver=solver)

    def __call__(self, treated: Ints, donors: Ints, *, mass: Floats, n_before: int) -> Weighted:
        noise, zeta = self.penalties[n_before]
        share = mass[treated] / mass[treated].sum()
        found = sdid_weights(
            self.land.values[donors],
            share @ self.land.values[treated],
            n_before=n_before,
            mass=mass[donors],
            zeta=zeta,
            noise=noise,
            solver=self.solver,
        )
        return Weighted(
            np.tile(found.unit, (treated.size, 1)), np.tile(found.period, (treated.size, 1))
        )

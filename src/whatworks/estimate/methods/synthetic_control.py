r"""Synthetic control: a weighted mean of other territories that moved as the treated one before its start.

Estimand
--------
Effect on the treated territories, by months since the start: for each cohort, and over cohorts by their
share of the treated.

Equation
--------
For each treated territory :math:`i` that starts in :math:`g`,

.. math:: \hat\tau_{it}=y_{it}-\sum_j\hat w_{ij}y_{jt},\qquad
          \hat w_i=\arg\min_{w\ge0,\ 1'w=1}(x_i-X_0w)'V(x_i-X_0w)

Predictors :math:`x` are outcomes of the periods before :math:`g`, and covariates. ``importance`` sets
:math:`V`: ``"inverse_variance"`` divides past outcomes by one standard deviation and each covariate by its
own (without covariates, past outcomes count alike); ``"fitted"`` matches covariates alone, counting each so
that the synthetic past lies nearest to the past.

Identification
--------------
Outcomes without treatment follow common factors that weights which reproduce a long past also reproduce;
nobody reacts before the start; the treatment of some leaves the donors alone.

Inference
---------
With one treated territory no standard error can be told and none is given: each donor in turn is taken
for the treated, effects are divided by the error before the start, and p-values are ranks, never under
1/(donors+1); intervals hold the effects not rejected, and with fewer than nineteen donors there is none.
With more, the jackknife over territories, donors' weights kept, and Student's t with degrees of freedom
by Satterthwaite's rule from the parts of treated and donors; a cohort of one has no interval of its own.
``"placebo"`` with several treated: the variance of effects of as many donors drawn at random.

Edge cases
----------
Poor fit before the start is not refused: ``extras["fit"]`` gives it by territory, as a share of the spread of
donors' outcomes (``relative``). Where several weights fit as well, those of least sum of squares are taken.
A territory reproduced exactly before its start has no error to divide by: its ranks are NaN. Gaps in the
panel, fewer than two periods before a start, and cohorts without donors are refused.
``solver="frank_wolfe"`` stops where the R package ``synthdid`` stops, near the optimum.

References
----------
Abadie, Diamond & Hainmueller (2010), doi:10.1198/jasa.2009.ap08746. Cavallo, Galiani, Noy & Pantano (2013),
doi:10.1162/REST_a_00413, for several treated. Firpo & Possebom (2018), doi:10.1515/jci-2016-0026.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused, OptionError, choice
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate
from whatworks.estimate.synthetic.answer import Reading, answer
from whatworks.estimate.synthetic.fitting import Weighted
from whatworks.estimate.synthetic.reading import Territories, cohorts_of
from whatworks.options import typed
from whatworks.stats.synthetic.control import fitted_importance, standardised
from whatworks.stats.synthetic.difference import Solver, noise_level
from whatworks.stats.synthetic.frank_wolfe import GAIN, early_stopped_weights
from whatworks.stats.synthetic.simplex import simplex_weights
from whatworks.vocabulary import CONTROLS, Control, Supply

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PLACEBO_DRAWS = 1_000
"""Placebos with several treated territories: each donor is fitted once, so that draws cost little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticControl:
    """Synthetic control of each treated territory, averaged over territories and cohorts.

    Parameters
    ----------
    control : str
        ``"never_treated"``, or ``"not_yet_treated"``: also territories that start more than ``after``
        periods later.
    after : int, optional
        Last period since the start in which effects are read; by default all observed.
    importance : str
        ``"inverse_variance"`` or ``"fitted"``.
    solver : str
        ``"exact"`` or ``"frank_wolfe"``.
    inference : str
        ``"auto"`` (ranks with one treated territory, else the jackknife), ``"jackknife"`` or
        ``"placebo"``.

    Examples
    --------
    >>> SyntheticControl(control="not_yet_treated", after=12).inference
    'auto'
    """

    control: Control = "never_treated"
    after: int | None = None
    importance: Literal["inverse_variance", "fitted"] = "inverse_variance"
    solver: Solver = "exact"
    inference: Literal["auto", "jackknife", "placebo"] = "auto"

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.ROLLOUT})

    def __post_init__(self) -> None:
        typed(self)
        choice(self.control, CONTROLS, what="control")
        choice(self.importance, ("inverse_variance", "fitted"), what="importance")
        choice(self.solver, ("exact", "frank_wolfe"), what="solver")
        choice(self.inference, ("auto", "jackknife", "placebo"), what="inference")
        if self.importance == "fitted" and self.solver != "exact":
            raise OptionError(
                what="SyntheticControl",
                needed="solver='exact' with importance='fitted'",
                found="solver='frank_wolfe'",
                remedy="leave solver out",
            )

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate effects by cohort and month.

        Parameters
        ----------
        design : Design
            A rollout whose units are territories; of persons, `whatworks.territories` makes one.
        rng : Generator, optional
            Draws placebos where several territories are treated.

        Returns
        -------
        Estimate
            Term ``att`` from the start on. Extras ``donors``, ``fit``, ``paths``, ``without``,
            ``placebos``, ``inference``.

        Raises
        ------
        DesignRefused
            For gaps, fewer than two periods before a start, a cohort without donors, or
            ``importance="fitted"`` without covariates.
        """
        require(design, self.needs, method="SyntheticControl")
        if self.importance == "fitted" and not design.covariates:
            raise DesignRefused(
                what="SyntheticControl(importance='fitted')",
                needed="covariates, whose importance is fitted to past outcomes",
                found="none",
                remedy="name covariates (past outcomes among them), or leave importance out",
            )
        land = Territories.of(design, method="SyntheticControl")
        cohorts = cohorts_of(
            land, control=self.control, after=self.after, method="SyntheticControl"
        )
        return answer(
            design,
            land,
            cohorts,
            _Weighing(land=land, importance=self.importance, solver=self.solver),
            method="SyntheticControl",
            options=asdict(self),
            reading=Reading(
                inference=self.inference, draws=PLACEBO_DRAWS, together=False, ratio=True
            ),
            rng=rng,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weighing:
    """Weights of donors, one treated territory at a time."""

    land: Territories
    importance: str
    solver: Solver

    def __call__(self, treated: Ints, donors: Ints, *, mass: Floats, n_before: int) -> Weighted:
        both = np.concatenate([donors, treated])
        before, covariates = self.land.values[both, :n_before], self.land.covariates[both]
        if self.importance == "fitted":
            predictors = standardised(before[:, :0], covariates, mass[both])
        elif covariates.shape[1]:
            predictors = standardised(before, covariates, mass[both])
        else:
            predictors = before
        columns, n = predictors[: donors.size].T, donors.size
        weights = np.empty((treated.size, n))
        for k, target in enumerate(predictors[n:]):
            if self.importance == "fitted":
                v = fitted_importance(columns, target, past=before[:n].T, own=before[n + k])
                root = np.sqrt(v)
                weights[k] = simplex_weights(
                    columns * root[:, None], target * root, mass=mass[donors]
                )
            elif self.solver == "exact":
                weights[k] = simplex_weights(columns, target, mass=mass[donors])
            else:
                weights[k] = _early_stopped(columns, target, mass[donors])
        return Weighted(weights, np.zeros((treated.size, n_before)))


def _early_stopped(columns: Floats, target: Floats, mass: Floats) -> Floats:
    """Weights as ``synthdid`` makes them: a penalty of a millionth of the noise, and early stops."""
    noise = noise_level(columns.T, mass)
    return early_stopped_weights(
        columns,
        target,
        penalty=(GAIN / 10 * noise) ** 2 * target.size,
        least=(GAIN * noise) ** 2,
        mass=mass,
    )

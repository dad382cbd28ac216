r"""Augmented synthetic control: a ridge correction for the past that weights do not reproduce.

Estimand
--------
Effect on the treated territories, by months since the start: for each cohort, and over cohorts by their
share of the treated.

Equation
--------
For each treated territory, with synthetic control weights :math:`\hat w^{sc}` and donors' past outcomes
:math:`X` less their means by period,

.. math:: \hat w=\hat w^{sc}+X(X'X+\lambda I)^{-1}(x_1-X'\hat w^{sc}),\qquad
          \hat\tau_t=y_{1t}-\sum_j\hat w_jy_{jt}

Weights sum to one and may be negative: the correction extrapolates, the less the larger :math:`\lambda`.
Each territory is fitted on its own; cohorts are not pooled.

Identification
--------------
As for the synthetic control, of which it takes away the bias that poor fit before the start leaves, as far
as a ridge regression of outcomes on past outcomes foretells it.

Inference
---------
With one treated territory, ranks among donors taken for it one by one, without division by the error
before the start, which the correction brings near zero; p-values are never under 1/(donors+1), and with
fewer than nineteen donors there is no interval. With more, the jackknife over territories, weights kept,
and Student's t with Satterthwaite's degrees of freedom. ``"placebo"`` with several treated: the variance
of effects of as many donors drawn at random.

Edge cases
----------
``ridge`` None chooses :math:`\lambda` for each territory by foretelling each past period from the others,
the largest within a standard error of the best. ``adjust`` first frees outcomes of what covariates foretell
among the never treated, period by period. Gaps in the panel, fewer than three periods before a start when
:math:`\lambda` is chosen (two otherwise), and cohorts without donors are refused.

References
----------
Ben-Michael, Feller & Rothstein (2021), doi:10.1080/01621459.2021.1929245.
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
from whatworks.stats.synthetic.augmented import Penalties, chosen_penalty, ridge_weights
from whatworks.stats.synthetic.simplex import simplex_weights
from whatworks.vocabulary import CONTROLS, Control, Supply

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PLACEBO_DRAWS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentedSyntheticControl:
    """Synthetic control with a ridge correction of each treated territory.

    Parameters
    ----------
    ridge : float, optional
        Penalty λ; by default chosen for each territory. Infinite: the synthetic control.
    adjust : bool
        Free outcomes of what covariates foretell among the never treated.
    control : str
        ``"never_treated"``, or ``"not_yet_treated"``: also territories that start more than ``after``
        periods later.
    after : int, optional
        Last period since the start in which effects are read; by default all observed.
    inference : str
        ``"auto"`` (ranks with one treated territory, else the jackknife), ``"jackknife"`` or
        ``"placebo"``.

    Examples
    --------
    >>> AugmentedSyntheticControl(ridge=10.0).adjust
    False
    """

    ridge: float | None = None
    adjust: bool = False
    control: Control = "never_treated"
    after: int | None = None
    inference: Literal["auto", "jackknife", "placebo"] = "auto"

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.ROLLOUT})

    def __post_init__(self) -> None:
        typed(self)
        choice(self.control, CONTROLS, what="control")
        choice(self.inference, ("auto", "jackknife", "placebo"), what="inference")
        if self.ridge is not None and self.ridge <= 0:
            raise OptionError(
                what="AugmentedSyntheticControl(ridge=...)",
                needed="a number above zero",
                found=repr(self.ridge),
                remedy="leave it out to have it chosen",
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
            Term ``att`` from the start on. Extras as for `SyntheticControl`.

        Raises
        ------
        DesignRefused
            For gaps, too few periods before a start, or a cohort without donors.
        """
        name = "AugmentedSyntheticControl"
        adjusting = {Supply.COVARIATES} if self.adjust else set()
        require(design, self.needs | adjusting, method=name)
        land = Territories.of(design, method=name)
        if self.adjust:
            land = land.adjusted(method=name)
        cohorts = cohorts_of(land, control=self.control, after=self.after, method=name)
        if self.ridge is None and min(c.n_before for c in cohorts) < 3:
            raise DesignRefused(
                what=name,
                needed="at least three periods before each start, to choose the penalty",
                found="a cohort with two",
                remedy="give the penalty as ridge=, or bring earlier periods",
            )
        return answer(
            design,
            land,
            cohorts,
            _Weighing(land=land, ridge=self.ridge),
            method=name,
            options=asdict(self),
            reading=Reading(
                inference=self.inference, draws=PLACEBO_DRAWS, together=False, ratio=False
            ),
            rng=rng,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weighing:
    """Weights of donors, one treated territory at a time."""

    land: Territories
    ridge: float | None

    def __call__(self, treated: Ints, donors: Ints, *, mass: Floats, n_before: int) -> Weighted:
        columns, count = self.land.values[donors, :n_before].T, mass[donors]
        weights = np.empty((treated.size, donors.size))
        among = Penalties.of(columns, mass=count) if self.ridge is None else None
        for k, target in enumerate(self.land.values[treated, :n_before]):
            plain = simplex_weights(columns, target, mass=count)
            penalty = self.ridge or np.inf
            if among is not None:
                penalty = chosen_penalty(columns, target, mass=count, among=among, start=plain)
            weights[k] = ridge_weights(columns, target, plain, penalty=penalty, mass=count)
        return Weighted(weights, np.zeros((treated.size, n_before)))

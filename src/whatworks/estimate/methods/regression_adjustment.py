r"""Regression adjustment: each arm's outcome regressed on covariates, and read over one population.

Estimand
--------
Average effect by month since entry over the treated (ATT), the untreated (ATC), everyone sampled (ATE),
or the overlap population of a design weighted for it (ATO).

Equation
--------
.. math:: \hat\theta = \sum_i \omega_i\,[\hat m_1(x_i)-\hat m_0(x_i)],\qquad
          \hat m_d(x) = \hat\alpha_{d,g} + x'\hat\beta_d

each :math:`\hat m_d` by least squares within arm d with the design's weights, one intercept per month of
entry; :math:`\omega` are the weights of the population, summing to one. With a single month of entry this is
the coefficient of the treatment in a regression fully interacted with centred covariates (Lin 2013).

Identification
--------------
Given covariates and month of entry, who enters is unrelated to what would have become of them otherwise;
outcomes of each arm are linear in the covariates, or the design's weights balance them already (either
suffices); what some are given takes nothing from the others.

Inference
---------
Influence functions summed by cluster, with the factor G/(G−1)·(n−1)/(n−k). They count the chance in who
the units are; ``covariates="fixed"`` holds their covariates fixed, as a regression's own standard errors do
(HC1, or CR1 by cluster). Where weights were estimated by an equation the design remembers, its estimation is
counted too.

Edge cases
----------
On units neither matched nor weighted everything rests on the line, and no check sees where it bends: weight
first. In simulated départements where comparisons wait for a while, the unweighted effect is off by 0.14
standard errors, the weighted one by less than 0.08. A unit without outcome in a month, or censored by then,
is left out of that month; a month of entry without both arms is left out, and counted when no month of
outcome has both. An arm of a single cluster, or of no more units than coefficients, leaves standard errors
NaN. Collinear covariates get the coefficients of least norm: one that does not vary in an arm is not
adjusted for in that arm. Outcomes that do not vary have NaN standard errors, intervals and p-values.

References
----------
Lin (2013), doi:10.1214/12-AOAS583. Negi & Wooldridge (2021), doi:10.1080/07474938.2020.1824732.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from whatworks.design.comparison import as_names
from whatworks.design.record import Design
from whatworks.errors import DesignRefused, choice
from whatworks.estimate.columns import Curve, Seen, Units, adjusted_effect, weighted
from whatworks.estimate.groups import by_group
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate
from whatworks.options import typed
from whatworks.vocabulary import Estimand, Supply

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegressionAdjustment:
    """Regressions of each arm, read over one population, by month since entry.

    Parameters
    ----------
    covariates : str
        ``"random"`` counts the chance in whose covariates were drawn, ``"fixed"`` does not.
    cluster : str
        ``"person"``, ``"market"`` or ``"matched_set"``.
    by : tuple of str
        Covariates by whose values effects are told apart, declared beforehand.

    Examples
    --------
    >>> RegressionAdjustment(cluster="market").covariates
    'random'
    """

    covariates: Literal["random", "fixed"] = "random"
    cluster: Literal["person", "market", "matched_set"] = "person"
    by: tuple[str, ...] = ()

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.COVARIATES})

    def __post_init__(self) -> None:
        typed(self)
        choice(self.covariates, ("random", "fixed"), what="covariates")
        choice(self.cluster, ("person", "market", "matched_set"), what="cluster")
        object.__setattr__(self, "by", as_names(self.by, what="by"))

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate effects at every month of the design.

        Parameters
        ----------
        design : Design
            With covariates; matched, weighted, or neither.
        rng : Generator, optional
            Not used: nothing is drawn.

        Returns
        -------
        Estimate
            One row per month, term ``att``, ``atc``, ``ate`` or ``ato``; then by group.

        Raises
        ------
        DesignRefused
            When the design has no covariates, no month with both arms, or is not weighted for the
            overlap population it asks about.
        """
        require(design, self.needs, method="RegressionAdjustment", cluster=self.cluster)
        if self.by:
            alone = replace(self, by=())
            return by_group(alone.fit, design, self.by, method=self)
        estimand = design.question.estimand
        if estimand == Estimand.ATO and not weighted(design):
            raise DesignRefused(
                what="RegressionAdjustment",
                needed="a design weighted for the overlap population",
                found="estimand ATO on a design without weights",
                remedy="weight it for overlap first, or use DoublyRobust",
            )
        units = Units.of(design, cluster=self.cluster)
        curve = Curve.blank(units.n_clusters, len(design.outcomes.months))
        for seen in units.seen(design):
            self._fill(curve, seen, units, design)
        return self._estimate(design, units, curve)

    def _fill(self, curve: Curve, seen: Seen, units: Units, design: Design) -> None:
        """Effects and influence of the months of one pattern."""
        found = adjusted_effect(
            seen,
            units,
            estimand=design.question.estimand,
            fitted=design.fitted,
            drawn=self.covariates == "random",
        )
        curve.fill(seen, units, effect=found.effect, influence=found.influence, lost_df=found.rank)

    def _estimate(self, design: Design, units: Units, curve: Curve) -> Estimate:
        lost = ~units.supported(np.ones(units.treated.size, dtype=bool))
        if lost.all():
            raise DesignRefused(
                what="RegressionAdjustment",
                needed="a month of entry with treated and untreated units whose outcome is seen",
                found="none",
                remedy="widen eligibility or the window of entries",
            )
        effects, uncertainty = curve.read(design, cluster=self.cluster)
        return Estimate(
            method="RegressionAdjustment",
            options=asdict(self),
            effects=effects,
            uncertainty=uncertainty,
            ledger=units.ledger(design, {"no_comparison": lost}),
        )

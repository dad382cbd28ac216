r"""Rolling difference in differences.

Estimand
--------
Average effect on the treated by cohort and period from the start on; over cohorts, by their share.

Equation
--------
For cohort :math:`g`, each unit's outcome less the mean of its own past, or less its own line through it
(``detrend``),

.. math:: \dot y_{it}=y_{it}-\frac{1}{|s<g|}\sum_{s<g}y_{is},\qquad
          \ddot y_{it}=y_{it}-\hat a_i-\hat b_i t,

is compared at :math:`t` between the cohort and units not treated then, as in one cross-section: by
regression (a line of the comparisons read at the covariates of the treated), by inverse probability, or
by a regression weighted by the odds of treatment, which holds if either of the two is right.

Identification
--------------
Given covariates, what the past of the treated leads one to expect is off by as much as that of the
comparison: parallel trends over the whole past, or, with ``detrend``, trends that may differ by a
straight line. Nobody reacts before the start (less ``anticipation``); the treatment of some leaves the
outcome of others alone.

Inference
---------
``inference="robust"``: influences summed by person or by market; the shares of cohorts add theirs;
``small_sample`` multiplies the covariance by G/(G−1); by market, Student's t with G−1 degrees of freedom.
``inference="exact"``: errors alike and normal across units, Student's t with as many degrees of freedom
as the regression leaves: exact with few treated units, or one. For one cohort, by regression, of persons
with equal weights. Averages over months are exact too.

Edge cases
----------
The whole past is averaged: a trend that bends before the start shows nowhere, and effects before it are
not estimated. Units not observed in every period, and cohorts with fewer than two periods before their
start under ``detrend``, are left out and counted. In periods in which everybody is treated there is no
effect. Covariates that are collinear or separate the arms are refused. Outcomes that do not vary have NaN
standard errors.

References
----------
Lee & Wooldridge (2023), doi:10.2139/ssrn.4516518.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import ClassVar, Final, Literal

import numpy as np
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused, OptionError, choice
from whatworks.estimate.aggregation import estimate_of_cells
from whatworks.estimate.by_cohort import CohortEffects, cells_of_cohorts, shares_of_units
from whatworks.estimate.cells import Cells
from whatworks.estimate.controlled import not_negative
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate
from whatworks.estimate.rollouts import Rollout
from whatworks.ledger import Ledger
from whatworks.options import typed
from whatworks.stats.did import two_periods
from whatworks.stats.did.rolling import exact_regression, rolled, weighted_regression
from whatworks.stats.did.two_groups import TwoByTwo
from whatworks.stats.uncertainty import Covariance
from whatworks.vocabulary import CONTROLS, Control, Supply

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NAME: Final = "RollingDiD"
FORMULAS: Final[Mapping[str, Callable[..., TwoByTwo]]] = {
    "doubly_robust": weighted_regression,
    "regression": two_periods.regression,
    "inverse_probability": two_periods.standardised_inverse_probability,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RollingDiD:
    """Effects by cohort and period from outcomes less each unit's own past.

    Parameters
    ----------
    detrend : bool
        Take away the unit's own line through its past rather than its mean.
    adjustment : str
        ``"regression"``, ``"inverse_probability"`` or ``"doubly_robust"``.
    control : str
        ``"not_yet_treated"``: whoever has not started by then; ``"never_treated"``.
    inference : str
        ``"robust"``, or ``"exact"`` for few treated units of one cohort.
    anticipation : int
        Periods before the start in which units may react already.
    cluster : str
        ``"person"`` or ``"market"``.
    small_sample : bool
        Multiply the covariance of ``inference="robust"`` by G/(G−1).

    Examples
    --------
    >>> RollingDiD(detrend=True).inference
    'robust'
    """

    detrend: bool = False
    adjustment: Literal["regression", "inverse_probability", "doubly_robust"] = "regression"
    control: Control = "not_yet_treated"
    inference: Literal["robust", "exact"] = "robust"
    anticipation: int = 0
    cluster: Literal["person", "market"] = "person"
    small_sample: bool = True

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.ROLLOUT})

    def __post_init__(self) -> None:
        typed(self)
        choice(self.adjustment, FORMULAS, what="adjustment")
        choice(self.control, CONTROLS, what="control")
        choice(self.inference, ("robust", "exact"), what="inference")
        choice(self.cluster, ("person", "market"), what="cluster")
        not_negative(self.anticipation, what="anticipation")
        if self.inference == "exact" and (self.adjustment, self.cluster) != (
            "regression",
            "person",
        ):
            raise OptionError(
                what="inference='exact'",
                needed="adjustment='regression' and cluster='person'",
                found=f"adjustment={self.adjustment!r}, cluster={self.cluster!r}",
                remedy="choose those, or inference='robust'",
            )

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate effects by cohort and period, and by month since the start over cohorts.

        Parameters
        ----------
        design : Design
            A rollout; its covariates, if any, are adjusted for.
        rng : Generator, optional
            Not used: nothing is drawn.

        Returns
        -------
        Estimate
            Term ``att``, from the start on.

        Raises
        ------
        DesignRefused
            When the design is no rollout, no effect can be read, or exact inference does not hold.
        """
        require(design, self.needs, method=NAME, cluster=self.cluster)
        rollout = Rollout.of(
            design, cluster=self.cluster, gaps="drop", anticipation=self.anticipation
        )
        found = [self._cohort(rollout, int(g)) for g in rollout.cohorts]
        parts = [part for part in found if part is not None]
        if not parts:
            raise DesignRefused(
                what=NAME,
                needed="a cohort with a past, and units not treated after its start",
                found=f"none of {rollout.cohorts.size}",
                remedy="bring more periods, or units treated later or never",
            )
        kept = np.array([part.cohort for part in parts])
        cells = cells_of_cohorts(
            rollout,
            parts,
            counted=shares_of_units(rollout, kept, counts=np.ones(rollout.start.size, dtype=bool)),
            anticipation=self.anticipation,
            small_sample=self.small_sample,
        )
        if self.inference == "exact":
            cells = self._exact(rollout, cells, parts)
        return estimate_of_cells(
            cells,
            method=NAME,
            options=asdict(self),
            unit=design.outcomes.unit,
            ledger=self._ledger(rollout, kept),
        )

    def _past(self, rollout: Rollout, cohort: int) -> Bools:
        return np.asarray(rollout.periods < cohort - self.anticipation)

    def _cohort(self, rollout: Rollout, cohort: int) -> CohortEffects | None:
        """Effects of one cohort, None where it has too little past or nobody to compare with."""
        past = self._past(rollout, cohort)
        if int(past.sum()) < 1 + self.detrend:
            return None
        start, periods = rollout.start, rollout.periods[~past]
        used = np.flatnonzero(start >= cohort)
        left = rolled(rollout.values[used], rollout.periods, before=past, detrend=self.detrend)
        until = np.full(periods.size, rollout.periods[-1])
        until = (periods if self.control == "not_yet_treated" else until) + self.anticipation
        later = np.unique(start[start > cohort])
        told = np.searchsorted(later, until, side="right")
        known = np.flatnonzero(told < later.size)
        if not known.size:
            return None
        effect, influence = np.empty(known.size), np.zeros((used.size, known.size))
        others = np.empty(known.size, dtype=np.int64)
        for first in np.unique(told[known]):  # periods that have the same units to be compared with
            columns = np.flatnonzero(told[known] == first)
            rows = np.flatnonzero((start[used] == cohort) | (start[used] >= later[first]))
            result = FORMULAS[self.adjustment](
                left[np.ix_(rows, known[columns])],
                treated=start[used][rows] == cohort,
                covariates=rollout.covariates[used][rows],
                weight=rollout.weight[used][rows],
            )
            effect[columns] = result.effect
            influence[np.ix_(rows, columns)] = result.influence
            others[columns] = int((start[used][rows] != cohort).sum())
        return CohortEffects(
            cohort=cohort,
            periods=periods[known],
            effect=effect,
            rows=used,
            influence=influence,
            n_treated=np.full(known.size, int((start == cohort).sum())),
            n_comparison=others,
        )

    def _exact(self, rollout: Rollout, cells: Cells, parts: list[CohortEffects]) -> Cells:
        """The same effects with the exact law of their regression."""
        equal = np.ptp(rollout.weight) == 0
        later = rollout.start[rollout.start > rollout.periods[-1]]
        still = later.size > 0 and later.min() > rollout.periods[-1] + self.anticipation
        if len(rollout.cohorts) != 1 or not equal or not still:
            raise DesignRefused(
                what="exact inference",
                needed="one cohort, others that cannot react within the periods, equal weights",
                found=f"{len(rollout.cohorts)} cohorts, weights "
                + ("equal" if equal else "that differ"),
                remedy="keep one cohort and those never treated, or choose inference='robust'",
            )
        cohort = int(rollout.cohorts[0])
        past = self._past(rollout, cohort)
        found = exact_regression(
            rolled(rollout.values, rollout.periods, before=past, detrend=self.detrend),
            treated=rollout.start == cohort,
            covariates=rollout.covariates,
        )
        if found is None:
            raise DesignRefused(
                what="exact inference",
                needed="more units than coefficients",
                found=f"{rollout.start.size} units, {rollout.covariates.shape[1]} covariates",
                remedy="leave covariates out",
            )
        size = parts[0].periods.size + 1
        matrix = np.zeros((size, size))
        matrix[:-1, :-1] = found.covariance
        return replace(
            cells,
            effect=found.effect,
            uncertainty=Covariance(matrix=matrix),
            df=float(found.df),
        )

    def _ledger(self, rollout: Rollout, kept: Ints) -> Ledger:
        """Ledger with treated units whose cohort has no effect."""
        treated = rollout.start <= rollout.periods[-1]
        lost = [int(g) for g in rollout.cohorts if g not in kept]
        short = [g for g in lost if int(self._past(rollout, g).sum()) < 1 + self.detrend]
        reasons = {
            "history_too_short": int(np.isin(rollout.start, short).sum()),
            "no_comparison": int(np.isin(rollout.start, sorted(set(lost) - set(short))).sum()),
        }
        return rollout.ledger.add(
            "estimate",
            "compared_treated",
            unit="units",
            before=int(treated.sum()),
            dropped=reasons,
        )

r"""Imputation: what the treated would have had, predicted from the untreated.

Estimand
--------
Average effect on the treated by cohort and period, and by months since the start over all cohorts. Each
treated observation counts for its weight: where outcomes are missing here and there, averages are over
those that were observed, so that `whatworks.aggregate` gives cells their observed weight rather than
cohorts their number of units.

Equation
--------
On untreated observations alone (before the start, and of the never treated), by weighted least squares

.. math:: y_{it} = \alpha_i + \lambda_t + x_i'\delta_t + \varepsilon_{it},\qquad
          \hat\tau_{it} = y_{it}-\hat\alpha_i-\hat\lambda_t-x_i'\hat\delta_t

and effects are means of :math:`\hat\tau_{it}` over the treated. The design's covariates :math:`x_i`, where it
has any, have their own slope in each period; constant slopes would be in the unit's own effect.

Identification
--------------
Without treatment outcomes would have followed the unit's level plus the period's, given the covariates, in
all periods; nobody reacts before the start, or not earlier than ``anticipation`` says; the treatment of some
leaves the others' outcomes alone. It uses every period before the start, and so leans on parallel trends in
all of them: more precise than methods that lean on the last one, and wrong where these would be right when
trends part early.

Inference
---------
``errors="imputation"``: influence of each unit, treated residuals taken from the mean effect of their cohort
and period (weighted by :math:`v_{it}^2`): conservative where effects differ within a cohort and period; who
is treated when is held as given. ``"two_stage"``: the errors of the two regressions seen as one system of
moments; averages add the uncertainty of the shares of cells. ``small_sample`` multiplies the covariance by
G/(G−1); off, errors are those of the R packages ``didimputation`` and ``did2s``. By market, Student's t with
G−1 degrees of freedom.

Leads, ``pretrends`` of them, are coefficients on months before the start in a regression of untreated
observations only: unlike those of a two-way regression, no effect of treatment enters them, and effects do
not depend on them. With ``errors="two_stage"`` they are means of first-stage residuals, which are drawn
towards zero as those observations were fitted.

Edge cases
----------
A unit never observed untreated has no level of its own: it is left out and counted. A period in which nobody
untreated is observed cannot be imputed: its cells are NaN, named in ``extras["not_imputed"]``, and averages
are over the others; a design without any that can is refused. Units seen once (repeated cross-sections) are
refused. A lead that the data cannot tell from the others is NaN. Outcomes that do not vary have NaN standard
errors. With sampling weights, ``didimputation`` weights its variance twice; here they are those of the fit.

References
----------
Borusyak, Jaravel & Spiess (2024), doi:10.1093/restud/rdae007. Gardner (2022), arXiv:2207.05943.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import ClassVar, Final, Literal

import numpy as np
from numpy.typing import NDArray

from whatworks.design.record import Design
from whatworks.errors import DesignRefused, OptionError, choice
from whatworks.estimate.aggregation import estimate_of_cells
from whatworks.estimate.cells import Cells, Leads
from whatworks.estimate.protocol import require
from whatworks.estimate.record import Estimate
from whatworks.estimate.rollouts import Rollout
from whatworks.options import typed
from whatworks.stats.did.imputation import Imputed, impute
from whatworks.stats.did.two_way import Units
from whatworks.stats.uncertainty import (
    Covariance,
    Influence,
    Uncertainty,
    factor_of_clusters,
    sums_by_number,
)
from whatworks.vocabulary import Supply

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

HELD: Final = 2**24
"""Clusters × terms beyond which only the covariance of terms is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imputation:
    """Effects of a rollout by imputing the untreated outcomes of the treated.

    Parameters
    ----------
    cluster : str
        ``"person"`` or ``"market"``.
    errors : str
        ``"imputation"`` (Borusyak, Jaravel & Spiess) or ``"two_stage"`` (Gardner).
    pretrends : int
        Months before the start whose leads are read; 0 for none.
    anticipation : int
        Periods before the start in which units may react already: they count as treated, and effects
        there are reported.
    small_sample : bool
        Multiply the covariance by G/(G−1), G the number of clusters.

    Raises
    ------
    OptionError
        On an unknown word, or a negative number.

    Examples
    --------
    >>> Imputation(cluster="market").pretrends
    3
    """

    cluster: Literal["person", "market"] = "person"
    errors: Literal["imputation", "two_stage"] = "imputation"
    pretrends: int = 3
    anticipation: int = 0
    small_sample: bool = True

    needs: ClassVar[frozenset[Supply]] = frozenset({Supply.ROLLOUT})

    def __post_init__(self) -> None:
        typed(self)
        choice(self.cluster, ("person", "market"), what="cluster")
        choice(self.errors, ("imputation", "two_stage"), what="errors")
        for name in ("pretrends", "anticipation"):
            if getattr(self, name) < 0:
                raise OptionError(
                    what=name,
                    needed="a number of periods, 0 or more",
                    found=str(getattr(self, name)),
                    remedy="leave it out, or say 0",
                )

    def fit(self, design: Design, *, rng: np.random.Generator | None = None) -> Estimate:
        """Estimate effects by cohort and period.

        Parameters
        ----------
        design : Design
            A rollout; observations may be missing.
        rng : Generator, optional
            Not used: nothing is drawn.

        Returns
        -------
        Estimate
            Term ``att``: leads and effects over all cohorts (``cohort`` −1), then effects by cohort.

        Raises
        ------
        DesignRefused
            When the design is no rollout, or no treated observation can be imputed.
        """
        require(design, self.needs, method="Imputation", cluster=self.cluster)
        rollout = Rollout.of(
            design, cluster=self.cluster, gaps="keep", anticipation=self.anticipation
        )
        rollout = _with_untreated(rollout, self.anticipation)
        starts, cohort = np.unique(rollout.start, return_inverse=True)
        since = rollout.periods[None, :] - starts[:, None]
        found = impute(
            Units(
                values=rollout.values,
                weight=rollout.weight,
                known=_known(rollout.covariates),
                cohort=cohort.astype(np.int64),
                used=since < -self.anticipation,
            ),
            since=since + self.anticipation,
            n_leads=self.pretrends,
            errors=self.errors,
        )
        if not np.isfinite(found.effect).any():
            raise DesignRefused(
                what="Imputation",
                needed="a period in which some are treated and others, untreated, are observed",
                found="none: "
                + (_named(found, rollout) or "nobody observed both before and after"),
                remedy="bring units never treated, or later cohorts; for persons seen once, "
                "choose a method for repeated cross-sections",
            )
        return estimate_of_cells(
            self._cells(found, rollout, starts),
            method="Imputation",
            options=asdict(self),
            unit=design.outcomes.unit,
            ledger=rollout.ledger,
            extras={"not_imputed": _named(found, rollout)},
        )

    def _cells(self, found: Imputed, rollout: Rollout, starts: NDArray[np.int64]) -> Cells:
        g = rollout.n_clusters
        factor = factor_of_clusters(g, small_sample=self.small_sample)
        n_leads = found.leads.effect.size
        return Cells(
            cohort=starts[found.cohort],
            period=rollout.periods[found.period],
            effect=found.effect,
            n_treated=found.n_treated,
            n_comparison=found.n_comparison,
            cohorts=np.unique(starts[found.cohort]),
            share=found.mass / rollout.weight.sum(),
            uncertainty=_uncertainty(
                found, rollout, shares=self.errors == "two_stage", factor=factor
            ),
            last=int(rollout.periods[-1]),
            anticipation=self.anticipation,
            df=rollout.df,
            places=np.arange(found.effect.size),
            leads=Leads(
                month=found.leads.since - self.anticipation,
                effect=found.leads.effect,
                n_treated=found.leads.n_treated,
                n_comparison=found.leads.n_comparison,
            )
            if n_leads
            else None,
        )


def _with_untreated(rollout: Rollout, anticipation: int) -> Rollout:
    """Units observed at least once untreated; the others are counted."""
    before = rollout.periods < (rollout.start - anticipation)[:, None]
    keep = (before & ~np.isnan(rollout.values)).any(axis=1)
    treated = rollout.start <= rollout.periods[-1]
    ledger = rollout.ledger
    for name, arm in (("imputed_treated", treated), ("imputed_comparison", ~treated)):
        ledger = ledger.add(
            "estimate",
            name,
            unit="units",
            before=int(arm.sum()),
            dropped={"no_untreated_period": int((arm & ~keep).sum())},
        )
    if keep.all():
        return replace(rollout, ledger=ledger)
    names, number = np.unique(rollout.cluster[keep], return_inverse=True)
    return replace(
        rollout,
        values=rollout.values[keep],
        start=rollout.start[keep],
        covariates=rollout.covariates[keep],
        weight=rollout.weight[keep],
        cluster=number.astype(np.int64),
        n_clusters=names.size,
        ledger=ledger,
    )


def _known(covariates: Floats) -> Floats:
    """Ones and covariates, centred and scaled: the fit is the same, and its equations are even."""
    spread = covariates.std(axis=0)
    centred = (covariates - covariates.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return np.column_stack([np.ones(covariates.shape[0]), centred])


def _named(found: Imputed, rollout: Rollout) -> str:
    """Periods with cells that could not be imputed."""
    periods = np.unique(rollout.periods[found.period[~np.isfinite(found.effect)]])
    return ", ".join(str(p) for p in periods)


def _uncertainty(found: Imputed, rollout: Rollout, *, shares: bool, factor: float) -> Uncertainty:
    """Joint uncertainty of cells, shares and leads; sums by cluster while they can be held.

    Shares held as given have no influence.
    """
    n_cells, n_leads = found.effect.size, found.leads.effect.size
    n_terms = 2 * n_cells + n_leads
    apart = rollout.n_clusters == rollout.weight.size  # a cluster is one unit, and in one block
    summed = rollout.n_clusters * n_terms <= HELD or not apart
    sums = np.zeros((rollout.n_clusters, n_terms)) if summed else np.zeros((n_terms, n_terms))
    for g, rows, parts in found.parts(shares=shares):
        turn = np.nan_to_num(found.turn(g, shares=shares))  # terms not told have no variance
        if summed:
            names, number = np.unique(rollout.cluster[rows], return_inverse=True)
            sums[names] += sums_by_number(parts, number, n_clusters=names.size) @ turn
        else:
            sums += turn.T @ (parts.T @ parts) @ turn
    unknown = np.concatenate(
        [
            ~np.isfinite(found.effect),
            np.zeros(n_cells, dtype=bool),
            ~np.isfinite(found.leads.effect),
        ]
    )
    sums[:, unknown] = 0.0  # their standard error is NaN, and no other term is touched
    if summed:
        return Influence(
            values=sums,
            cluster=np.arange(rollout.n_clusters),
            factor=factor,
            level=rollout.level,
        )
    sums[unknown] = 0.0
    return Covariance(matrix=factor * (sums + sums.T) / 2)

r"""What the treated would have had, imputed from the untreated; its conservative and two-stage errors.

Effects of a cell :math:`c` of cohort and period are means of observed less imputed outcomes. They are
linear in outcomes, :math:`\hat\theta_c=\sum_{it}v^c_{it}y_{it}`, with :math:`v^c_{it}=w_{it}/W_c` on the
cell's own observations and, on the untreated, :math:`-w_{it}(a^c_i+q_{it}'b^c)` where :math:`b^c` solves
:math:`Sb^c=\sum_{it\in c}(w_{it}/W_c)(q_{it}-\bar q_i)`, in the words of
`whatworks.stats.did.two_way`. Residuals sum to zero within a unit, so that the unit part :math:`a^c_i`
is never needed: the influence of a unit is

.. math::

    \psi^c_i=\sum_{t\in c}\frac{w_{it}}{W_c}(\hat\tau_{it}-\tilde\tau_c)
             -\Big(\sum_t w_{it}\hat\varepsilon_{it}q_{it}\Big)'b^c

with :math:`\tilde\tau_c` the mean of the cell's effects weighted by :math:`v^2` (Borusyak, Jaravel & Spiess
2024, eq. 8) or by :math:`w` (Gardner 2022).

References
----------
Borusyak, Jaravel & Spiess (2024), doi:10.1093/restud/rdae007. Gardner (2022), arXiv:2207.05943.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.did.two_way import (
    Block,
    Regression,
    Swept,
    Units,
    apart,
    period_effects,
    regress,
    solve,
    sweep,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

Errors = Literal["imputation", "two_stage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leads:
    """Differences among untreated observations, by periods before the start.

    Parameters
    ----------
    since : ndarray of int, shape (n_leads,)
        Periods since the start: negative.
    n_treated, n_comparison : ndarray of int, shape (n_leads,)
        Observations of those about to start, and of the other untreated in the same periods.
    fit : Regression
        Its coefficients are the leads.
    subtracted : ndarray of shape (n_leads,)
        Taken from residuals within the lead's own observations, where leads are means of residuals.
    """

    since: Ints
    n_treated: Ints
    n_comparison: Ints
    fit: Regression
    subtracted: Floats

    @property
    def effect(self) -> Floats:
        """Leads, NaN where the data do not tell them; shape (n_leads,)."""
        return self.fit.coefficient

    def parts(self, g: int, block: Block) -> Floats:
        """What the influence of a block of one cohort is linear in; see `turn`."""
        scores = block.fitted * block.residual(self.fit.effects, self.fit.shift[g])
        members = self.fit.members[:, g]
        here = members.any(axis=0)
        own = scores[:, here] - block.fitted[:, here] * (self.subtracted @ members)[here]
        return np.hstack([own, block.spread(scores)])

    def turn(self, g: int) -> Floats:
        """From the columns of `parts` to the leads, shape (d, n_leads)."""
        members = self.fit.members[:, g]
        own = members[:, members.any(axis=0)].T.astype(float) @ self.fit.mix
        return np.vstack([own, -self.fit.loading])


@dataclass(frozen=True, slots=True, kw_only=True)
class Imputed:
    """Effects by cell, and what their influence is made from.

    Parameters
    ----------
    cohort, period : ndarray of int, shape (n_cells,)
        Numbers of the cohort and of the period of each cell.
    effect : ndarray of shape (n_cells,)
        NaN where nobody untreated tells what the period would have been.
    centre : ndarray of shape (n_cells,)
        What is taken from effects in the influence.
    mass : ndarray of shape (n_cells,)
        Weight observed.
    effects : ndarray of shape (n_periods, p)
        Period effects.
    loading : ndarray of shape (n_periods · p, n_cells)
        :math:`b^c`.
    n_treated, n_comparison : ndarray of int, shape (n_cells,)
    leads : Leads
    units : Units
    """

    cohort: Ints
    period: Ints
    effect: Floats
    centre: Floats
    mass: Floats
    effects: Floats
    loading: Floats
    n_treated: Ints
    n_comparison: Ints
    leads: Leads
    units: Units

    def parts(self, *, shares: bool) -> Iterator[tuple[int, Ints, Floats]]:
        """What the influence of units is linear in, block by block.

        A cohort's influence on all cells moves in as many directions as it has periods: sums of squares
        of these, turned once by cohort, are those of the influence.

        Yields
        ------
        g : int
        rows : ndarray of shape (b,)
        parts : ndarray of shape (b, d)
            ``parts @ turn(g)`` is the influence of these units.
        """
        for g, rows in self.units.blocks():
            block = self.units.read(g, rows)
            left = block.residual(self.effects)
            mine = self.cohort == g
            column = self.period[mine]
            weight = block.weight[:, column]
            columns = [
                block.spread(block.fitted * left),
                weight * (left[:, column] - self.centre[mine]),
                self.leads.parts(g, block),
            ]
            if shares:
                columns += [weight, self.units.weight[rows, None]]
            yield g, rows, np.hstack(columns)

    def turn(self, g: int, *, shares: bool) -> Floats:
        """From the columns of `parts` to effects, shares of cells and leads.

        Parameters
        ----------
        g : int
        shares : bool
            Whether the weight of each cell over that of all units is estimated; else it is held.

        Returns
        -------
        ndarray of shape (d, 2 · n_cells + n_leads)
        """
        own = np.eye(self.effect.size)[self.cohort == g]
        total = self.units.weight.sum()
        none, no_leads = np.zeros_like(own), np.zeros((own.shape[0], self.leads.since.size))
        before = self.leads.turn(g)
        blank = np.zeros((before.shape[0], 2 * self.effect.size))
        rows = [
            np.hstack(
                [-self.loading, np.zeros((self.loading.shape[0], own.shape[1] + no_leads.shape[1]))]
            ),
            np.hstack([own / self.mass, none, no_leads]),
            np.hstack([blank, before]),
        ]
        if shares:
            even = np.concatenate([np.zeros(own.shape[1]), -self.mass / total**2])
            rows += [
                np.hstack([none, own / total, no_leads]),
                np.pad(even, (0, no_leads.shape[1]))[None, :],
            ]
        return np.vstack(rows)


def impute(units: Units, *, since: Ints, n_leads: int, errors: Errors) -> Imputed:
    """Effects of every cell that is not fitted on, and differences before the start.

    Parameters
    ----------
    units : Units
        ``used`` holds the untreated periods of each cohort.
    since : ndarray of int, shape (n_cohorts, n_periods)
        Periods since the start; negative before it.
    n_leads : int
        Periods before the start that are read, nearest first.
    errors : str
        ``"imputation"`` or ``"two_stage"``.

    Returns
    -------
    Imputed
    """
    swept = sweep(units)
    n_periods, p = units.used.shape[1], units.known.shape[1]
    fitted = period_effects(swept)
    cohort, period = np.nonzero((swept.weight > 0) & ~units.used)
    gap = swept.gap[:, cohort, period]
    told = swept.level[:, cohort, period] - gap @ fitted
    loading = solve(swept.system, gap[0].T)
    known = np.isfinite(loading).all(axis=0)
    untreated = (swept.count * units.used).sum(axis=0)
    return Imputed(
        cohort=cohort,
        period=period,
        effect=np.where(known, told[0], np.nan),
        centre=told[1] if errors == "imputation" else told[0],
        mass=swept.weight[cohort, period],
        effects=fitted.reshape(n_periods, p),
        loading=loading,
        n_treated=swept.count[cohort, period],
        n_comparison=untreated[period],
        leads=_leads(swept, units.used, since, n_leads=n_leads, errors=errors),
        units=units,
    )


def _leads(swept: Swept, used: Bools, since: Ints, *, n_leads: int, errors: Errors) -> Leads:
    """Leads of the regression on untreated observations, or means of its residuals without them."""
    wanted = -np.arange(n_leads, 0, -1)
    members = used & (since == wanted[:, None, None]) & (swept.weight > 0)
    there = members.any(axis=(1, 2))
    members = members[there]
    fit = regress(swept, members) if errors == "imputation" else _means(swept, members)
    counts = (members * swept.count).sum(axis=(1, 2))
    others = np.array([(swept.count * used)[:, m.any(axis=0)].sum() for m in members], dtype=int)
    return Leads(
        since=wanted[there],
        n_treated=counts,
        n_comparison=others - counts,
        fit=fit,
        subtracted=np.zeros(counts.size) if errors == "imputation" else fit.coefficient,
    )


def _means(swept: Swept, members: Bools) -> Regression:
    """Means of residuals over each column, the period effects fitted without the columns."""
    left = apart(swept, members)
    mix = np.diag(1 / (members * swept.weight).sum(axis=(1, 2)))
    return Regression(
        coefficient=mix @ left.outcome,
        members=members,
        effects=np.asarray(period_effects(swept).reshape(members.shape[2], -1)),
        shift=np.zeros(members.shape[1:]),
        mix=mix,
        loading=left.loading @ mix,
    )

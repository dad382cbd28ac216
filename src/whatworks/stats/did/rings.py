r"""Effects on the treated and on those near them, imputed from observations that are neither.

On observations neither treated nor exposed, by weighted least squares,

.. math:: y_{it}=\alpha_i+\lambda_t+x_i'\delta_t+\varepsilon_{it},\qquad
          \hat\tau_{it}=y_{it}-\hat\alpha_i-\hat\lambda_t-x_i'\hat\delta_t,

and the effect of a term :math:`j` is the mean of :math:`\hat\tau_{it}` over its observations: the
treated, the untreated at some distance of them, either of them some months on. In the words of
`whatworks.stats.did.two_way`, with :math:`Sb^j=\sum_{it\in j}(w_{it}/W_j)(q_{it}-\bar q_i)`, the
influence of a unit is

.. math::

    \psi^j_i=\sum_{t\in j}\frac{w_{it}}{W_j}(\hat\tau_{it}-\hat\theta_j)
             -\Big(\sum_t w_{it}\hat\varepsilon_{it}q_{it}\Big)'b^j,

that of the two regressions seen as one system of moments (Gardner 2022, arXiv:2207.05943), in the setting of
Butts (2021, arXiv:2105.03737).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from whatworks.stats.did.two_way import (
    Block,
    Regression,
    Swept,
    Units,
    period_effects,
    regress,
    solve,
    sweep,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Labels = NDArray[np.int32]

NONE: Final = -1
"""Label of an observation that no term reads."""
FOLDS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """Effects of terms, each a union of cells of observations, and what their influence is made from.

    Parameters
    ----------
    effect : ndarray of shape (n_terms,)
        NaN where nobody clean tells what a period would have been.
    mass : ndarray of shape (n_terms,)
        Weight observed.
    count : ndarray of int, shape (n_terms,)
        Observations.
    members : ndarray of bool, shape (n_cells, n_terms)
    loading : ndarray of shape (n_periods · p, n_terms)
        :math:`b^j`; zero where the effect is NaN.
    effects : ndarray of shape (n_periods, p)
        Period effects.
    units : Units
    label : ndarray of int, shape (n, n_periods)
        Cell of each observation.
    swept : Swept
    """

    effect: Floats
    mass: Floats
    count: Ints
    members: Bools
    loading: Floats
    effects: Floats
    units: Units
    label: Labels
    swept: Swept

    def influence(self, rows: Ints) -> Floats:
        """Influence of some units on every term, shape (b, n_terms)."""
        block = self.units.read(self.units.cohort[rows], rows)
        left = block.residual(self.effects)
        row, period, cell = _labelled(block, self.label[rows])
        weight = block.weight[row, period]
        shape = (rows.size, self.members.shape[0])
        told = np.isfinite(self.effect)
        part = np.where(told, self.members / np.where(told, self.mass, 1.0), 0.0)
        sums = csr_array((weight * left[row, period], (row, cell)), shape=shape) @ part
        sums -= csr_array((weight, (row, cell)), shape=shape) @ (
            part * np.where(told, self.effect, 0.0)
        )
        return np.asarray(sums - block.spread(block.fitted * left) @ self.loading)

    def residuals(self, rows: Ints) -> tuple[Floats, Floats]:
        """Residuals of clean observations and their weights, 0 elsewhere; both of shape (b, n_periods)."""
        block = self.units.read(self.units.cohort[rows], rows)
        return block.residual(self.effects) * (block.fitted > 0), block.fitted


def impute_cells(units: Units, label: Labels, members: Bools) -> Touched:
    """Mean effects of terms over observations that are not fitted on.

    Parameters
    ----------
    units : Units
        ``used`` holds the clean periods of each cohort.
    label : ndarray of int, shape (n, n_periods)
        Cell of each observation, `NONE` for those that no term reads; never of a clean one.
    members : ndarray of bool, shape (n_cells, n_terms)
        Cells of each term.

    Returns
    -------
    Touched
    """
    swept = sweep(units)
    n_cells, n_periods = members.shape[0], label.shape[1]
    p = units.known.shape[1]
    m = n_periods * p
    mass, level, gap = np.zeros(n_cells), np.zeros(n_cells), np.zeros((n_cells, m))
    count = np.zeros(n_cells, dtype=np.int64)
    for g, rows in units.blocks():
        block = units.read(g, rows)
        row, period, cell = _labelled(block, label[rows])
        weight = block.weight[row, period]
        count += np.bincount(cell, minlength=n_cells)
        mass += np.bincount(cell, weight, minlength=n_cells)
        level += np.bincount(cell, weight * block.apart[row, period], minlength=n_cells)
        at = cell * n_periods + period
        own = [
            np.bincount(at, weight * block.known[row, j], minlength=n_cells * n_periods)
            for j in range(p)
        ]
        gap += np.stack(own, axis=1).reshape(n_cells, m)
        among = csr_array((weight, (row, cell)), shape=(rows.size, n_cells))
        gap -= among.T @ block.spread(block.share)
    total = members.T @ mass
    with np.errstate(invalid="ignore"):
        levels, gaps = members.T @ level / total, members.T @ gap / total[:, None]
    gaps = np.nan_to_num(gaps)
    fitted = period_effects(swept)
    loading = solve(swept.system, gaps.T)
    told = np.isfinite(loading).all(axis=0) & (total > 0)
    effect = np.where(told, levels - gaps @ fitted, np.nan)
    return Touched(
        effect=effect,
        mass=total,
        count=members.T.astype(np.int64) @ count,
        members=members,
        loading=np.where(told, loading, 0.0),
        effects=np.asarray(fitted.reshape(n_periods, p)),
        units=units,
        label=label,
        swept=swept,
    )


def _labelled(block: Block, label: Labels) -> tuple[Ints, Ints, Ints]:
    """Row, period and cell of the observations that terms read."""
    row, period = np.nonzero((label != NONE) & (block.weight > 0))
    return row, period, label[row, period].astype(np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanLeads:
    """Differences among clean observations, by periods before a unit is first treated or exposed.

    Parameters
    ----------
    fit : Regression
        Its coefficients are the leads.
    count : ndarray of int, shape (n_leads,)
        Observations of those about to be touched.
    others : ndarray of int, shape (n_leads,)
        Other clean observations of the same periods.
    units : Units
    """

    fit: Regression
    count: Ints
    others: Ints
    units: Units

    def influence(self, rows: Ints) -> Floats:
        """Influence of some units on every lead, shape (b, n_leads); 0 where a lead is not told."""
        found = np.zeros((rows.size, self.count.size))
        cohort = self.units.cohort[rows]
        for g in np.unique(cohort):
            mine = np.flatnonzero(cohort == g)
            block = self.units.read(int(g), rows[mine])
            found[mine] = self.fit.influence(int(g), block)
        found[:, ~np.isfinite(self.fit.coefficient)] = 0.0
        return found


def clean_leads(touched: Touched, members: Bools) -> CleanLeads:
    """Coefficients of months before a first touch, in a regression of clean observations only.

    Parameters
    ----------
    touched : Touched
    members : ndarray of bool, shape (n_leads, n_cohorts, n_periods)
        Cohorts and periods of each lead, within the clean ones.
    """
    swept, used = touched.swept, touched.units.used
    counts = (members * swept.count).sum(axis=(1, 2))
    others = np.array([(swept.count * used)[:, m.any(axis=0)].sum() for m in members], dtype=int)
    return CleanLeads(
        fit=regress(swept, members),
        count=counts,
        others=others - counts,
        units=touched.units,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Widths:
    """How well nested regressions foretell, by number of rings kept, from none to all.

    Parameters
    ----------
    bic, cv : ndarray of shape (n_rings + 1,)
        Bayesian information criterion, and mean squared error of units left out of the fit.
    """

    bic: Floats
    cv: Floats


def widths(units: Units, ring: NDArray[np.int8], fold: Ints) -> Widths:
    r"""Criteria of Clarke (2017) for how far exposure is counted.

    Of :math:`y_{it}=\alpha_i+\lambda_t+\tau D_{it}+\sum_{k\le K}\delta_k 1\{i\text{ in ring }k\text{ at }t\}`
    by least squares, for every :math:`K` from 0: :math:`N\log(SSR/N)+P\log N`, and the squared error of
    units left out, less their own mean.

    Parameters
    ----------
    units : Units
        Every observation used.
    ring : ndarray of int, shape (n, n_periods)
        0 for the treated, 1 … K for rings from the nearest on, `NONE` for clean observations.
    fold : ndarray of int, shape (n,)
        Part each unit is left out with.

    References
    ----------
    Clarke (2017), doi:10.2139/ssrn.3052197.
    """
    n_periods, last = ring.shape[1], int(ring.max())
    width = n_periods + last + 1
    n_folds = int(fold.max()) + 1
    gram, cross = np.zeros((n_folds, width, width)), np.zeros((n_folds, width))
    square, count = np.zeros(n_folds), 0.0
    some = max(1, 4_000_000 // (n_periods * width))
    for first in range(0, fold.size, some):
        rows = np.arange(first, min(first + some, fold.size))
        block = units.read(units.cohort[rows], rows)
        columns = np.zeros((rows.size, n_periods, width))
        place = np.arange(n_periods)
        columns[:, place, place] = 1.0
        row, period = np.nonzero(ring[rows] != NONE)
        columns[row, period, n_periods + ring[rows][row, period]] = 1.0
        columns -= np.einsum("bt,btk->bk", block.share, columns)[:, None, :]
        root = np.sqrt(block.weight)
        columns *= root[..., None]
        outcome = root * block.apart
        count += float(block.weight.sum())
        for f in np.unique(fold[rows]):
            mine = fold[rows] == f
            x, y = columns[mine].reshape(-1, width), outcome[mine].ravel()
            gram[f] += x.T @ x
            cross[f] += x.T @ y
            square[f] += y @ y
    return _criteria(gram, cross, square, count=count, n_periods=n_periods, n_units=fold.size)


def _criteria(
    gram: Floats, cross: Floats, square: Floats, *, count: float, n_periods: int, n_units: int
) -> Widths:
    """Criteria from sums by part."""
    bic, cv = [], []
    for k in range(gram.shape[1] - n_periods):
        here = np.arange(n_periods + 1 + k)
        whole = gram.sum(axis=0)[np.ix_(here, here)]
        found = np.nan_to_num(solve(whole, cross.sum(axis=0)[here, None])[:, 0])
        left = max(float(square.sum() - cross.sum(axis=0)[here] @ found), 0.0)
        parameters = n_units + n_periods - 1 + 1 + k
        with np.errstate(divide="ignore"):
            bic.append(count * np.log(left / count) + parameters * np.log(count))
        missed = 0.0
        for f in range(gram.shape[0]):
            others = np.arange(gram.shape[0]) != f
            system = gram[others].sum(axis=0)[np.ix_(here, here)]
            told = np.nan_to_num(solve(system, cross[others].sum(axis=0)[here, None])[:, 0])
            missed += square[f] - 2 * cross[f, here] @ told
            missed += told @ gram[f][np.ix_(here, here)] @ told
        cv.append(missed / count if gram.shape[0] > 1 else np.nan)
    return Widths(bic=np.array(bic), cv=np.array(cv))

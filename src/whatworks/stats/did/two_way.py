r"""Unit and period effects by least squares, units swept out: exact, in as many unknowns as periods.

With :math:`w_{it}` the weight of an observation that is used (0 elsewhere), :math:`n_i=\sum_t w_{it}` and
:math:`q_{it}=e_t\otimes x_i` the columns of the period effects, each with its slopes in what is known of the
unit, the normal equations after the unit effects are eliminated are

.. math::

    S\lambda=s,\qquad S=\sum_{it}w_{it}q_{it}q_{it}'-\sum_i n_i\,\bar q_i\bar q_i',\qquad
    s=\sum_{it}w_{it}q_{it}(y_{it}-\bar y_i)

whatever periods are missing. Units are read once, in blocks; everything else is tables of cohorts by periods.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

BLOCK = 2_000_000
"""Numbers of one array held at once while units are read."""
RANK = 1e-10
"""Share of the largest eigenvalue below which a direction is held not to be told by the data."""
REACHED = 1e-7
"""Relative distance at which a right-hand side is held to lie outside what the equations reach."""
NOISE = 1e-12
"""Share of the largest outcome below which a deviation is rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """A panel as columns, each unit with the last period in which it tells of the fixed effects.

    Parameters
    ----------
    values : ndarray of shape (n, n_periods)
        NaN where a unit is not observed.
    weight : ndarray of shape (n,)
        Positive.
    known : ndarray of shape (n, p)
        What period effects are multiplied by: ones, then covariates.
    cohort : ndarray of int, shape (n,)
        Number of each unit's cohort, 0 to ``len(used)`` − 1.
    used : ndarray of bool, shape (n_cohorts, n_periods)
        Periods of each cohort on which the effects are fitted.
    """

    values: Floats
    weight: Floats
    known: Floats
    cohort: Ints
    used: Bools

    def blocks(self) -> Iterator[tuple[int, Ints]]:
        """Cohort and rows of each block; a block is of one cohort."""
        order = np.argsort(self.cohort, kind="stable")
        ends = np.searchsorted(self.cohort[order], np.arange(self.used.shape[0] + 1))
        size = max(1, BLOCK // (self.used.shape[1] * self.known.shape[1]))
        for g in range(self.used.shape[0]):
            for first in range(ends[g], ends[g + 1], size):
                yield g, order[first : min(first + size, ends[g + 1])]

    def read(self, g: int | Ints, rows: Ints) -> Block:
        """Columns of one block, of one cohort or of the cohort of each row."""
        values = self.values[rows]
        seen = ~np.isnan(values)
        values[~seen] = 0.0
        weight = self.weight[rows, None] * seen
        fitted = weight * self.used[g]
        mass = fitted.sum(axis=1, keepdims=True)
        share = np.divide(fitted, mass, out=np.zeros_like(fitted), where=mass > 0)
        centre = (share * values).sum(axis=1, keepdims=True)
        largest = np.abs(values).max(axis=1, keepdims=True, initial=0.0)
        apart = (values - centre) * seen
        apart[np.abs(apart) <= NOISE * largest] = 0.0
        return Block(
            apart=apart,
            weight=weight,
            fitted=fitted,
            share=share,
            known=self.known[rows],
            noise=NOISE * largest,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Some units of one cohort.

    Parameters
    ----------
    apart : ndarray of shape (b, n_periods)
        Outcome less the unit's mean over the observations fitted; 0 where not observed.
    weight, fitted : ndarray of shape (b, n_periods)
        Weight of what is observed, and of what is fitted among it.
    share : ndarray of shape (b, n_periods)
        ``fitted`` over its sum by unit.
    known : ndarray of shape (b, p)
    noise : ndarray of shape (b, 1)
        Size of rounding in a unit's outcomes.
    """

    apart: Floats
    weight: Floats
    fitted: Floats
    share: Floats
    known: Floats
    noise: Floats

    def spread(self, by_period: Floats) -> Floats:
        """Columns :math:`v_{it}x_i`, shape (b, n_periods · p)."""
        if self.known.shape[1] == 1:
            return by_period
        b = by_period.shape[0]
        return np.asarray((by_period[:, :, None] * self.known[:, None, :]).reshape(b, -1))

    def residual(self, effects: Floats, shift: Floats | float = 0.0) -> Floats:
        """Outcome less unit effect, period effects (n_periods, p) and a shift by period (n_periods,)."""
        fitted = self.known @ effects.T + shift
        left = self.apart - (fitted - (self.share * fitted).sum(axis=1, keepdims=True))
        left[np.abs(left) <= 10 * self.noise] = 0.0
        return np.asarray(left * (self.weight > 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    r"""Normal equations of the period effects, and what cells of cohort and period are to them.

    Parameters
    ----------
    system : ndarray of shape (m, m)
        :math:`S`, with m = n_periods · p.
    right : ndarray of shape (m,)
        :math:`s`.
    weight, count : ndarray of shape (n_cohorts, n_periods)
        Weight and number of units observed in each cell.
    level : ndarray of shape (2, n_cohorts, n_periods)
        Mean of :math:`y_{it}-\bar y_i` in each cell, by weight and by its square; NaN where empty.
    gap : ndarray of shape (2, n_cohorts, n_periods, m)
        Mean of :math:`q_{it}-\bar q_i`, likewise.
    together : ndarray of shape (n_cohorts, n_periods, n_periods)
        :math:`\sum_i w_{it}w_{is}/n_i` of each cohort.
    """

    system: Floats
    right: Floats
    weight: Floats
    count: Ints
    level: Floats
    gap: Floats
    together: Floats


def sweep(units: Units) -> Swept:
    """Read the units once and sum what the period effects and the cells ask.

    Parameters
    ----------
    units : Units

    Returns
    -------
    Swept
    """
    (n_cohorts, n_periods), p = units.used.shape, units.known.shape[1]
    m = n_periods * p
    system, right = np.zeros((m, m)), np.zeros(m)
    squares = np.zeros((n_periods, p, p))
    mass = np.zeros((2, n_cohorts, n_periods))
    count = np.zeros((n_cohorts, n_periods), dtype=np.int64)
    level = np.zeros((2, n_cohorts, n_periods))
    gap = np.zeros((2, n_cohorts, n_periods, m))
    together = np.zeros((n_cohorts, n_periods, n_periods))
    place = np.arange(n_periods)
    for g, rows in units.blocks():
        block = units.read(g, rows)
        columns, shares = block.spread(block.fitted), block.spread(block.share)
        system -= columns.T @ shares
        right += block.spread(block.fitted * block.apart).sum(axis=0)
        crossed = block.known[:, :, None] * block.known[:, None, :]
        squares += np.tensordot(block.fitted, crossed, axes=(0, 0))
        together[g] += block.fitted.T @ block.share
        count[g] += (block.weight > 0).sum(axis=0)
        for k, weight in enumerate((block.weight, block.weight**2)):
            mass[k, g] += weight.sum(axis=0)
            level[k, g] += (weight * block.apart).sum(axis=0)
            own = np.zeros((n_periods, n_periods, p))
            own[place, place] = weight.T @ block.known
            gap[k, g] += own.reshape(n_periods, m) - weight.T @ shares
    for t in range(n_periods):
        system[t * p : (t + 1) * p, t * p : (t + 1) * p] += squares[t]
    # Columns of units seen once are swept out whole: what is left of them is rounding.
    blank = np.diag(system) <= NOISE * np.einsum("tjj->tj", squares).ravel()
    system[blank], system[:, blank], right[blank] = 0.0, 0.0, 0.0
    with np.errstate(invalid="ignore"):
        level, gap = level / mass, gap / mass[..., None]
    gap[np.abs(gap) <= NOISE] = 0.0
    return Swept(
        system=(system + system.T) / 2,
        right=right,
        weight=mass[0],
        count=count,
        level=level,
        gap=gap,
        together=together,
    )


def solve(system: Floats, right: Floats) -> Floats:
    """Least solution of symmetric equations; NaN in the columns that they do not reach.

    Parameters
    ----------
    system : ndarray of shape (m, m)
        Symmetric, positive semi-definite.
    right : ndarray of shape (m, k)

    Returns
    -------
    ndarray of shape (m, k)
    """
    size = np.sqrt(np.maximum(np.diag(system), 0.0))
    size = np.where(size > RANK * size.max(initial=0.0), size, 1.0)
    scaled = system / np.outer(size, size)
    values, vectors = np.linalg.eigh(scaled)
    told = values > RANK * values.max(initial=0.0)
    target = right / size[:, None]
    found = vectors[:, told] @ ((vectors[:, told].T @ target) / values[told, None])
    short = np.linalg.norm(scaled @ found - target, axis=0)
    solution = found / size[:, None]
    solution[:, short > REACHED * np.maximum(np.linalg.norm(target, axis=0), 1e-300)] = np.nan
    return np.asarray(solution)


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    r"""Columns that are one in some cells, once unit and period effects are taken out of them.

    Parameters
    ----------
    remainder : ndarray of shape (k, n_cohorts, n_periods)
        Sum of what is left of each column over the observations of each cell.
    product : ndarray of shape (k, k)
        :math:`\sum_{it}w_{it}\tilde\ell_{jit}\tilde\ell_{kit}`.
    outcome : ndarray of shape (k,)
        :math:`\sum_{it}w_{it}\tilde\ell_{kit}y_{it}`.
    loading : ndarray of shape (m, k)
        Period effects of the columns: :math:`S^{-1}\sum_{it}w_{it}\ell_{kit}(q_{it}-\bar q_i)`.
    """

    remainder: Floats
    product: Floats
    outcome: Floats
    loading: Floats


def apart(swept: Swept, members: Bools) -> Apart:
    """Take unit and period effects out of columns of zeros and ones.

    Parameters
    ----------
    swept : Swept
    members : ndarray of bool, shape (k, n_cohorts, n_periods)
        Cells in which each column is one, among the observations that are fitted.

    Returns
    -------
    Apart
    """
    weight = np.where(swept.weight > 0, swept.weight, 0.0)
    level, gap = np.nan_to_num(swept.level[0]), np.nan_to_num(swept.gap[0])
    mine = members * weight
    gaps = np.tensordot(mine, gap, axes=((1, 2), (0, 1)))
    loading = solve(swept.system, gaps.T)
    remainder = mine - np.einsum("gts,kgs->kgt", swept.together, members.astype(float))
    remainder -= weight * np.einsum("gtm,mk->kgt", gap, loading)
    flat = (members.shape[0], swept.weight.size)
    product = remainder.reshape(flat) @ members.reshape(flat).astype(float).T
    return Apart(
        remainder=remainder,
        product=(product + product.T) / 2,
        outcome=(mine * level).sum(axis=(1, 2)) - gaps @ period_effects(swept),
        loading=loading,
    )


def period_effects(swept: Swept) -> Floats:
    """Period effects of the outcome, shape (m,)."""
    return np.asarray(solve(swept.system, swept.right[:, None])[:, 0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """Coefficients of columns of zeros and ones beside unit and period effects.

    Parameters
    ----------
    coefficient : ndarray of shape (k,)
        NaN where the others and the effects explain the column.
    members : ndarray of bool, shape (k, n_cohorts, n_periods)
    effects : ndarray of shape (n_periods, p)
        Period effects of the fit.
    shift : ndarray of shape (n_cohorts, n_periods)
        What the columns add to a cell.
    mix : ndarray of shape (k, k)
        From sums of residuals over each column to the coefficients.
    loading : ndarray of shape (n_periods · p, k)
        From scores of the period effects to the coefficients.
    """

    coefficient: Floats
    members: Bools
    effects: Floats
    shift: Floats
    mix: Floats
    loading: Floats

    def influence(self, g: int, block: Block) -> Floats:
        """Influence of a block of units of one cohort, shape (b, k)."""
        scores = block.fitted * block.residual(self.effects, self.shift[g])
        sums = scores @ self.members[:, g].astype(float).T
        return np.asarray(sums @ self.mix - block.spread(scores) @ self.loading)


def regress(swept: Swept, members: Bools) -> Regression:
    """Regress the outcome on columns of zeros and ones, unit and period effects.

    Parameters
    ----------
    swept : Swept
    members : ndarray of bool, shape (k, n_cohorts, n_periods)

    Returns
    -------
    Regression
    """
    left = apart(swept, members)
    # Columns that cannot be told apart have no inverse; their residuals are told all the same.
    mix = solve(left.product, np.eye(members.shape[0]))
    chosen = solve(left.product, left.outcome[:, None])[:, 0]
    fitted = period_effects(swept) - left.loading @ chosen
    return Regression(
        coefficient=np.where(np.isfinite(mix).all(axis=0), chosen, np.nan),
        members=members,
        effects=np.asarray(fitted.reshape(members.shape[2], -1)),
        shift=np.asarray(np.tensordot(chosen, members.astype(float), axes=1)),
        mix=mix,
        loading=left.loading @ mix,
    )

r"""Effects by cohort and period of units followed throughout, and what each unit adds to their error.

For a cohort :math:`g`, its comparison :math:`C` and :math:`\Delta_i = Y_{it}-Y_{ib}`, with
:math:`x_i` one and covariates, :math:`\beta` the least squares of :math:`\Delta` on :math:`x` over
:math:`C` and :math:`o_i = p(x_i)/(1-p(x_i))` the odds of belonging to :math:`g` rather than to
:math:`C`,

.. math:: \hat\theta = \frac{\sum_g w_i(\Delta_i-x_i'\beta)}{\sum_g w_i}
                     - \frac{\sum_C w_io_i(\Delta_i-x_i'\beta)}{\sum_C w_io_i},

doubly robust; without the second term, regression; with :math:`\beta=0`, inverse probability. Only
:math:`\Delta` and :math:`\beta` change with the period: the odds and the Gram matrix belong to a cohort and a
comparison. Sums over units of :math:`w_ix_i(x_i',Y_i')`, by start, then of :math:`w_io_ix_i(x_i',Y_i')`, by
contrast, are all that the effects of every period need.

References
----------
Callaway & Sant'Anna (2021), doi:10.1016/j.jeconom.2020.12.001; Sant'Anna & Zhao (2020), §3 and the
estimators they call traditional, doi:10.1016/j.jeconom.2020.06.003.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.did.followed import Followed
from whatworks.stats.did.group_time import (
    CERTAIN,
    COLLINEAR,
    DEFINED,
    NO_COMPARISON,
    NO_OVERLAP,
    CellEffects,
    Contrast,
    GroupTimes,
)
from whatworks.stats.did.panel_moments import Moments, moments
from whatworks.stats.did.propensities import (
    Propensities,
    fit_propensities,
    probabilities,
    sides,
)
from whatworks.stats.did.two_groups import TRIMMED

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_SINGULAR: Final = 1e-12
"""Least share of the greatest eigenvalue of a Gram matrix below which covariates repeat each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """One contrast, fitted: what turns a unit into its influences on the contrast's cells.

    Parameters
    ----------
    contrast : Contrast
    residual : ndarray of shape (width + n_periods, n_cells)
        Of what is read of a unit, its change less what covariates predict of it, by cell.
    effect : ndarray of shape (n_cells,)
    mean_treated, mean_comparison : ndarray of shape (n_cells,)
        Of residuals, of the cohort and of the comparison by its odds.
    mass_treated, mass_comparison : float
        Sums of weights, and of weights by odds; the latter infinite without odds.
    lever : ndarray of shape (width,)
        What a unit of the comparison moves the regression by.
    score : ndarray of shape (width, n_cells)
        What a unit moves the probabilities by.
    coefficients : ndarray of shape (width,) or None
        Of the probabilities; None where they are not fitted.
    trimmed : int
        Units of the comparison left without weight by their odds.
    """

    contrast: Contrast
    residual: Floats
    effect: Floats
    mean_treated: Floats
    mean_comparison: Floats
    mass_treated: float
    mass_comparison: float
    lever: Floats
    score: Floats
    coefficients: Floats | None
    trimmed: int

    def of_treated(self, z: Floats, weight: Floats) -> Floats:
        """Influences of units of the cohort, shape (n_rows, n_cells)."""
        found = z @ self.residual
        found -= self.mean_treated
        found *= (weight / self.mass_treated)[:, None]
        if self.coefficients is not None:
            x = z[:, : self.coefficients.size]
            missed = weight * (1.0 - probabilities(x @ self.coefficients))
            found -= missed[:, None] * (x @ self.score)
        return np.asarray(found)

    def of_comparison(self, z: Floats, weight: Floats) -> Floats:
        """Influences of units of the comparison, shape (n_rows, n_cells)."""
        x = z[:, : self.lever.size]
        found = z @ self.residual
        part = weight * (x @ self.lever)
        if self.coefficients is None:
            found *= part[:, None]
            return np.asarray(found)
        p = probabilities(x @ self.coefficients)
        share = np.where(p < TRIMMED, weight * p / (1.0 - p) / self.mass_comparison, 0.0)
        found *= (part - share)[:, None]
        found += np.column_stack([share, (weight * p)[:, None] * x]) @ np.vstack(
            [self.mean_comparison, self.score]
        )
        return np.asarray(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelCells:
    """Cells of a panel, fitted.

    Parameters
    ----------
    followed : Followed
    effects : CellEffects
    fits : tuple of Fit
    sums : Moments
    """

    followed: Followed
    effects: CellEffects
    fits: tuple[Fit, ...]
    sums: Moments

    def linear(self, place: int) -> Floats:
        """What turns one and outcomes of a unit of some start, of weight one, into its influences.

        Returns
        -------
        ndarray of shape (1 + n_periods, n_cells)
            Without covariates, where influences are linear in outcomes.
        """
        start = int(self.followed.by_start.starts[place])
        found = np.zeros((self.sums.first.shape[2], self.effects.effect.size))
        for fit in self.fits:
            if fit.contrast.cohort == start:
                turn = fit.residual.copy()
                turn[0] -= fit.mean_treated
                found[:, fit.contrast.cells] = turn / fit.mass_treated
            elif fit.contrast.after < start:
                found[:, fit.contrast.cells] = fit.residual * fit.lever[0]
        return found


def panel_cells(followed: Followed, cells: GroupTimes, *, method: str) -> PanelCells:
    """Effects of all cells of a panel.

    Parameters
    ----------
    followed : Followed
    cells : GroupTimes
    method : str
        ``"doubly_robust"``, ``"regression"`` or ``"inverse_probability"``; without covariates they are one.

    Returns
    -------
    PanelCells
    """
    sums = moments(followed)
    contrasts = cells.contrasts()
    sizes = followed.by_start.sizes
    undefined = np.full(cells.cohort.size, DEFINED, dtype=object)
    counts = np.zeros((2, cells.cohort.size), dtype=np.int64)
    usable = []
    side = sides(followed, contrasts)
    for k, contrast in enumerate(contrasts):
        counts[:, contrast.cells] = [[sizes[side[:, k] == s].sum()] for s in (1, -1)]
        why = _flaw(sums, side[:, k], regressed=method != "inverse_probability")
        undefined[contrast.cells] = why
        if why == DEFINED:
            usable.append(contrast)
    fits = _fits(
        followed, sums, tuple(usable), cells, method if followed.width > 1 else "regression"
    )
    effect = np.full(cells.cohort.size, np.nan)
    base = cells.at == cells.base
    effect[base] = 0.0
    counts[:, base] = _counts_of_base(followed, cells, base)
    kept = []
    trimmed = np.zeros(cells.cohort.size, dtype=np.int64)
    for fit in fits:
        effect[fit.contrast.cells] = fit.effect
        trimmed[fit.contrast.cells] = fit.trimmed
        undefined[fit.contrast.cells[~np.isfinite(fit.effect)]] = NO_OVERLAP
        if np.isfinite(fit.effect).all():
            kept.append(fit)
    return PanelCells(
        followed=followed,
        effects=CellEffects(
            effect=effect,
            n_treated=counts[0],
            n_comparison=counts[1],
            undefined=tuple(undefined),
            influence=_Influences(followed, tuple(kept), cells.cohort.size),
            trimmed=trimmed,
        ),
        fits=tuple(kept),
        sums=sums,
    )


def _flaw(sums: Moments, side: NDArray[np.int8], *, regressed: bool) -> str:
    """Why a contrast cannot be fitted, before fitting it."""
    width = sums.first.shape[1]
    theirs, both = (sums.first[mine, :, :width].sum(axis=0) for mine in (side == -1, side != 0))
    if not theirs[0, 0] > 0:
        return NO_COMPARISON
    read = theirs if regressed else both
    return COLLINEAR if np.linalg.cond(read) > 1 / _SINGULAR else DEFINED


def _counts_of_base(followed: Followed, cells: GroupTimes, base: Bools) -> Ints:
    """Units of the cohort and of its comparison in base cells, where nothing is estimated."""
    starts, sizes = followed.by_start.starts, followed.by_start.sizes
    mine = starts == cells.cohort[base][:, None]
    theirs = (starts > cells.after[base][:, None]) & ~mine
    return np.stack([mine @ sizes, theirs @ sizes])


def _fits(
    followed: Followed,
    sums: Moments,
    contrasts: tuple[Contrast, ...],
    cells: GroupTimes,
    method: str,
) -> list[Fit]:
    side = sides(followed, contrasts)
    if method == "regression":
        return [
            _fit(sums, contrast, side[:, k], cells, regressed=True, odds=None)
            for k, contrast in enumerate(contrasts)
        ]
    scores = fit_propensities(followed, contrasts)
    by_odds, highest, trimmed = _odds_moments(followed, side, scores)
    found = []
    for k, contrast in enumerate(contrasts):
        apart = not scores.converged[k] or highest[k] >= CERTAIN
        odds = _Odds(by_odds[k], scores.coefficients[k], scores.inverse[k], apart, int(trimmed[k]))
        regressed = method == "doubly_robust"
        found.append(_fit(sums, contrast, side[:, k], cells, regressed=regressed, odds=odds))
    return found


@dataclass(frozen=True, slots=True)
class _Odds:
    """Sums over a comparison by its odds, and the fit they come from."""

    sums: Floats
    coefficients: Floats
    inverse: Floats
    apart: bool
    trimmed: int


def _odds_moments(
    followed: Followed, side: NDArray[np.int8], scores: Propensities
) -> tuple[Floats, Floats, Ints]:
    """Sums of odds-weighted products by contrast, its highest probability, and how many it trims."""
    width, n = followed.width, side.shape[1]
    found = np.zeros((n, width, width + followed.values.shape[1]))
    highest, trimmed = np.zeros(n), np.zeros(n, dtype=np.int64)
    for place in range(side.shape[0]):
        for sign in (1, -1):
            mine = np.flatnonzero(side[place] == sign)
            if not mine.size:
                continue
            for rows in followed.by_start.blocks(place):
                z = followed.read(rows) if sign < 0 else followed.regressors(rows)
                x = z[:, :width]
                p = probabilities(x @ scores.coefficients[mine].T)
                highest[mine] = np.maximum(highest[mine], p.max(axis=0))
                if sign > 0:
                    continue
                far = p >= TRIMMED
                trimmed[mine] += far.sum(axis=0)
                p[far] = 0.0
                p /= 1.0 - p
                if not followed.even:
                    p *= followed.weight[rows][:, None]
                wide = (p[:, :, None] * x[:, None, :]).reshape(rows.size, -1)
                found[mine] += (wide.T @ z).reshape(mine.size, width, -1)
    return found, highest, trimmed


def _fit(
    sums: Moments,
    contrast: Contrast,
    side: NDArray[np.int8],
    cells: GroupTimes,
    *,
    regressed: bool,
    odds: _Odds | None,
) -> Fit:
    """One contrast from its sums: all its periods are right-hand sides of one system."""
    mine, theirs = (sums.first[side == s].sum(axis=0) for s in (1, -1))
    width = mine.shape[0]
    residual = np.zeros((mine.shape[1], contrast.cells.size))
    column = np.arange(contrast.cells.size)
    at, base = width + cells.at[contrast.cells], width + cells.base[contrast.cells]
    residual[at, column] += 1.0
    residual[base, column] -= 1.0
    lever = np.zeros(width)
    gram = theirs[:, :width]
    if regressed:
        residual[:width] = -np.linalg.solve(gram, theirs[:, at] - theirs[:, base])
        lever = -np.linalg.solve(gram, mine[:, 0] / mine[0, 0])
    mean_treated = mine[0] @ residual / mine[0, 0]
    mean_comparison = np.zeros(contrast.cells.size)
    score = np.zeros((width, contrast.cells.size))
    mass = np.inf
    if odds is not None:
        mass = float(odds.sums[0, 0])
        mean_comparison = odds.sums[0] @ residual / mass
        left = odds.sums @ residual - odds.sums[:, :1] * mean_comparison
        score = odds.inverse @ left / mass
        if regressed:
            lever += np.linalg.solve(gram, odds.sums[:, 0] / mass)
    effect = mean_treated - mean_comparison
    return Fit(
        contrast=contrast,
        residual=residual,
        effect=np.full_like(effect, np.nan) if odds is not None and odds.apart else effect,
        mean_treated=mean_treated,
        mean_comparison=mean_comparison,
        mass_treated=float(mine[0, 0]),
        mass_comparison=mass,
        lever=lever,
        score=score,
        coefficients=None if odds is None else odds.coefficients,
        trimmed=0 if odds is None else odds.trimmed,
    )


@dataclass(frozen=True, slots=True)
class _Influences:
    """Influences of units on cells, asked some rows at a time; see `CellEffects`."""

    followed: Followed
    fits: tuple[Fit, ...]
    n_cells: int

    def __call__(self, rows: Ints) -> tuple[Ints, Floats]:
        place = self.followed.by_start.place[rows]
        if rows.size and (place == place[0]).all():
            return self._of_one_start(rows, int(place[0]))
        found = np.zeros((rows.size, self.n_cells))
        for one in np.unique(place):
            mine = np.flatnonzero(place == one)
            moved, values = self._of_one_start(rows[mine], int(one))
            found[np.ix_(mine, moved)] = values
        return np.arange(self.n_cells), found

    def _of_one_start(self, rows: Ints, place: int) -> tuple[Ints, Floats]:
        start = self.followed.by_start.starts[place]
        treated = [fit for fit in self.fits if fit.contrast.cohort == start]
        compared = [fit for fit in self.fits if fit.contrast.after < start != fit.contrast.cohort]
        moved = [fit.contrast.cells for fit in (*treated, *compared)]
        if not moved:
            return np.empty(0, dtype=np.int64), np.empty((rows.size, 0))
        names = np.concatenate(moved)
        found = np.empty((rows.size, names.size))
        z, weight = self.followed.read(rows), self.followed.weight[rows]
        begin = 0
        for fits, act in ((treated, Fit.of_treated), (compared, Fit.of_comparison)):
            for fit in fits:
                end = begin + fit.contrast.cells.size
                found[:, begin:end] = act(fit, z, weight)
                begin = end
        return names, found

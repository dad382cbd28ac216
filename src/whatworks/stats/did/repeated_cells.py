r"""Effects by cohort and period on units seen in some periods only, or in one.

Each cell compares four arms, as in `whatworks.stats.did.two_cross_sections`: treated and comparisons, in
the period read and in its base; a unit seen in both gives two rows, whose influences are summed. Lines of
all arms come from one table of products by start and period; only the propensity, and what the comparisons
tell by their odds, are read again in each cell.

References
----------
Callaway & Sant'Anna (2021), §2.4, doi:10.1016/j.jeconom.2020.12.001. Sant'Anna & Zhao (2020), §3.2,
doi:10.1016/j.jeconom.2020.06.003.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from whatworks.errors import DesignRefused
from whatworks.stats.did.group_time import (
    CERTAIN,
    COLLINEAR,
    DEFINED,
    NO_COMPARISON,
    NO_OVERLAP,
    NOT_OBSERVED,
    CellEffects,
    Contrast,
    GroupTimes,
    Method,
)
from whatworks.stats.did.repeated_influence import SIGNS, Fits, RowInfluence, Seen
from whatworks.stats.did.two_groups import TRIMMED, Line, inverted, regressors
from whatworks.stats.logit import fit_logit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

BLOCK: Final = 2**16
"""Units read at once for the table of products."""
CERTAIN_LOG_ODDS: Final = 50.0
"""Log-odds beyond which an odds is of no use, and only its size in memory matters."""


def repeated_cells(
    values: Floats,
    *,
    start: Ints,
    covariates: Floats,
    weight: Floats,
    cells: GroupTimes,
    method: Method,
) -> CellEffects:
    """Effects of cells where units are not all seen in every period.

    Parameters
    ----------
    values : ndarray of shape (n, n_periods)
        NaN where a unit is not observed.
    start : ndarray of int, shape (n,)
    covariates : ndarray of shape (n, k)
        Without any, methods are one and the same: differences of means.
    weight : ndarray of shape (n,)
    cells : GroupTimes
    method : str
        ``"doubly_robust"`` (logistic odds, a line in each arm), ``"regression"`` (lines of the
        comparisons) or ``"inverse_probability"`` (odds, brought to a sum of one).

    Returns
    -------
    CellEffects
        A cell is undefined where one of its four arms is empty, its covariates are collinear in an arm, or
        some unit is all but certain to be treated. Comparisons of propensity 0.995 or more carry no weight,
        and are counted.
    """
    units = _sorted(values, start, covariates, weight)
    table = _Table.of(units)
    fits = Fits.blank(units.width, cells.cohort.size)
    adjusted = method if covariates.shape[1] else "regression"
    undefined = [DEFINED] * cells.cohort.size
    for contrast in cells.contrasts():
        for c in contrast.cells:
            cell = _Cell.of(units, table, contrast, (int(cells.at[c]), int(cells.base[c])))
            undefined[c] = cell.fit(fits, int(c), adjusted)
    for c in np.flatnonzero(cells.at == cells.base):
        contrast = Contrast(int(cells.cohort[c]), int(cells.after[c]), np.array([c]))
        at = int(cells.at[c])
        _Cell.of(units, table, contrast, (at, at)).count(fits, int(c))
    usable = np.array([why == DEFINED for why in undefined], dtype=bool)
    fits.effect[~usable] = np.nan
    return CellEffects(
        effect=fits.effect,
        n_treated=fits.n_treated,
        n_comparison=fits.n_comparison,
        undefined=tuple(undefined),
        influence=RowInfluence(
            units=units, cells=cells, fits=fits, usable=usable & (cells.at != cells.base)
        ),
        trimmed=fits.trimmed,
    )


def _sorted(values: Floats, start: Ints, covariates: Floats, weight: Floats) -> Seen:
    """Units start after start; outcomes less the smallest, which no effect depends on."""
    starts, place = np.unique(start, return_inverse=True)
    order = np.argsort(place, kind="stable")
    position = np.empty_like(order)
    position[order] = np.arange(order.size)
    outcome = np.ascontiguousarray(values.T[:, order])
    seen = np.isfinite(outcome)
    outcome -= np.nanmin(outcome)
    outcome[~seen] = 0.0
    return Seen(
        z=regressors(covariates, weight=weight)[order],
        outcome=outcome,
        seen=seen,
        weight=weight[order],
        starts=starts,
        bounds=np.concatenate([[0], np.cumsum(np.bincount(place, minlength=starts.size))]),
        position=position,
    )


@dataclass(frozen=True, slots=True)
class _Table:
    """Weighted products of regressors with themselves and outcomes, by start and period."""

    gram: Floats
    cross: Floats

    @classmethod
    def of(cls, units: Seen) -> _Table:
        n_starts, n_periods, width = units.starts.size, units.seen.shape[0], units.width
        gram = np.zeros((n_starts, n_periods, width * width))
        cross = np.zeros((n_starts, n_periods, width))
        for place in range(n_starts):
            whole = units.of(place)
            for begin in range(whole.start, whole.stop, BLOCK):
                rows = slice(begin, min(begin + BLOCK, whole.stop))
                z = units.z[rows]
                weighted = z * units.weight[rows, None]
                products = (weighted[:, :, None] * z[:, None, :]).reshape(z.shape[0], -1)
                gram[place] += units.seen[:, rows].astype(float) @ products
                cross[place] += units.outcome[:, rows] @ weighted
        return cls(gram.reshape(n_starts, n_periods, width, width), cross)


@dataclass(frozen=True, slots=True)
class _Arm:
    """One group in one period, as products of its rows."""

    gram: Floats
    cross: Floats

    @property
    def mass(self) -> float:
        return float(self.gram[0, 0])

    def mean(self) -> tuple[float, Floats]:
        """Mean outcome and mean regressors."""
        return float(self.cross[0] / self.mass), self.gram[0] / self.mass

    def line(self, of: str) -> Line:
        inverse = inverted(self.gram, of=of)
        return Line(slopes=inverse @ self.cross, inverse=inverse)


@dataclass(frozen=True, slots=True)
class _Cell:
    """Four arms: treated and comparisons, in the period read and in the base."""

    units: Seen
    columns: tuple[int, int]
    treated: tuple[_Arm, _Arm]
    compared: tuple[_Arm, _Arm]
    mine: Ints
    theirs: Ints

    @classmethod
    def of(cls, units: Seen, table: _Table, contrast: Contrast, columns: tuple[int, int]) -> _Cell:
        places = np.flatnonzero(contrast.compared(units.starts))
        own = np.flatnonzero(units.starts == contrast.cohort)
        at, base = (
            [_Arm(table.gram[p, t].sum(axis=0), table.cross[p, t].sum(axis=0)) for t in columns]
            for p in (own, places)
        )
        ever = units.seen[columns[0]] | units.seen[columns[1]]
        mine, theirs = (
            np.concatenate(
                [np.flatnonzero(ever[units.of(int(p))]) + units.bounds[p] for p in which]
                or [np.empty(0, dtype=np.int64)]
            )
            for which in (own, places)
        )
        return cls(units, columns, (at[0], at[1]), (base[0], base[1]), mine, theirs)

    def count(self, fits: Fits, c: int) -> None:
        fits.n_treated[c], fits.n_comparison[c] = self.mine.size, self.theirs.size

    def fit(self, fits: Fits, c: int, method: str) -> str:
        """Fill one cell; returns why it is undefined, an empty text when it is not."""
        self.count(fits, c)
        if min(arm.mass for arm in self.treated) <= 0:
            return NOT_OBSERVED
        if min(arm.mass for arm in self.compared) <= 0:
            return NO_COMPARISON
        try:
            self._means(fits, c)
            if method != "inverse_probability":
                self._lines(fits, c, own=method == "doubly_robust")
            if method != "regression":
                inverse = self._propensity(fits, c)
                if inverse is None or not self._by_odds(fits, c, inverse):
                    return NO_OVERLAP
        except DesignRefused:
            return COLLINEAR
        return DEFINED

    def _means(self, fits: Fits, c: int) -> None:
        """Change of the treated's mean."""
        for t, arm in enumerate(self.treated):
            mean, _ = arm.mean()
            fits.own_line[t, 0, c], fits.own_along[t, 0, c] = mean, 1.0 / arm.mass
            fits.effect[c] += SIGNS[t] * mean

    def _lines(self, fits: Fits, c: int, *, own: bool) -> None:
        """What the comparisons' lines say of all treated rows; with ``own``, the treated's as well."""
        total = sum(arm.mass for arm in self.treated)
        everyone = sum(arm.gram[0] for arm in self.treated) / total
        slope = np.zeros_like(everyone)
        for t, sign in enumerate(SIGNS):
            line = self.compared[t].line("the comparisons")
            fits.line[t, :, c], fits.reach[t, :, c] = line.slopes, line.inverse @ everyone
            slope -= sign * line.slopes
            fits.effect[c] -= sign * float(everyone @ line.slopes)
            if own:
                mine = self.treated[t].line("the treated")
                slope += sign * mine.slopes
                fits.effect[c] += sign * float(everyone @ mine.slopes - fits.own_line[t, 0, c])
                fits.own_line[t, :, c] = mine.slopes
                fits.own_along[t, :, c] = mine.inverse @ everyone
        fits.spread[:, c] = slope / total
        fits.spread_level[c] = everyone @ slope / total

    def _propensity(self, fits: Fits, c: int) -> Floats | None:
        """Fit the propensity; its inverse information, None where a unit is certain to be treated."""
        rows = np.concatenate([self.mine, self.theirs])
        treated = np.arange(rows.size) < self.mine.size
        every = np.sum([arm.gram for arm in (*self.treated, *self.compared)], axis=0)
        inverted(every, of="the units compared")
        # A unit counts once for each of the two periods in which it is seen.
        times = sum(self.units.seen[t, rows].astype(float) for t in self.columns)
        z, weight = self.units.z[rows], self.units.weight[rows] * times
        group = np.zeros(rows.size, dtype=np.int64)
        fit = fit_logit(z[:, 1:], treated, group=group, weight=weight)
        chance = expit(fit.linear)
        if fit.separated or not fit.converged or chance.max() >= CERTAIN:
            return None
        fits.log_odds[:, c] = np.concatenate([fit.intercepts, fit.slopes])
        fits.trimmed[c] = int((chance[~treated] >= TRIMMED).sum())
        curved = z * (weight * chance * (1.0 - chance))[:, None]
        return inverted(curved.T @ z, of="the units compared")

    def _by_odds(self, fits: Fits, c: int, inverse: Floats) -> bool:
        """Take away what lines leave of the comparisons, by odds; False where they weigh nothing."""
        z = self.units.z[self.theirs]
        linear = z @ fits.log_odds[:, c]
        kept = self.units.weight[self.theirs] * (expit(linear) < TRIMMED)
        odds = kept * np.exp(np.minimum(linear, CERTAIN_LOG_ODDS))
        moved = np.zeros(z.shape[1])
        for t, (column, sign) in enumerate(zip(self.columns, SIGNS, strict=True)):
            share = odds * self.units.seen[column, self.theirs]
            total = float(share.sum())
            if not total > 0:
                return False
            share /= total
            residual = self.units.outcome[column, self.theirs] - z @ fits.line[t, :, c]
            gap = float(share @ residual)
            fits.gap[t, c], fits.per_odds[t, c] = gap, 1.0 / total
            fits.effect[c] -= sign * gap
            moved += sign * ((share * (residual - gap)) @ z)
            if fits.reach[t, :, c].any():
                line = self.compared[t].line("the comparisons")
                fits.reach[t, :, c] -= line.inverse @ (share @ z)
        fits.score[:, c] = inverse @ moved
        return True

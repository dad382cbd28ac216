"""How sure effects on territories are: jackknife, placebos among donors, bootstrap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.errors import DesignRefused
from whatworks.estimate.synthetic.fitting import (
    Fits,
    Fitter,
    average_weights,
    cell_columns,
    paths_of,
)
from whatworks.estimate.synthetic.reading import Cohort, Territories
from whatworks.stats.synthetic.jackknife import (
    ALL,
    PooledInfluence,
    changes_without_each,
    jackknifed,
)
from whatworks.stats.synthetic.placebos import Placebos
from whatworks.stats.uncertainty import Covariance, Influence, Uncertainty

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TRIES: Final = 1_000
"""Draws of territories after which one that holds every cohort is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inferred:
    """Uncertainty of cells then shares, and what it was read from.

    Parameters
    ----------
    uncertainty : Uncertainty
    how : str
        ``"jackknife"``, ``"placebo"`` or ``"bootstrap"``.
    df : float
    without : ndarray of shape (n, n_cells), or None
        Change of each cell when a territory is left out.
    placebo : ndarray of shape (n_placebos, n_periods), or None
        Paths of the donors, each taken for the only treated territory.
    """

    uncertainty: Uncertainty
    how: str
    df: float
    without: Floats | None = None
    placebo: Floats | None = None


def by_jackknife(land: Territories, fits: Fits, fitter: Fitter) -> Inferred:
    """Jackknife over territories, with degrees of freedom by Satterthwaite's rule."""
    paths = fits.paths(land.values)
    n, m = land.values.shape[0], fits.rows.size
    changes = []
    for c in fits.cohorts:
        mine = np.flatnonzero(fits.place == c.place)
        found = changes_without_each(
            land.values,
            paths[mine],
            fits.weights[mine],
            fits.before[mine],
            rows=c.treated,
            share=fits.share[mine],
        )
        _weight_anew(found, land, fits, fitter, cohort=c, mine=mine, paths=paths)
        changes.append(found[:, c.read])
    without = np.hstack(changes)
    influence, factor = jackknifed(without)
    # The jackknife of a share is its influence over the others' number rather than over all's.
    shares = land.share_influence * (m / (m - 1) if m > 1 else np.nan)
    place, _ = cell_columns(fits.cohorts)
    sizes = np.array([c.treated.size for c in fits.cohorts])
    lone = np.where(sizes[place] == 1, place, -1)
    return Inferred(
        uncertainty=PooledInfluence(
            influence=Influence(
                values=np.hstack([influence, shares]),
                cluster=np.arange(n),
                factor=factor,
                level="market",
            ),
            lone=np.concatenate([lone, np.full(land.shares.size, -1)]),
        ),
        how="jackknife",
        df=_freedom(influence @ average_weights(land, fits.cohorts), fits.rows, land.untreated),
        without=without,
    )


def _freedom(influence: Floats, treated: Ints, donors: Ints) -> float:
    r"""Degrees of freedom of a sum of two variances, one over the treated and one over the donors.

    .. math:: \nu=\frac{(v_1+v_0)^2}{v_1^2/(N_1-1)+v_0^2/(N_0-1)}

    (Satterthwaite 1946, doi:10.2307/3002019), of the mean effect after the start.
    """
    parts = [float((influence[rows] ** 2).sum()) for rows in (treated, donors)]
    sizes = [max(rows.size - 1, 1) for rows in (treated, donors)]
    below = sum(v**2 / n for v, n in zip(parts, sizes, strict=True))
    return sum(parts) ** 2 / below if below > 0 else float(sizes[0])


def _weight_anew(
    change: Floats,
    land: Territories,
    fits: Fits,
    fitter: Fitter,
    *,
    cohort: Cohort,
    mine: Ints,
    paths: Floats,
) -> None:
    """Add what leaving out a donor that had all the weight changes; NaN where it was the only one."""
    whole = fits.weights[mine] > ALL
    for j in np.flatnonzero(whole.any(axis=0)):
        others = cohort.donors[cohort.donors != j]
        if not others.size:
            change[j] = np.nan
            continue
        rows = mine[whole[:, j]]
        found = fitter(fits.rows[rows], others, mass=land.weight, n_before=cohort.n_before)
        moved = paths_of(land.values, fits.rows[rows], others, found)
        change[j] += fits.share[rows] @ (moved - paths[rows])


def placebo_paths(land: Territories, cohort: Cohort, fitter: Fitter) -> Floats:
    """Path of each never-treated donor beside the others, as if it had started with the cohort."""
    donors = land.untreated
    paths = np.empty((donors.size, land.periods.size))
    for k, j in enumerate(donors):
        others = donors[donors != j]
        found = fitter(np.array([j]), others, mass=land.weight, n_before=cohort.n_before)
        paths[k] = paths_of(land.values, np.array([j]), others, found)[0]
    return paths


def rmspe(paths: Floats) -> Floats:
    """Root mean squared gap of each row."""
    return np.asarray(np.sqrt((paths**2).mean(axis=1)))


def by_rank(land: Territories, fits: Fits, fitter: Fitter, *, ratio: bool) -> Inferred:
    """Rank of the only treated territory among donors taken for it one by one.

    Parameters
    ----------
    ratio : bool
        Divide effects by the error before the start.
    """
    cohort = fits.cohorts[0]
    paths = placebo_paths(land, cohort, fitter)
    own = fits.paths(land.values)[:, : cohort.n_before]
    size = max(float(np.abs(land.values).max()), np.finfo(float).tiny)
    scale = rmspe(paths[:, : cohort.n_before]) if ratio else np.ones(len(paths))
    told = float(rmspe(own)[0]) if ratio else 1.0
    return Inferred(
        uncertainty=Placebos(
            values=np.hstack([paths[:, cohort.read], np.zeros((len(paths), land.shares.size))]),
            scale=np.where(scale > 1e-9 * size, scale, 0.0),
            own=told if told > 1e-9 * size or not ratio else 0.0,
        ),
        how="placebo",
        df=float("inf"),
        placebo=paths,
    )


def by_placebo_draws(
    land: Territories,
    fits: Fits,
    fitter: Fitter,
    *,
    draws: int,
    rng: np.random.Generator,
    together: bool,
) -> Inferred:
    """Variance of the effects that as many donors, drawn at random, would have had.

    Parameters
    ----------
    together : bool
        Territories taken as treated are fitted together; otherwise one by one, each donor once for
        every cohort.

    Raises
    ------
    DesignRefused
        When there are no more never-treated territories than treated ones.
    """
    donors, m = land.untreated, fits.rows.size
    if donors.size <= m:
        raise DesignRefused(
            what="inference='placebo'",
            needed=f"more territories never treated than the {m} treated",
            found=f"{donors.size}",
            remedy="choose inference='jackknife'",
        )
    drawn = np.argsort(rng.random((draws, donors.size)), axis=1)[:, :m]
    if together:
        values = np.array([_drawn_together(land, fits, fitter, donors[d]) for d in drawn])
    else:
        values = np.hstack(
            [
                np.einsum(
                    "i,bit->bt",
                    fits.share[fits.place == c.place],
                    placebo_paths(land, c, fitter)[drawn[:, fits.place == c.place]][:, :, c.read],
                )
                for c in fits.cohorts
            ]
        )
    return Inferred(uncertainty=_spread(values, land.shares.size), how="placebo", df=float("inf"))


def _drawn_together(land: Territories, fits: Fits, fitter: Fitter, drawn: Ints) -> Floats:
    """Cells of one draw: each treated territory's part is played by one donor."""
    rest = np.setdiff1d(land.untreated, drawn, assume_unique=True)
    rest = land.untreated[np.isin(land.untreated, rest)]
    mass = land.weight.copy()
    mass[drawn] = land.weight[fits.rows]
    cells = []
    for c in fits.cohorts:
        rows = drawn[fits.place == c.place]
        found = fitter(rows, rest, mass=mass, n_before=c.n_before)
        paths = paths_of(land.values, rows, rest, found)
        cells.append(fits.share[fits.place == c.place] @ paths[:, c.read])
    return np.concatenate(cells)


def by_bootstrap(
    land: Territories, fits: Fits, fitter: Fitter, *, draws: int, rng: np.random.Generator
) -> Inferred:
    """Variance over territories drawn with replacement, those that leave a cohort empty drawn again.

    Raises
    ------
    DesignRefused
        When a cohort has one territory: drawn again, it is always itself.
    """
    lone = sum(c.treated.size == 1 for c in fits.cohorts)
    if lone:
        raise DesignRefused(
            what="inference='bootstrap'",
            needed="at least two territories in each cohort",
            found=f"{lone} cohorts of one",
            remedy="choose inference='placebo' or 'jackknife'",
        )
    involved = land.order[np.isin(land.order, np.concatenate([fits.rows, land.untreated]))]
    drawn = [_resampled(land, fits, involved, rng) for _ in range(draws)]
    values = np.array([_drawn_again(land, fits, fitter, mass) for mass in drawn])
    total = np.array([mass.sum() for mass in drawn])
    shares = [[mass[c.treated].sum() for c in fits.cohorts] for mass in drawn]
    both = np.hstack([values, np.array(shares) / total[:, None]])
    return Inferred(uncertainty=_spread(both, 0), how="bootstrap", df=float("inf"))


def _resampled(land: Territories, fits: Fits, involved: Ints, rng: np.random.Generator) -> Floats:
    for _ in range(TRIES):
        times = rng.multinomial(involved.size, np.full(involved.size, 1 / involved.size))
        mass = np.zeros(land.weight.size)
        mass[involved] = times * land.weight[involved]
        full = all((mass[c.treated] > 0).any() for c in fits.cohorts)
        if full and (mass[land.untreated] > 0).sum() > 1:
            return mass
    raise DesignRefused(
        what="inference='bootstrap'",
        needed="draws of territories in which every cohort has one",
        found=f"none in {TRIES}",
        remedy="choose inference='placebo' or 'jackknife'",
    )


def _drawn_again(land: Territories, fits: Fits, fitter: Fitter, mass: Floats) -> Floats:
    donors = land.untreated[mass[land.untreated] > 0]
    cells = []
    for c in fits.cohorts:
        rows = c.treated[mass[c.treated] > 0]
        found = fitter(rows, donors, mass=mass, n_before=c.n_before)
        paths = paths_of(land.values, rows, donors, found)
        cells.append(mass[rows] @ paths[:, c.read] / mass[rows].sum())
    return np.concatenate(cells)


def _spread(values: Floats, n_known: int) -> Covariance:
    """Covariance of draws about their mean; terms known without error after them."""
    apart = values - values.mean(axis=0)
    matrix = np.zeros((values.shape[1] + n_known,) * 2)
    k = values.shape[1]
    matrix[:k, :k] = apart.T @ apart / values.shape[0]
    return Covariance(matrix=matrix)

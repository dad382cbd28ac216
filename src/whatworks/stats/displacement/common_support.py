r"""Whether markets alike are seen at different shares, and whether holding the score makes them alike.

At a share asked for, the markets seen nearest to it have predictors of the law of p within some range; a
market outside that range is like none of them, and its outcome there is an extrapolation. Balance is
read as the correlation of each column of markets with the share, as it is and once the predictors of
the law are held (Hirano & Imbens 2004, doi:10.1002/0470090456.ch7, §5, test it within blocks).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.displacement.dose_response import Scored

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def nearest(share: Floats, at: Floats) -> Ints:
    """Position of the share asked for that is nearest to each, the lower of two; ``at`` increases."""
    middle = (at[1:] + at[:-1]) / 2
    return np.asarray(np.searchsorted(middle, share, side="left"), dtype=np.int64)


def supported(law: Scored, at: Floats, *, weight: Floats) -> Floats:
    """Share of all markets, by weight, that are like some market seen near each share.

    Parameters
    ----------
    law : Scored
    at : ndarray of shape (n_at,)
        Increasing; one share alone where the law is of one.
    weight : ndarray of shape (n_markets,)

    Returns
    -------
    ndarray of shape (n_at,)
        From 0 to 1; 0 where no market is near.
    """
    near = nearest(law.share, at)
    found = np.zeros(at.size)
    for k in range(at.size):
        here = law.members & (near == k)
        if not here.any():
            continue
        within = np.ones(weight.size, dtype=bool)
        for index in law.indices(law.theta):
            low, high = float(index[here].min()), float(index[here].max())
            slack = 1e-9 * max(abs(low), abs(high))
            within &= (index >= low - slack) & (index <= high + slack)
        found[k] = float(weight[within].sum() / weight.sum())
    return found


def explained(law: Scored) -> float:
    """Share of the variance of the share among members that the predictor of its law explains."""
    share, index = law.share[law.members], law.indices(law.theta)[0][law.members]
    if np.ptp(index) <= 1e-12 * max(1.0, float(np.abs(index).max())):
        return 0.0
    return float(np.corrcoef(share, index)[0, 1] ** 2)


def imbalance(law: Scored, *, weight: Floats) -> tuple[Floats, Floats]:
    """Correlation of each column of markets with the share, as it is and with the score held.

    Returns
    -------
    before, after : ndarray of shape (n_columns,)
        NaN where a column does not vary, or the score determines it.
    """
    here = law.members
    w = np.sqrt(weight[here])
    columns, share = law.regressors[here, 1:], law.share[here]
    held = np.column_stack([v[here] ** k for v in law.indices(law.theta)[:1] for k in (0, 1, 2)])
    found = []
    for among in (held[:, :1], held):
        basis = among * w[:, None]
        left = [
            v * w - basis @ np.linalg.lstsq(basis, v * w, rcond=1e-10)[0]
            for v in (*columns.T, share)
        ]
        size = np.array([np.sqrt(v @ v) for v in left])
        full = np.array([np.sqrt(v @ v) for v in ((columns * w[:, None]).T)])
        own = size[:-1] > 1e-8 * full
        with np.errstate(divide="ignore", invalid="ignore"):
            r = np.array([v @ left[-1] for v in left[:-1]]) / (size[:-1] * size[-1])
        found.append(np.where(own, r, np.nan))
    return found[0], found[1]

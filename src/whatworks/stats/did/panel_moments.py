"""Sums of products over units followed throughout, by start: all that effects without odds need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.did.followed import Followed

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Sums by start of what `Followed.read` gives: one, covariates, changes since the first period.

    Parameters
    ----------
    first : ndarray of shape (n_starts, width, width + n_periods)
        Of weighted products with regressors.
    second : ndarray of shape (n_starts, width + n_periods, width + n_periods) or None
        Of products of all columns by squared weights, each start's columns less ``origin``; None where
        there are covariates.
    origin : ndarray of shape (n_starts, width + n_periods)
        One unit of each start, its first column zero.
    """

    first: Floats
    second: Floats | None
    origin: Floats


def moments(followed: Followed) -> Moments:
    """Read all units once."""
    n_starts, width = followed.by_start.starts.size, followed.width
    n_columns = width + followed.values.shape[1]
    first = np.zeros((n_starts, width, n_columns))
    second = np.zeros((n_starts, n_columns, n_columns)) if width == 1 else None
    origin = np.zeros((n_starts, n_columns))
    for place in range(n_starts):
        for number, rows in enumerate(followed.by_start.blocks(place)):
            z = followed.read(rows)
            if number == 0:
                origin[place, width:] = z[0, width:]
            z -= origin[place]
            weighted = z if followed.even else z * followed.weight[rows][:, None]
            if second is None:
                first[place] += z[:, :width].T @ weighted
            else:
                second[place] += weighted.T @ weighted
                first[place] += z[:, :1].T @ weighted
        # Sums of what was read, from sums of what is left of it.
        first[place] += first[place, :, :1] * origin[place]
    return Moments(first=first, second=second, origin=origin)

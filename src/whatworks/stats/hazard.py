r"""The chance of starting in a month among those who have not, and what it makes of those who remain.

Person :math:`p` in month :math:`m`, not started before, starts with chance

.. math:: \lambda_{pm} = \frac{1}{1+e^{-(\alpha_{g(m)}+x_{pm}'\beta)}}

the histories :math:`x_{pm}` being those of the month before. With
:math:`C_{pm}=\sum_{k\le m}\log(1-\lambda_{pk})`, a person followed since month :math:`e` and not started
:math:`h` months later stands for :math:`e^{C_{pe}-C_{p,e+h}}` persons: itself and those who started.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.logit import CERTAIN, fit_logit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hazard:
    """Chances of starting.

    Parameters
    ----------
    chance : ndarray of shape (n,)
        Of each person-month.
    n_starts : int
    converged : bool
    certain : bool
        True when somebody starts whose chance is fitted as 1: nobody can stand for them.
    """

    chance: Floats
    n_starts: int
    converged: bool
    certain: bool


def fit_hazard(covariates: Floats, starts: Bools, *, group: Ints, weight: Floats) -> Hazard:
    """Pooled logistic regression of starting, with one intercept per group.

    Parameters
    ----------
    covariates : ndarray of shape (n, k)
        Histories as of the month before.
    starts : ndarray of bool, shape (n,)
    group : ndarray of int, shape (n,)
        The calendar month, crossed with whatever else has an intercept of its own. In a group where
        nobody starts the chance is zero.
    weight : ndarray of shape (n,)
        Sampling weights.

    Returns
    -------
    Hazard

    References
    ----------
    Robins, Hernán & Brumback (2000), doi:10.1097/00001648-200009000-00011.
    """
    chance = np.zeros(starts.size)
    some = np.bincount(group, weights=starts & (weight > 0)) > 0
    rows = np.flatnonzero(some[group])
    if not rows.size:
        return Hazard(chance=chance, n_starts=0, converged=True, certain=False)
    fit = fit_logit(
        covariates[rows],
        starts[rows],
        group=np.unique(group[rows], return_inverse=True)[1].astype(np.int64),
        weight=weight[rows],
    )
    chance[rows] = 1.0 / (1.0 + np.exp(-fit.linear))
    return Hazard(
        chance=chance,
        n_starts=int(starts.sum()),
        converged=fit.converged,
        certain=bool((fit.linear[starts[rows]] > CERTAIN).any()),
    )


def log_remaining(
    chance: Floats, *, person: Ints, month: Ints, n_persons: int, n_months: int
) -> Floats:
    """Cumulative log-probability of not having started.

    Parameters
    ----------
    chance : ndarray of shape (n,)
        Of each person-month.
    person, month : ndarray of int, shape (n,)
        Its row and column.
    n_persons, n_months : int

    Returns
    -------
    ndarray of shape (n_persons, n_months)
        :math:`C_{pm}`, to which months without a person-month add nothing.
    """
    logs = np.zeros((n_persons, n_months))
    with np.errstate(divide="ignore"):
        logs[person, month] = np.log1p(-chance)
    return np.cumsum(logs, axis=1)


def standing_for(
    remaining: Floats, *, person: Ints, entry: Ints, months: Ints, followed: Bools
) -> Floats:
    r"""How many each unit stands for, :math:`e^{C_{pe}-C_{p,e+h}}`; 0 when it is no longer followed.

    Parameters
    ----------
    remaining : ndarray of shape (n_persons, n_months)
    person, entry : ndarray of int, shape (n_units,)
        Row and column of each unit's beginning.
    months : ndarray of int, shape (n_horizons,)
        Months since entry; 1 up to the month of entry.
    followed : ndarray of bool, shape (n_units, n_horizons)
    """
    last = remaining.shape[1] - 1
    then = np.clip(entry[:, None] + np.maximum(months, 0), 0, last)
    # Of somebody no longer followed the chance to be may be zero: it is not looked at.
    gap = np.where(followed, remaining[person, entry][:, None], 0.0)
    gap -= np.where(followed, remaining[person[:, None], then], 0.0)
    return np.where(followed, np.exp(gap), 0.0)


def capped(standing: Floats, *, weight: Floats, most: float) -> tuple[Floats, Ints]:
    """What units stand for, at most so many times the weighted mean of those followed that month.

    Parameters
    ----------
    standing : ndarray of shape (n_units, n_horizons)
    weight : ndarray of shape (n_units,)
    most : float

    Returns
    -------
    capped : ndarray of shape (n_units, n_horizons)
    n_capped : ndarray of int, shape (n_horizons,)
    """
    held = weight @ (standing > 0)
    mean = np.divide(weight @ standing, held, out=np.zeros_like(held), where=held > 0)
    bound = most * mean
    return np.minimum(standing, bound), (standing > bound).sum(axis=0)

r"""Averages of effects by cohort and period, and what estimated shares add to their uncertainty.

Every average is a function of the effects :math:`\theta_{g,t}` and of the shares :math:`p_g` of cohorts
among all units. Its gradient in both is all that its uncertainty asks:
:math:`\hat A-A \approx \nabla_\theta A\,(\hat\theta-\theta)+\nabla_p A\,(\hat p-p)`, whatever form the
joint uncertainty of effects and shares is held in.

References
----------
Callaway & Sant'Anna (2021), §4, doi:10.1016/j.jeconom.2020.12.001.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Averages:
    """Averages of effects.

    Parameters
    ----------
    value : ndarray of shape (k,)
    gradient : ndarray of shape (k, n_cells + n_cohorts)
        In the effects of cells, then in the shares of cohorts.
    """

    value: Floats
    gradient: Floats


def by_shares(effect: Floats, place: Ints, share: Floats, *, members: Bools) -> Averages:
    r"""Averages of cells by the share of their cohort.

    .. math:: A_k = \sum_{c\in k} p_{g(c)}\theta_c \Big/ \sum_{c\in k} p_{g(c)}

    Parameters
    ----------
    effect : ndarray of shape (n_cells,)
    place : ndarray of int, shape (n_cells,)
        Position of each cell's cohort among the shares.
    share : ndarray of shape (n_cohorts,)
    members : ndarray of bool, shape (k, n_cells)
        Cells of each average.
    """
    mass = members * share[place]
    total = mass.sum(axis=1, keepdims=True)
    weights = mass / total
    value = weights @ effect
    cohorts = np.zeros((effect.size, share.size))
    cohorts[np.arange(effect.size), place] = 1.0
    apart = members * (effect - value[:, None]) / total
    return Averages(value=value, gradient=np.hstack([weights, apart @ cohorts]))


def evenly(effect: Floats, n_cohorts: int, *, members: Bools) -> Averages:
    """Averages in which every cell counts as much; shapes as in `by_shares`."""
    weights = members / members.sum(axis=1, keepdims=True)
    blank = np.zeros((members.shape[0], n_cohorts))
    return Averages(value=weights @ effect, gradient=np.hstack([weights, blank]))


def mean_of(averages: Averages) -> Averages:
    """Mean of averages, each counting as much."""
    return Averages(
        value=averages.value.mean(keepdims=True),
        gradient=averages.gradient.mean(axis=0, keepdims=True),
    )


def mean_by_shares(averages: Averages, share: Floats, *, parts: Bools) -> Averages:
    r"""Mean of averages by the shares of what each is made of.

    Parameters
    ----------
    averages : Averages
        One per cohort.
    share : ndarray of shape (n_shares,)
    parts : ndarray of bool, shape (k, n_shares)
        Shares that each average is made of: that of its cohort, or those of its cells.
    """
    mine = parts @ share
    value = mine @ averages.value / mine.sum()
    gradient = mine @ averages.gradient / mine.sum()
    n_cells = averages.gradient.shape[1] - share.size
    gradient[n_cells:] += ((averages.value - value) / mine.sum()) @ parts
    return Averages(value=np.array([value]), gradient=gradient[None, :])

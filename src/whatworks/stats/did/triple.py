r"""Triple differences as three differences in differences, and comparisons weighed by precision.

Among units of a cohort, some are eligible and some are not; so are those of a comparison cohort. The
eligible of the cohort are compared in turn with its ineligible, with the eligible and with the
ineligible of the comparison cohort, each time given covariates of the eligible of the cohort:

.. math:: \hat\theta = \hat\theta_{(g,1),(g,0)} + \hat\theta_{(g,1),(c,1)} - \hat\theta_{(g,1),(c,0)}

Two differences in differences subtracted from one another would average covariates over two different
groups, and so would not tell the effect on anyone when trends vary with them.

References
----------
Olden & Møen (2022), doi:10.1093/ectj/utac010. Ortiz-Villavicencio & Sant'Anna (2025), arXiv:2505.09942.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.did.two_groups import TwoByTwo

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SIGNS: Final = (1.0, 1.0, -1.0)
"""Of the comparisons with the cohort's ineligible, the others' eligible, the others' ineligible."""


def triple(
    change: Floats,
    *,
    mine: Bools,
    eligible: Bools,
    covariates: Floats,
    weight: Floats,
    formula: Callable[..., TwoByTwo],
) -> TwoByTwo:
    """Effects on the eligible of a cohort, and the influence of every unit.

    Parameters
    ----------
    change : ndarray of shape (n, m)
    mine : ndarray of bool, shape (n,)
        Units of the cohort; others are of the comparison cohort.
    eligible : ndarray of bool, shape (n,)
    covariates : ndarray of shape (n, k)
    weight : ndarray of shape (n,)
    formula : callable
        A function of `whatworks.stats.did.two_periods`.

    Raises
    ------
    DesignRefused
        As the formula does.
    """
    concerned = mine & eligible
    effect = np.zeros(change.shape[1])
    influence = np.zeros_like(change)
    trimmed = 0
    others = (mine & ~eligible, ~mine & eligible, ~mine & ~eligible)
    for sign, other in zip(SIGNS, others, strict=True):
        rows = np.flatnonzero(concerned | other)
        found = formula(
            change[rows],
            treated=concerned[rows],
            covariates=covariates[rows],
            weight=weight[rows],
        )
        effect += sign * found.effect
        influence[rows] += sign * found.influence
        trimmed += found.trimmed
    return TwoByTwo(effect=effect, influence=influence, trimmed=trimmed)


def precision_weights(influence: Floats, *, weight: Floats) -> Floats:
    r"""Weights of several estimates of one effect, of least variance: :math:`\Omega^{-1}1/1'\Omega^{-1}1`.

    Being estimated moves nothing to first order, since the estimates agree in the limit. Influences are
    taken per unit of weight, so that a weight of two is a unit written twice.

    Parameters
    ----------
    influence : ndarray of shape (n, k)
    weight : ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (k,)
        Equal where estimates have no variance.
    """
    k = influence.shape[1]
    spread = influence.T @ (influence / weight[:, None])
    size = np.sqrt(np.diag(spread))
    if k == 1 or not (size > 0).all():
        return np.full(k, 1 / k)
    toward = np.linalg.pinv(spread / np.outer(size, size), hermitian=True) @ (1 / size) / size
    return np.asarray(toward / toward.sum())

"""Coordinates in which Euclidean distance is the distance asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whatworks.stats.gram import in_own_units

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def mahalanobis(points: Floats, *, treated: Bools, weight: Floats) -> Floats:  # noqa: ARG001 - one signature
    """Mahalanobis' distance under the covariance of everyone (Rubin 1980, doi:10.2307/2529981).

    Parameters
    ----------
    points : ndarray of shape (n, k)
    treated : ndarray of bool, shape (n,)
    weight : ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (n, r)
        ``r`` is the rank of the covariance: collinear covariates count once.
    """
    return whiten(points, weight=weight)


def mahalanobis_pooled(points: Floats, *, treated: Bools, weight: Floats) -> Floats:
    """Mahalanobis' distance under the covariance within arms, pooled: arms' gap is no spread.

    Parameters and returns as `mahalanobis`.

    References
    ----------
    Rosenbaum & Rubin (1985), doi:10.1080/00031305.1985.10479383.
    """
    return _whitened(points, _covariance(_within_arms(points, treated, weight), weight, spent=2))


def robust_mahalanobis(points: Floats, *, treated: Bools, weight: Floats) -> Floats:  # noqa: ARG001 - one signature
    """Mahalanobis' distance of ranks, each covariate spread as if it had no ties.

    An outlier weighs by its rank; a rare 0/1 covariate does not outweigh the others. Parameters and
    returns as `mahalanobis`.

    References
    ----------
    Rosenbaum (2010), Design of Observational Studies, §8.3, doi:10.1007/978-1-4419-1213-8.
    """
    ranks = np.column_stack([_ranks(column, weight) for column in points.T])
    covariance = _covariance(ranks, weight, spent=1)
    total = weight.sum()
    untied = np.sqrt(total * (total + 1) / 12)
    own = np.sqrt(np.diag(covariance))
    factor = np.where(own > 0, untied / np.where(own > 0, own, 1.0), 1.0)
    return _whitened(ranks, covariance * np.outer(factor, factor))


def scaled_euclidean(points: Floats, *, treated: Bools, weight: Floats) -> Floats:
    """Euclidean distance, each covariate in standard deviations within arms, pooled.

    Parameters and returns as `mahalanobis`.
    """
    spread = np.sqrt(np.diag(_covariance(_within_arms(points, treated, weight), weight, spent=2)))
    kept = spread > 0
    return np.asarray(points[:, kept] / spread[kept])


SPACES: Final[Mapping[str, Callable[..., Floats]]] = MappingProxyType(
    {
        "mahalanobis": mahalanobis,
        "mahalanobis_pooled": mahalanobis_pooled,
        "robust_mahalanobis": robust_mahalanobis,
        "scaled_euclidean": scaled_euclidean,
    }
)


def whiten(points: Floats, *, weight: Floats) -> Floats:
    """Coordinates in which Euclidean distance is Mahalanobis' under the overall covariance.

    Parameters
    ----------
    points : ndarray of shape (n, k)
    weight : ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (n, r)
        ``r`` is the rank of the covariance: collinear covariates count once.

    References
    ----------
    Rubin (1980), doi:10.2307/2529981.
    """
    centred = points - np.average(points, axis=0, weights=weight)
    return _whitened(centred, _covariance(centred, weight, spent=1))


def _whitened(points: Floats, covariance: Floats) -> Floats:
    """Points times the inverse root of a covariance, whose rank no unit of measure hides."""
    scale, values, vectors = in_own_units(np.atleast_2d(covariance))
    kept = values > values.max(initial=0.0) * 1e-12
    return np.asarray(points @ (vectors[:, kept] / np.sqrt(values[kept]) / scale[:, None]))


def _covariance(points: Floats, weight: Floats, *, spent: int) -> Floats:
    """Weighted covariance, ``spent`` degrees of freedom gone to means."""
    total = weight.sum()
    centred = points - weight @ points / total
    spare = total * (1 - spent / weight.size)
    return np.asarray((centred * weight[:, None]).T @ centred / spare)


def _within_arms(points: Floats, treated: Bools, weight: Floats) -> Floats:
    """Points less the mean of their arm."""
    found = np.empty_like(points)
    for arm in (treated, ~treated):
        if arm.any():
            found[arm] = points[arm] - weight[arm] @ points[arm] / weight[arm].sum()
    return found


def _ranks(values: Floats, weight: Floats) -> Floats:
    """Mid-ranks; a unit of weight two ranks as two."""
    _, which = np.unique(values, return_inverse=True)
    mass = np.bincount(which, weights=weight)
    below = np.cumsum(mass) - mass
    return np.asarray((below + (mass + 1) / 2)[which])

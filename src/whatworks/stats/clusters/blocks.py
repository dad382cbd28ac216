r"""A linear regression seen through its clusters: sums of products, and nothing of the size of the data.

With :math:`Y_g=[X_g, W_gX_g]` (:math:`X_g` alone without weights), every cluster-robust covariance, its
degrees of freedom and every wild bootstrap is a function of :math:`Y_g'Y_g` and :math:`Y_g'y_g`.
Columns are first turned so that :math:`X'WX=I`: leverages of clusters are then the eigenvalues of
small matrices, and hardly depend on the units of covariates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

from whatworks.errors import DesignRefused

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterBlocks:
    r"""Sums of products of one weighted least-squares regression, by cluster.

    Parameters
    ----------
    n : int
        Rows.
    turn : ndarray of shape (k, k)
        :math:`C` with :math:`CC'=(X'WX)^{-1}`; turned columns are :math:`Z=XC`.
    gram : ndarray of shape (G, m, m)
        :math:`Y_g'Y_g` of turned columns; ``m`` is ``2 k`` with weights, ``k`` without.
    score : ndarray of shape (G, m)
        :math:`Y_g'\hat u_g`, :math:`\hat u` the residuals.
    beta : ndarray of shape (k,)
        Coefficients of the columns as given.
    """

    n: int
    turn: Floats
    gram: Floats
    score: Floats
    beta: Floats

    @property
    def k(self) -> int:
        """Number of coefficients."""
        return int(self.beta.size)

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return int(self.gram.shape[0])

    @property
    def weighted(self) -> bool:
        """Whether rows weigh differently."""
        return bool(self.gram.shape[1] > self.k)

    @property
    def pick(self) -> Floats:
        """:math:`J` with :math:`WZ=YJ'`, shape (k, m)."""
        blank = np.zeros((self.k, self.gram.shape[1] - self.k))
        return np.hstack([blank, np.eye(self.k)])

    @property
    def own(self) -> Floats:
        """:math:`Z_g'W_gZ_g`, which sum to the identity, shape (G, k, k)."""
        return np.asarray(self.gram[:, : self.k, -self.k :])

    @property
    def scores(self) -> Floats:
        r""":math:`Z_g'W_g\hat u_g`, which sum to zero, shape (G, k)."""
        return np.asarray(self.score[:, -self.k :])


def cluster_blocks(
    X: Floats,
    y: Floats,
    cluster: NDArray[np.generic],
    *,
    weight: Floats | None = None,
    count: Ints | None = None,
) -> ClusterBlocks:
    """Blocks of the regression of ``y`` on ``X``.

    Parameters
    ----------
    X : ndarray of shape (n, k)
        Linearly independent columns, the constant among them where it is wanted.
    y : ndarray of shape (n,)
    cluster : ndarray of shape (n,)
        Labels.
    weight : ndarray of shape (n,), optional
        Sampling weights, positive; their scale does not matter.
    count : ndarray of int, shape (n,), optional
        How many rows of these regressors a row stands for, ``y`` being their mean: the blocks are those
        of all of them. Not together with ``weight``.

    Raises
    ------
    DesignRefused
        When a column repeats what others say.
    """
    names, number = np.unique(cluster, return_inverse=True)
    times = np.ones(y.size) if count is None else np.asarray(count, dtype=float)
    w = times if weight is None else np.asarray(weight, dtype=float) / np.mean(weight)
    size = np.sqrt(w @ X**2)
    if (size > 0).all():
        X = X / size
        information = (X * w[:, None]).T @ X
        least = float(np.linalg.eigvalsh(information)[0])
    if not (size > 0).all() or least < 1e-11:
        raise DesignRefused(
            what="the regression",
            needed="columns of which none can be had from the others",
            found=f"{X.shape[1]} columns of a lower rank",
            remedy="leave out the covariate that repeats others",
        )
    root = cholesky(information, lower=True)
    turn = solve_triangular(root, np.eye(size.size), lower=True).T
    Z = X @ turn
    turned = (Z * w[:, None]).T @ y
    residual = y - Z @ turned
    # What is left by rounding of outcomes that regressors explain is no variance.
    residual[np.abs(residual) < 1e-12 * np.abs(y).max()] = 0.0
    columns = Z if weight is None else np.hstack([Z, Z * w[:, None]])
    gram, score = _sums(columns, residual, times, number, n_clusters=names.size)
    if weight is None:  # residuals are orthogonal to columns, but for rounding
        score -= score.sum(axis=0) / names.size
    scaled = turn / size[:, None]
    return ClusterBlocks(
        n=int(times.sum()), turn=scaled, gram=gram, score=score, beta=scaled @ turned
    )


def _sums(
    Y: Floats, residual: Floats, times: Floats, number: NDArray[np.intp], *, n_clusters: int
) -> tuple[Floats, Floats]:
    """Products of columns summed by cluster, one pair of columns at a time."""
    m = Y.shape[1]
    gram, score = np.empty((n_clusters, m, m)), np.empty((n_clusters, m))
    for j in range(m):
        mine = Y[:, j] * times
        score[:, j] = np.bincount(number, weights=mine * residual, minlength=n_clusters)
        for i in range(j + 1):
            gram[:, i, j] = np.bincount(number, weights=Y[:, i] * mine, minlength=n_clusters)
            gram[:, j, i] = gram[:, i, j]
    return gram, score

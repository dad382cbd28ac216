"""Matrices of products of columns, read in units of their diagonal: no unit of measure hides a rank."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inverse:
    """Pseudo-inverse of a Gram matrix.

    Parameters
    ----------
    matrix : ndarray of shape (k, k)
    rank : int
    untold : ndarray of shape (k,)
        Part of each coefficient that lies in directions of which the products say nothing, 0 to 1.
    """

    matrix: Floats
    rank: int
    untold: Floats


def in_own_units(gram: Floats) -> tuple[Floats, Floats, Floats]:
    """Root of the diagonal (1 where it is not positive), then eigenvalues and vectors in its units.

    Parameters
    ----------
    gram : ndarray of shape (k, k)
        Symmetric, positive semi-definite.

    Returns
    -------
    size : ndarray of shape (k,)
    values : ndarray of shape (k,)
        Increasing.
    vectors : ndarray of shape (k, k)
    """
    diagonal = np.diag(gram)
    size = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    values, vectors = np.linalg.eigh(gram / np.outer(size, size))
    return size, values, vectors


def inverse(gram: Floats, *, collinear: float) -> Inverse:
    """Pseudo-inverse; eigenvalues up to ``collinear`` times the greatest count as zero."""
    if not gram.size:
        return Inverse(matrix=gram, rank=0, untold=np.zeros(0))
    size, values, vectors = in_own_units(gram)
    kept = values > max(collinear * float(values[-1]), 1e-300)
    root = vectors[:, kept] / np.sqrt(values[kept])
    return Inverse(
        matrix=(root @ root.T) / np.outer(size, size),
        rank=int(kept.sum()),
        untold=np.asarray((vectors[:, ~kept] ** 2).sum(axis=1)),
    )

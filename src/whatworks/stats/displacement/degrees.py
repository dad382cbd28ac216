"""Degrees of freedom of linear forms of terms, where they differ from term to term."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Degrees(Protocol):
    """Degrees of freedom of linear forms of terms."""

    def of(self, forms: Floats) -> Floats:
        """Of each row of ``forms``, shape (n_forms, n_terms)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Smallest:
    """Degrees of freedom known term by term: a form has the fewest of those it reads.

    Parameters
    ----------
    df : ndarray of shape (n_terms,)
    """

    df: Floats

    def of(self, forms: Floats) -> Floats:
        """Of each form; infinite for one that reads nothing."""
        return np.asarray(np.where(forms != 0, self.df, np.inf).min(axis=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Welch:
    r"""Degrees of freedom of forms of means of several independent groups of markets.

    .. math:: \nu = \frac{(\sum_a v_a)^2}{\sum_a v_a^2/(C_a-1)},\qquad v_a=\sum_{c\in a}(f'\psi_c)^2

    (Welch 1947, doi:10.2307/2332510; Satterthwaite 1946, doi:10.2307/3002019).

    Parameters
    ----------
    influence : ndarray of shape (n_markets, n_terms)
        NaN counts as none.
    group : ndarray of int, shape (n_markets,)
        What the variance of each market is estimated among.
    """

    influence: Floats
    group: Ints

    def of(self, forms: Floats) -> Floats:
        """Of each form; NaN for one that does not vary."""
        found = np.full(forms.shape[0], np.nan)
        size = np.bincount(self.group)
        for row, form in enumerate(forms):
            read = np.flatnonzero(form)
            part = self.influence[:, read] @ form[read]
            variance = np.bincount(self.group, weights=np.nan_to_num(part) ** 2)
            told = variance > 0
            if told.any():
                below = variance[told] ** 2 / np.maximum(size[told] - 1, 1)
                found[row] = variance.sum() ** 2 / below.sum()
        return found

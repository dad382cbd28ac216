r"""Contrasts of a two-stage randomised saturation, as columns of one regression.

With assignment :math:`Z_i`, saturation :math:`p_c` of the market and the pure control
:math:`p_c=0` left out,

.. math:: Y_i = \alpha + \sum_t \delta_t 1\{p_c=t\} + \sum_t \beta_t Z_i 1\{p_c=t\} + X_i'\gamma + u_i

so that :math:`\beta_t` is the direct effect DE(t), :math:`\delta_t` the spillover SNT(t) and
:math:`\beta_t+\delta_t` the total TT(t) (Crépon et al. 2013, doi:10.1093/qje/qjt001; Baird et al. 2018,
doi:10.1162/REST_a_00716).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Columns of a saturation regression and the linear forms to be read off it.

    Parameters
    ----------
    columns : ndarray of shape (n, n_coefficients)
        Exposure columns only; the caller adds the constant, strata and covariates after them.
    forms : ndarray of shape (n_terms, n_coefficients)
        Each term as a combination of coefficients.
    terms, groups : tuple of str
        ``direct``, ``spillover`` or ``total``, and the saturation it belongs to (``all`` if pooled).
    """

    columns: Floats
    forms: Floats
    terms: tuple[str, ...]
    groups: tuple[str, ...]


def contrast(treated: NDArray[np.bool_], saturation: Floats, *, pooled: bool) -> Contrast:
    """Build exposure columns, pooled over positive saturations or saturated.

    A market with no untreated unit at its saturation (saturation 1, or one-armed in the sample)
    identifies only the total there: its two columns would be one and the same.

    Parameters
    ----------
    treated : ndarray of bool, shape (n,)
    saturation : ndarray of shape (n,)
        Share assigned by design in the unit's market.
    pooled : bool
    """
    positive = saturation > 0
    levels = (
        [("all", positive)]
        if pooled
        else [
            (format(level, ".6g"), saturation == level) for level in np.unique(saturation[positive])
        ]
    )
    columns: list[NDArray[np.bool_]] = []
    reads: list[tuple[str, str, tuple[int, ...]]] = []
    for name, here in levels:
        at = len(columns)
        if (here & ~treated).any():
            columns += [here & treated, here]
            reads += [
                ("direct", name, (at,)),
                ("spillover", name, (at + 1,)),
                ("total", name, (at, at + 1)),
            ]
        else:
            columns += [here]
            reads += [("total", name, (at,))]
    forms = np.zeros((len(reads), len(columns)))
    for row, (_, _, chosen) in enumerate(reads):
        forms[row, list(chosen)] = 1.0
    return Contrast(
        columns=np.column_stack(columns).astype(float),
        forms=forms,
        terms=tuple(r[0] for r in reads),
        groups=tuple(r[1] for r in reads),
    )
